//! What a holder shows to the resource that its lock protects.

use crate::version::Version;
use std::fmt;
use std::num::ParseIntError;
use std::str::FromStr;

/// A fencing token: the version of the change that acquired it. Every later holder's token is greater within one
/// [epoch](crate::Epoch), so a resource can refuse a token smaller than the greatest it has seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FencingToken(pub Version);

/// Displays the number.
impl fmt::Display for FencingToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for FencingToken {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Self, ParseIntError> {
        text.parse().map(FencingToken)
    }
}
