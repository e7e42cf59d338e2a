//! The numbers that mean something only within one table: its versions, and the table's own. A common
//! word.

use crate::random;
use std::error;
use std::fmt;
use std::num::ParseIntError;
use std::str::FromStr;

/// The number of a change, among all changes of a server's files; and of a file, the number of its
/// latest change. Versions are below 2^63, only grow, and are never reused within an [`Epoch`].
///
/// ```
/// use telefile::Version;
///
/// let version: Version = "7".parse()?;
/// assert_eq!(version, Version(7));
/// assert!(version > Version::ABSENT);
/// # Ok::<(), std::num::ParseIntError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(pub u64);

impl Version {
    /// The version of a file that does not exist: 0. A `cas` from it creates the file.
    pub const ABSENT: Version = Version(0);
}

impl From<u64> for Version {
    fn from(number: u64) -> Self {
        Version(number)
    }
}

/// Displays the number.
impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Version {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Self, ParseIntError> {
        text.parse().map(Version)
    }
}

/// The random number of a server's table of files. A version means something only in the epoch that
/// it comes from: a program that keeps a version longer than a connection keeps the epoch with it.
///
/// ```
/// use telefile::Epoch;
///
/// let epoch: Epoch = "00000000000000ff".parse()?;
/// assert_eq!(epoch, Epoch(255));
/// assert_eq!(epoch.to_string(), "00000000000000ff");
/// # Ok::<(), telefile::InvalidEpoch>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Epoch(pub u64);

const EPOCH_DIGITS: usize = 16;

impl Epoch {
    /// Draws an epoch for a new table. It is not a secret.
    ///
    /// ```
    /// use telefile::Epoch;
    ///
    /// assert_ne!(Epoch::random(), Epoch::random());
    /// ```
    ///
    /// # Panics
    /// If the system has no randomness.
    pub fn random() -> Self {
        Epoch(random::draw().expect("the system has randomness"))
    }
}

/// Displays 16 hex digits, as in the reply to `hello`.
impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:01$x}", self.0, EPOCH_DIGITS)
    }
}

impl FromStr for Epoch {
    type Err = InvalidEpoch;

    fn from_str(text: &str) -> Result<Self, InvalidEpoch> {
        let is_one = text.len() == EPOCH_DIGITS && text.bytes().all(|b| b.is_ascii_hexdigit());
        let number = u64::from_str_radix(text, 16).ok().filter(|_| is_one);
        number.map(Epoch).ok_or(InvalidEpoch(()))
    }
}

/// The error for a text that is not an [`Epoch`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidEpoch(());

impl fmt::Display for InvalidEpoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an epoch has 16 hex digits")
    }
}

impl error::Error for InvalidEpoch {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_has_exactly_16_hex_digits() {
        for epoch in [0, 1, 1 << 63, u64::MAX].map(Epoch) {
            assert_eq!(epoch.to_string().parse(), Ok(epoch));
        }
        for bad in ["", "ff", "+00000000000000f", "0000000000000000f", "000000000000000g"] {
            assert_eq!(bad.parse::<Epoch>(), Err(InvalidEpoch(())), "{bad:?}");
        }
    }
}
