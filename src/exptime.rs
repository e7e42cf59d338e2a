//! How long a file lives, as in the protocol's `exptime` field. A common word: imports nothing
//! from this crate.

use std::fmt;
use std::time::Duration;

/// The `exptime` field: in a request a file's lifetime, in a reply the remaining lifetime.
///
/// ```
/// use telefile::Exptime;
///
/// let shown = [Exptime::Never, Exptime::Seconds(30), Exptime::Connection].map(|e| e.to_string());
/// assert_eq!(shown, ["0", "30", "-1"]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Exptime {
    /// `0`, or no field: the file does not expire.
    Never,
    /// From 1 to [`Exptime::MAX_SECONDS`].
    Seconds(u64),
    /// `-1`: until the end of the connection that set it. Such a file is called ephemeral.
    Connection,
}

/// The time that stands for "forever" where a duration is needed: an instant that far away is still
/// representable.
pub(crate) const FOREVER: Duration = Duration::from_secs(Exptime::MAX_SECONDS);

impl Exptime {
    /// 100 years of 365.25 days. A larger exptime is reduced to this.
    pub const MAX_SECONDS: u64 = 3_155_760_000;

    /// Returns the meaning of a number in the field.
    pub fn from_seconds(seconds: u64) -> Self {
        match seconds {
            0 => Exptime::Never,
            n => Exptime::Seconds(n.min(Self::MAX_SECONDS)),
        }
    }

    /// Returns what to show when `left` remains: rounded up, so that a file that lives never shows
    /// 0, which would be "never", and at most [`MAX_SECONDS`](Self::MAX_SECONDS).
    pub fn remaining(left: Duration) -> Self {
        Exptime::Seconds(whole_seconds(left).clamp(1, Self::MAX_SECONDS))
    }
}

/// Rounds up to seconds, like every time on the wire.
pub(crate) fn whole_seconds(time: Duration) -> u64 {
    time.as_secs().saturating_add(u64::from(time.subsec_nanos() > 0))
}

/// Writes the field as on the wire.
impl fmt::Display for Exptime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Exptime::Never => f.write_str("0"),
            Exptime::Seconds(n) => n.fmt(f),
            Exptime::Connection => f.write_str("-1"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remaining_rounds_up_and_never_shows_zero() {
        let shown = |ms| Exptime::remaining(Duration::from_millis(ms));
        let expected = [1, 1, 1, 1, 2, 5].map(Exptime::Seconds);
        assert_eq!([0, 1, 999, 1000, 1001, 5000].map(shown), expected);
        let longest = Exptime::Seconds(Exptime::MAX_SECONDS);
        assert_eq!([FOREVER, Duration::MAX].map(Exptime::remaining), [longest; 2]);
    }

    #[test]
    fn a_huge_exptime_is_a_hundred_years() {
        assert_eq!(Exptime::from_seconds(10_u64.pow(10)), Exptime::Seconds(Exptime::MAX_SECONDS));
        assert_eq!(Exptime::from_seconds(0), Exptime::Never);
    }
}
