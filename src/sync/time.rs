//! Times of day in names: `20261127T101112Z`. Seconds since 1970 without leap seconds, as the
//! system's clock has them.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

pub(super) const SECONDS_A_DAY: u64 = 86_400;

/// A moment, to the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Utc(u64);

impl Utc {
    pub(super) fn now() -> Self {
        Utc(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs()))
    }

    /// Returns the moment `days` earlier.
    pub(super) fn days_before(self, days: u64) -> Self {
        Utc(self.0.saturating_sub(days * SECONDS_A_DAY))
    }

    /// Returns the moment `seconds` later.
    pub(super) fn seconds_after(self, seconds: u64) -> Self {
        Utc(self.0.saturating_add(seconds))
    }

    /// Returns how many seconds have passed since an earlier moment; 0 if it is a later one.
    pub(super) fn seconds_since(self, earlier: Utc) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// Returns the nanoseconds since 1970.
    pub(super) fn nanoseconds(self) -> i64 {
        i64::try_from(self.0).unwrap_or(i64::MAX).saturating_mul(1_000_000_000)
    }

    /// Parses what `Display` prints.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let plain = text.len() == "20261127T101112Z".len() && text.is_ascii();
        let number = |from: usize, to: usize| {
            let digits = text.get(from..to).filter(|d| d.bytes().all(|b| b.is_ascii_digit()))?;
            digits.parse::<u64>().ok()
        };
        if !plain || text.as_bytes()[8] != b'T' || text.as_bytes()[15] != b'Z' {
            return None;
        }
        let days = days_of(number(0, 4)?, number(4, 6)?, number(6, 8)?)?;
        let (hour, minute, second) = (number(9, 11)?, number(11, 13)?, number(13, 15)?);
        let utc = Utc(days * SECONDS_A_DAY + hour * 3600 + minute * 60 + second);
        (utc.to_string() == text).then_some(utc)
    }
}

impl fmt::Display for Utc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, rest) = (self.0 / SECONDS_A_DAY, self.0 % SECONDS_A_DAY);
        let (year, month, day) = date_of(days);
        let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
        write!(f, "{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z")
    }
}

/// The day in the Gregorian calendar, as days after 1970-01-01. Howard Hinnant's
/// `civil_from_days`: years begin in March, so that the leap day is their last.
fn date_of(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year + era * 400 + u64::from(month <= 2), month, day)
}

fn days_of(year: u64, month: u64, day: u64) -> Option<u64> {
    let year = year.checked_sub(u64::from(month <= 2))?;
    let month = if month > 2 { month - 3 } else { month + 9 };
    let (era, year) = (year / 400, year % 400);
    let day = ((153 * month + 2) / 5 + day).checked_sub(1)?;
    (era * 146_097 + year * 365 + year / 4 - year / 100 + day).checked_sub(719_468)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_moments() {
        for (seconds, text) in [
            (0, "19700101T000000Z"),
            (951_782_400, "20000229T000000Z"),
            (1_764_238_272, "20251127T101112Z"),
            (4_107_542_400, "21000301T000000Z"),
        ] {
            assert_eq!(Utc(seconds).to_string(), text);
            assert_eq!(Utc::parse(text), Some(Utc(seconds)));
        }
        for bad in
            ["", "20261327T101112Z", "20260230T000000Z", "20261127T241112Z", "2026é127T101112Z"]
        {
            assert_eq!(Utc::parse(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn what_is_printed_parses_to_the_same(seconds in 0_u64..253_402_300_800) {
            prop_assert_eq!(Utc::parse(&Utc(seconds).to_string()), Some(Utc(seconds)));
        }
    }
}
