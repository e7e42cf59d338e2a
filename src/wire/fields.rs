//! The fields of a line: what stands between spaces, and numbers in them, both ways.

use crate::exptime::Exptime;

/// The fields of a line that are still to be read.
///
/// One or more spaces separate two fields; leading and trailing spaces are ignored. A tab is an
/// ordinary byte.
#[derive(Clone)]
pub(super) struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    pub(super) fn new(line: &'a [u8]) -> Self {
        Fields(line)
    }

    /// The next field, never empty.
    pub(super) fn next(&mut self) -> Option<&'a [u8]> {
        let start = self.0.iter().position(|b| *b != b' ')?;
        let rest = &self.0[start..];
        let end = rest.iter().position(|b| *b == b' ').unwrap_or(rest.len());
        let (field, rest) = rest.split_at(end);
        self.0 = rest;
        Some(field)
    }

    /// The next field as a number: see [`number`].
    pub(super) fn number(&mut self) -> Option<u64> {
        number(self.next()?)
    }

    /// The next field as an exptime. No field is [`Exptime::Never`]; `None` is a bad field.
    pub(super) fn exptime(&mut self) -> Option<Exptime> {
        self.next().map_or(Some(0), number).map(Exptime::from_field)
    }

    /// `value`, if no field is left.
    pub(super) fn end<T>(mut self, value: T) -> Option<T> {
        self.next().is_none().then_some(value)
    }
}

/// Digits only, no sign, below 2^63; leading zeros are allowed.
pub(super) fn number(field: &[u8]) -> Option<u64> {
    let digit = |n: u64, b: &u8| {
        let d = b.is_ascii_digit().then(|| u64::from(b - b'0'))?;
        n.checked_mul(10)?.checked_add(d)
    };
    let n = field.iter().try_fold(0, digit)?;
    (!field.is_empty() && n < 1 << 63).then_some(n)
}

/// Appends one line, field by field.
pub(super) struct LineOut<'a>(&'a mut Vec<u8>);

impl<'a> LineOut<'a> {
    pub(super) fn new(out: &'a mut Vec<u8>, word: &str) -> Self {
        out.extend_from_slice(word.as_bytes());
        LineOut(out)
    }

    pub(super) fn bytes(self, field: &[u8]) -> Self {
        self.0.push(b' ');
        self.0.extend_from_slice(field);
        self
    }

    pub(super) fn number(self, n: u64) -> Self {
        self.bytes(itoa::Buffer::new().format(n).as_bytes())
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
    fn only_spaces_separate() {
        let mut fields = Fields::new(b"  a\tb   c  ");
        assert_eq!(fields.next(), Some(&b"a\tb"[..]));
        assert_eq!(fields.next(), Some(&b"c"[..]));
        assert_eq!(fields.next(), None);
    }
}
