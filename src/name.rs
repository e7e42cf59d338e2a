//! Names of files. An existing [`Name`] or [`NameRef`] is valid, so no code after the parser checks
//! one again. A common word: imports nothing from this crate.

mod file_ref;
mod for_log;
#[cfg(test)]
mod tests;

pub use file_ref::{Fd, FileRef};
pub(crate) use for_log::{ForLog, IdForLog, is_session_id};

use for_log::secret_of;
use std::borrow::Borrow;
use std::cmp::Ordering;
use std::error;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;
use std::sync::Arc;

/// A valid name, borrowed: what a request carries.
///
/// A name is non-empty UTF-8 without characters that Unicode calls `White_Space` or `Cc` (control).
/// `*` and `/` are ordinary characters. `@` followed by digits alone is a descriptor and not a
/// name; `@` and `@x` are names.
///
/// ```
/// use telefile::NameRef;
///
/// assert!(NameRef::new("lock/db").is_some());
/// assert!(NameRef::new("größe").is_some());
/// assert!(NameRef::new("two words").is_none());
/// assert!(NameRef::new("@7").is_none());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NameRef<'a>(&'a str);

impl<'a> NameRef<'a> {
    /// Returns `text` as a name, or `None` if it is not one.
    pub fn new(text: &'a str) -> Option<Self> {
        let forbidden = |c: char| c.is_whitespace() || c.is_control();
        // Nearly all names are ASCII, and every request has one.
        let plain = text.bytes().all(|b| b.is_ascii_graphic());
        let valid = !text.is_empty() && (plain || !text.contains(forbidden));
        (valid && !is_descriptor(text)).then_some(NameRef(text))
    }

    /// Returns the first 35 bytes of a secret name: `s/`, 32 hex digits and `/`. Lists and watches
    /// show such a name only for a prefix that begins with them.
    pub fn secret(self) -> Option<&'a str> {
        secret_of(self.0)
    }

    /// Returns the name as text.
    pub fn as_str(self) -> &'a str {
        self.0
    }

    /// Returns the name as logs show it: escaped, because it may contain direction marks and the
    /// like, cut to 64 bytes, and with at most 8 digits of a [secret](NameRef::secret) name.
    ///
    /// ```
    /// use telefile::NameRef;
    ///
    /// let name = NameRef::new("s/0123456789abcdef0123456789abcdef/e").unwrap();
    /// assert_eq!(name.for_log().to_string(), "s/01234567...");
    /// assert_eq!(name.to_string(), "s/0123456789abcdef0123456789abcdef/e");
    /// ```
    pub fn for_log(self) -> impl fmt::Display + 'a {
        ForLog(self.0)
    }

    /// Returns an owned copy of the name.
    pub fn to_name(self) -> Name {
        let mut bytes = [0; SHORT_BYTES];
        match bytes.get_mut(..self.0.len()) {
            None => Name(Text::Long(self.0.into())),
            Some(short) => {
                short.copy_from_slice(self.0.as_bytes());
                Name(Text::Short { len: self.0.len() as u8, bytes })
            }
        }
    }
}

/// An owned valid name. A name of at most 22 bytes takes no allocation; clones of a longer one share
/// theirs.
///
/// ```
/// use telefile::Name;
///
/// let name: Name = "lock/db".parse()?;
/// assert_eq!(name.to_string(), "lock/db");
///
/// let error = Name::try_from("two words").unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     r#""two words" is not a name: it has white space or a control character"#
/// );
/// # Ok::<(), telefile::InvalidName>(())
/// ```
#[derive(Clone)]
pub struct Name(Text);

/// The most bytes that fit beside a length into the room of three pointers.
const SHORT_BYTES: usize = 22;

#[derive(Clone)]
enum Text {
    Short { len: u8, bytes: [u8; SHORT_BYTES] },
    Long(Arc<str>),
}

const _: () = assert!(size_of::<Option<Name>>() == 24);

impl Name {
    /// Returns the name as text.
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Text::Short { .. } => str::from_utf8(self.as_bytes()).expect("a name is text"),
            Text::Long(text) => text,
        }
    }

    /// Returns the bytes of the text. Unlike [`as_str`](Name::as_str) this does not check them.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Text::Short { len, bytes } => &bytes[..usize::from(*len)],
            Text::Long(text) => text.as_bytes(),
        }
    }

    /// Returns the same name, borrowed.
    pub fn as_name_ref(&self) -> NameRef<'_> {
        NameRef(self.as_str())
    }

    /// Returns the size of the allocation that holds the text, in bytes; 0 if there is none.
    pub(crate) fn allocated(name: NameRef<'_>) -> usize {
        const COUNTS_BYTES: usize = 2 * size_of::<usize>();
        let len = name.0.len();
        if len <= SHORT_BYTES { 0 } else { COUNTS_BYTES + len }
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for Name {}

impl PartialOrd for Name {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Byte by byte, as `str` is ordered.
impl Ord for Name {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

/// As `str`, which a `Name` is borrowed as.
impl Hash for Name {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl AsRef<str> for Name {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl AsRef<str> for NameRef<'_> {
    fn as_ref(&self) -> &str {
        self.0
    }
}

impl FromStr for Name {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        NameRef::try_from(text).map(NameRef::to_name)
    }
}

impl TryFrom<&str> for Name {
    type Error = InvalidName;

    fn try_from(text: &str) -> Result<Self, InvalidName> {
        text.parse()
    }
}

impl TryFrom<String> for Name {
    type Error = InvalidName;

    fn try_from(text: String) -> Result<Self, InvalidName> {
        text.parse()
    }
}

impl<'a> TryFrom<&'a str> for NameRef<'a> {
    type Error = InvalidName;

    fn try_from(text: &'a str) -> Result<Self, InvalidName> {
        NameRef::new(text).ok_or_else(|| InvalidName(text.to_string()))
    }
}

impl From<NameRef<'_>> for Name {
    fn from(name: NameRef<'_>) -> Self {
        name.to_name()
    }
}

/// The error for a text that is not a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidName(String);

impl fmt::Display for InvalidName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let why = match &*self.0 {
            "" => "it is empty",
            text if is_descriptor(text) => "@ and digits are a descriptor",
            _ => "it has white space or a control character",
        };
        write!(f, "{:?} is not a name: {why}", self.0)
    }
}

impl error::Error for InvalidName {}

/// The beginning of a name, which `create` completes with a version of 20 digits.
///
/// ```
/// use telefile::wire::Stem;
///
/// let stem = Stem::new("queue/job-").unwrap();
/// assert_eq!(stem.numbered(42).as_str(), "queue/job-00000000000000000042");
/// assert!(Stem::new("@").is_none()); // digits behind it would make a descriptor
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Stem<'a>(&'a str);

impl<'a> Stem<'a> {
    /// The most bytes of a numbered name: it fits into a line of a list and of a reply.
    pub const MAX_NAME_BYTES: usize = 430;

    /// The digits of a version in a name: enough for every version, and names sort like versions.
    pub const DIGITS: usize = 20;

    /// Returns `text` as a stem, or `None` if it is not one: the numbered name has to be a name of
    /// at most 430 bytes.
    pub fn new(text: &'a str) -> Option<Self> {
        let short = text.len() <= Self::MAX_NAME_BYTES - Self::DIGITS;
        (short && text != "@" && NameRef::new(text).is_some()).then_some(Stem(text))
    }

    /// Returns the stem as text.
    pub fn as_str(self) -> &'a str {
        self.0
    }

    /// Returns the name with this version.
    pub fn numbered(self, version: u64) -> Name {
        NameRef(&format!("{}{version:0digits$}", self.0, digits = Self::DIGITS)).to_name()
    }
}

/// Looks up a table with [`Name`] keys by a request's text, without allocating.
impl Borrow<str> for Name {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

/// Displays the whole name, unescaped. For logs see [`for_log`](NameRef::for_log).
impl fmt::Display for NameRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.0)
    }
}

/// Displays the whole name, unescaped. For logs see [`NameRef::for_log`].
impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for NameRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

impl fmt::Debug for Stem<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_name_ref().fmt(f)
    }
}

fn is_descriptor(text: &str) -> bool {
    let digits = text.strip_prefix('@').unwrap_or_default();
    !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
}
