//! Names of files. A [`Name`] or [`NameRef`] that exists is valid, so nothing behind the parser
//! ever checks one again. A common word: imports nothing of this crate.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

/// A valid name, borrowed: what a request carries.
///
/// A name is UTF-8 and not empty, without a character that Unicode calls `White_Space` or `Cc`
/// (control). `*` and `/` are ordinary characters. `@` followed by digits alone is a descriptor
/// and not a name; `@` and `@x` are names.
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
    /// Takes `text` as a name, or `None` if it is not one.
    pub fn new(text: &'a str) -> Option<Self> {
        let forbidden = |c: char| c.is_whitespace() || c.is_control();
        // Nearly all names are ASCII, and each request has one.
        let plain = text.bytes().all(|b| b.is_ascii_graphic());
        let valid = !text.is_empty() && (plain || !text.contains(forbidden));
        (valid && !is_descriptor(text)).then_some(NameRef(text))
    }

    /// The name as text.
    pub fn as_str(self) -> &'a str {
        self.0
    }

    /// The name on the heap, to be kept.
    pub fn to_name(self) -> Name {
        Name(self.0.into())
    }
}

/// A valid name that is kept: the key of the table. Clones share one allocation.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name(Arc<str>);

impl Name {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The same name, borrowed.
    pub fn as_ref(&self) -> NameRef<'_> {
        NameRef(&self.0)
    }
}

/// What a request means by a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileRef<'a> {
    /// By its name.
    Name(NameRef<'a>),
    /// `@` and digits: by a descriptor. One beyond `u64` is some descriptor that nobody has.
    Descriptor(u64),
}

/// So that a table with [`Name`]s as keys is asked with the text of a request, without allocating.
impl Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// For logs: control characters cannot be in a name, but direction marks and the like can, and a
/// name may be long. Escaped, and cut to 64 bytes.
impl fmt::Display for NameRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MAX_SHOWN_BYTES: usize = 64;
        let shown = &self.0[..self.0.floor_char_boundary(MAX_SHOWN_BYTES)];
        let dots = if shown.len() < self.0.len() { "..." } else { "" };
        write!(f, "{}{dots}", shown.escape_debug())
    }
}

impl fmt::Debug for NameRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_ref().fmt(f)
    }
}

fn is_descriptor(text: &str) -> bool {
    let digits = text.strip_prefix('@').unwrap_or_default();
    !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_a_name() {
        for good in [
            "a",
            "*",
            "/",
            "@",
            "@x",
            "@1x",
            "@-1",
            "a@1",
            "+3",
            "ERR_X",
            "日本",
            "é",
            "a\u{200b}b",
        ] {
            assert!(NameRef::new(good).is_some(), "{good:?}");
        }
        for bad in [
            "",
            " ",
            "a b",
            "a\tb",
            "a\u{a0}b",
            "a\u{3000}",
            "a\0",
            "\u{7f}",
            "\u{85}",
            "@0",
            "@007",
        ] {
            assert!(NameRef::new(bad).is_none(), "{bad:?}");
        }
    }

    #[test]
    fn shown_escaped_and_cut() {
        assert_eq!(NameRef("a\u{202e}b").to_string(), "a\\u{202e}b");
        let long = "é".repeat(40);
        assert_eq!(NameRef(&long).to_string(), "é".repeat(32) + "...");
    }
}
