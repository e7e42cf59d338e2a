//! The fields of a line: the parts between spaces, and the numbers in them, both ways.

use crate::exptime::Exptime;
use crate::name::NameRef;
use std::time::Duration;

/// The fields of a line that are not yet read.
///
/// One or more spaces separate two fields; leading and trailing spaces are ignored. A tab is an
/// ordinary byte.
#[derive(Clone)]
pub(super) struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    pub(super) fn new(line: &'a [u8]) -> Self {
        Fields(line)
    }

    /// Returns the next field, never empty.
    pub(super) fn next(&mut self) -> Option<&'a [u8]> {
        let start = self.0.iter().position(|b| *b != b' ')?;
        let rest = &self.0[start..];
        let end = rest.iter().position(|b| *b == b' ').unwrap_or(rest.len());
        let (field, rest) = rest.split_at(end);
        self.0 = rest;
        Some(field)
    }

    /// Reads the next field as a number: see [`number`].
    pub(super) fn number(&mut self) -> Option<u64> {
        number(self.next()?)
    }

    /// Reads the next field as an exptime.
    pub(super) fn exptime(&mut self) -> Option<Exptime> {
        exptime(self.next()?)
    }

    /// Parses the next field with `parse`; returns `absent` if there is none, `None` if it is bad.
    pub(super) fn optional<T>(
        &mut self,
        absent: T,
        parse: impl FnOnce(&'a [u8]) -> Option<T>,
    ) -> Option<T> {
        self.next().map_or(Some(absent), parse)
    }

    /// Reads the next field as a name.
    pub(super) fn name(&mut self) -> Option<NameRef<'a>> {
        text(self.next()?).and_then(NameRef::new)
    }
}

/// Parses digits only, without a sign, below 2^63; leading zeros are allowed.
pub(super) fn number(field: &[u8]) -> Option<u64> {
    let digit = |n: u64, b: &u8| {
        let d = b.is_ascii_digit().then(|| u64::from(b - b'0'))?;
        n.checked_mul(10)?.checked_add(d)
    };
    let n = field.iter().try_fold(0, digit)?;
    (!field.is_empty() && n < 1 << 63).then_some(n)
}

/// Parses a number, or exactly `-1`.
pub(super) fn exptime(field: &[u8]) -> Option<Exptime> {
    match field {
        b"-1" => Some(Exptime::Connection),
        seconds => number(seconds).map(Exptime::from_seconds),
    }
}

/// Parses a time in seconds: a number, optionally with a dot and up to nine digits of a fraction.
pub(super) fn seconds(field: &[u8]) -> Option<Duration> {
    const DIGITS: usize = 9;
    let dot = field.iter().position(|b| *b == b'.');
    let (whole, fraction) = field.split_at(dot.unwrap_or(field.len()));
    let nanoseconds = match fraction {
        [] => 0,
        [_, digits @ ..] if digits.len() <= DIGITS => {
            number(digits)? * 10_u64.pow((DIGITS - digits.len()) as u32)
        }
        _ => return None,
    };
    Some(Duration::from_secs(number(whole)?) + Duration::from_nanos(nanoseconds))
}

pub(super) fn text(field: &[u8]) -> Option<&str> {
    std::str::from_utf8(field).ok()
}

/// Appends one line, field by field.
pub(super) struct LineOut<'a>(&'a mut Vec<u8>);

impl<'a> LineOut<'a> {
    pub(super) fn new(out: &'a mut Vec<u8>, word: &str) -> Self {
        out.extend_from_slice(word.as_bytes());
        LineOut(out)
    }

    /// Begins a line whose first field is a number.
    pub(super) fn numbered(out: &'a mut Vec<u8>, n: u64) -> Self {
        LineOut::new(out, itoa::Buffer::new().format(n))
    }

    pub(super) fn bytes(self, field: &[u8]) -> Self {
        self.0.push(b' ');
        self.0.extend_from_slice(field);
        self
    }

    pub(super) fn number(self, n: u64) -> Self {
        self.bytes(itoa::Buffer::new().format(n).as_bytes())
    }

    pub(super) fn text(self, text: &str) -> Self {
        self.bytes(text.as_bytes())
    }

    pub(super) fn exptime(self, exptime: Exptime) -> Self {
        match exptime {
            Exptime::Never => self.number(0),
            Exptime::Seconds(n) => self.number(n),
            Exptime::Connection => self.bytes(b"-1"),
        }
    }

    /// Appends a time in seconds, rounded down to milliseconds; only 0 is shown as 0.
    pub(super) fn seconds(self, time: Duration) -> Self {
        let milliseconds = match time.as_millis() {
            0 if !time.is_zero() => 1,
            n => n,
        };
        let (seconds, fraction) = (milliseconds / 1000, milliseconds % 1000);
        match fraction {
            0 => self.text(&seconds.to_string()),
            _ => self.text(format!("{seconds}.{fraction:03}").trim_end_matches('0')),
        }
    }

    pub(super) fn end(self) {
        self.0.extend_from_slice(b"\r\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        for (field, expected) in [
            ("0", Some(0)),
            ("007", Some(7)),
            ("9223372036854775807", Some(u64::MAX >> 1)),
            ("00000000000000000000000000001", Some(1)),
            ("9223372036854775808", None),
            ("99999999999999999999", None),
            ("", None),
            ("+3", None),
            ("-1", None),
            ("1.0", None),
            ("0x1", None),
            ("1\t", None),
        ] {
            assert_eq!(number(field.as_bytes()), expected, "{field:?}");
        }
    }

    #[test]
    fn times_have_fractions_and_are_never_shown_longer_than_they_are() {
        for (field, expected) in [
            ("0", Some(0)),
            ("5", Some(5_000_000_000)),
            ("1.5", Some(1_500_000_000)),
            ("0.000000001", Some(1)),
            ("1.", None),
            (".5", None),
            ("1.5.", None),
            ("1.-5", None),
            ("0.0000000001", None),
            ("-1", None),
            ("", None),
        ] {
            assert_eq!(seconds(field.as_bytes()), expected.map(Duration::from_nanos), "{field:?}");
        }
        for (nanoseconds, expected) in [
            (0, " 0"),
            (1, " 0.001"),
            (200_000_000, " 0.2"),
            (999_999_999, " 0.999"),
            (1_000_000_000, " 1"),
            (1_050_000_000, " 1.05"),
            (10_000_000_000, " 10"),
        ] {
            let mut out = Vec::new();
            LineOut(&mut out).seconds(Duration::from_nanos(nanoseconds));
            assert_eq!(out, expected.as_bytes(), "{nanoseconds}");
        }
    }

    #[test]
    fn only_spaces_separate() {
        let mut fields = Fields::new(b"  a\tb   c  ");
        assert_eq!(fields.next(), Some(&b"a\tb"[..]));
        assert_eq!(fields.next(), Some(&b"c"[..]));
        assert_eq!(fields.next(), None);
    }
}
