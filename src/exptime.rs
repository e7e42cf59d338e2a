//! How long a file lives, as the protocol's `exptime` field says it. A common word: imports
//! nothing of this crate.

use std::time::Duration;

/// The `exptime` field: in a request how long the file shall live, in a reply what remains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exptime {
    /// `0`, or no field: the file does not expire.
    Never,
    /// From 1 to [`Exptime::MAX_SECONDS`].
    Seconds(u64),
}

impl Exptime {
    /// 100 years of 365.25 days. A larger exptime is taken as this.
    pub const MAX_SECONDS: u64 = 3_155_760_000;

    /// The meaning of the field's number.
    pub fn from_field(seconds: u64) -> Self {
        match seconds {
            0 => Exptime::Never,
            n => Exptime::Seconds(n.min(Self::MAX_SECONDS)),
        }
    }

    /// The number that stands in the field.
    pub fn to_field(self) -> u64 {
        match self {
            Exptime::Never => 0,
            Exptime::Seconds(n) => n,
        }
    }

    /// What to show when `left` remains: rounded up, so that a file that lives never shows 0,
    /// which would be "never".
    pub fn remaining(left: Duration) -> Self {
        Exptime::Seconds((left.as_secs() + u64::from(left.subsec_nanos() > 0)).max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remaining_rounds_up_and_never_shows_zero() {
        let shown = |ms| Exptime::remaining(Duration::from_millis(ms)).to_field();
        assert_eq!([0, 1, 999, 1000, 1001, 5000].map(shown), [1, 1, 1, 1, 2, 5]);
    }

    #[test]
    fn a_huge_exptime_is_a_hundred_years() {
        assert_eq!(Exptime::from_field(10_u64.pow(10)), Exptime::Seconds(Exptime::MAX_SECONDS));
        assert_eq!(Exptime::from_field(0), Exptime::Never);
    }
}
