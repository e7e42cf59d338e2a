//! How a request refers to a file.

use super::NameRef;
use std::fmt;

/// The descriptor of an open file: a number that is the same for every client that has it open.
///
/// The number goes to another file after the last close. A descriptor of one server means nothing to
/// another.
///
/// ```
/// use telefile::Fd;
///
/// assert_eq!(Fd(7).to_string(), "7"); // a request refers to it as `@7`
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fd(pub u64);

/// Displays the number.
impl fmt::Display for Fd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How a request refers to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FileRef<'a> {
    /// By its name.
    Name(NameRef<'a>),
    /// By a descriptor: `@` and digits. A number beyond `u64` is a descriptor that nobody has.
    Descriptor(Fd),
}
