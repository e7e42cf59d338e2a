//! Paths below a folder as bytes, and their keys on the server.

use super::hash::Hash;
use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt;

/// The folder, at the top of a synchronised one, that is telefile's own.
pub(super) const MARKER: &str = ".telefile-sync";

/// The longest key that shows its path; longer ones are `~` and a hash.
const MAX_KEY_BYTES: usize = 300;

/// Linux takes a path of 4096 bytes, its terminator counted.
const MAX_PATH_BYTES: usize = 4095;

/// The longest name of a file in its folder, on every usual file system.
pub(super) const MAX_NAME_BYTES: usize = 255;

/// A clean relative path: names of 1 to 255 bytes, `/` between them; none is `.`, `..` or the
/// marker's, and there is no NUL. So a path from a hostile peer cannot leave the folder.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct RelPath(Box<[u8]>);

impl RelPath {
    pub(super) fn new(bytes: &[u8]) -> Option<Self> {
        let is_name = |name: &[u8]| {
            (1..=MAX_NAME_BYTES).contains(&name.len())
                && ![&b"."[..], b"..", MARKER.as_bytes()].contains(&name)
                && !name.contains(&0)
        };
        let valid = bytes.len() <= MAX_PATH_BYTES && bytes.split(|b| *b == b'/').all(is_name);
        valid.then(|| RelPath(bytes.into()))
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub(super) fn as_path(&self) -> &std::path::Path {
        std::path::Path::new(OsStr::from_bytes(&self.0))
    }

    /// Returns the folder that it is in, unless that is the top.
    pub(super) fn parent(&self) -> Option<RelPath> {
        let end = self.0.iter().rposition(|b| *b == b'/')?;
        Some(RelPath(self.0[..end].into()))
    }

    /// Returns the last name.
    pub(super) fn name(&self) -> &[u8] {
        self.0.rsplit(|b| *b == b'/').next().unwrap_or_default()
    }

    /// Returns the path of another file in the same folder, if `name` is a valid one.
    pub(super) fn sibling(&self, name: &[u8]) -> Option<RelPath> {
        let folder = &self.0[..self.0.len() - self.name().len()];
        RelPath::new(&[folder, name].concat())
    }

    /// Returns the path of `name` below this folder.
    pub(super) fn join(&self, name: &[u8]) -> Option<RelPath> {
        RelPath::new(&[&self.0, &b"/"[..], name].concat())
    }

    /// Returns whether it is below `folder`.
    pub(super) fn is_below(&self, folder: &RelPath) -> bool {
        self.0.strip_prefix(folder.as_bytes()).is_some_and(|rest| rest.starts_with(b"/"))
    }

    /// Returns the end of the name of its entry: every byte but letters, digits and `._-/` as %XX,
    /// and a leading `~` too; a long one is `~` and the hash of the path.
    pub(super) fn key(&self) -> String {
        let key = encode(&self.0);
        if key.len() > MAX_KEY_BYTES { format!("~{}", Hash::of(&self.0)) } else { key }
    }

    /// Returns the path that a key shows. `None` if it shows none, or is not the key of a path.
    pub(super) fn from_key(key: &str) -> Option<Self> {
        let path = RelPath::new(&decode(key)?)?;
        (path.key() == key).then_some(path)
    }
}

/// Returns the bytes as text without spaces and controls: [`decode`] is the way back.
pub(super) fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for byte in bytes {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-' | b'/' => {
                text.push(char::from(*byte));
            }
            byte => text.push_str(&format!("%{byte:02X}")),
        }
    }
    text
}

/// Returns the bytes that [`encode`] made this text of; `None` for any other text.
pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    let (mut bytes, mut rest) = (Vec::with_capacity(text.len()), text.as_bytes());
    while let [first, behind @ ..] = rest {
        rest = behind;
        if *first == b'%' {
            let (digits, behind) = rest.split_at_checked(2)?;
            rest = behind;
            bytes.push(u8::from_str_radix(str::from_utf8(digits).ok()?, 16).ok()?);
        } else {
            bytes.push(*first);
        }
    }
    (encode(&bytes) == text).then_some(bytes)
}

/// For people and logs: escaped, because a name may hold anything.
impl fmt::Display for RelPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            write!(f, "{}", chunk.valid().escape_debug())?;
            write!(f, "{}", chunk.invalid().escape_ascii())?;
        }
        Ok(())
    }
}

impl fmt::Debug for RelPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_clean_relative_paths_are_paths() {
        let long = "n".repeat(255);
        for good in ["a", "a/b", "...", "..a", "a b", "-rf", "\n", "~", ".telefile-sync2", &*long] {
            assert!(RelPath::new(good.as_bytes()).is_some(), "{good:?}");
        }
        let longer = format!("{long}n");
        for bad in
            ["", ".", "..", "/", "/a", "a/", "a//b", "a/../b", "./a", "a\0", ".telefile-sync/id"]
        {
            assert!(RelPath::new(bad.as_bytes()).is_none(), "{bad:?}");
        }
        for bad in ["a/.telefile-sync", &longer, &"a/".repeat(2500)] {
            assert!(RelPath::new(bad.as_bytes()).is_none(), "{bad:?}");
        }
    }

    #[test]
    fn keys_byte_for_byte() {
        let check = |path: &[u8], key: &str| {
            let path = RelPath::new(path).unwrap();
            assert_eq!(path.key(), key);
            if !key.starts_with('~') {
                assert_eq!(RelPath::from_key(key), Some(path));
            }
        };
        check(b"src/a_b-c.rs", "src/a_b-c.rs");
        check(b"a b,\n'\"", "a%20b%2C%0A%27%22");
        check(b"~/\xff%", "%7E/%FF%25");
        check("größe".as_bytes(), "gr%C3%B6%C3%9Fe");
        let long = format!("{}/{}", "x".repeat(200), "y".repeat(100));
        check(long.as_bytes(), &format!("~{}", Hash::of(long.as_bytes())));
        check(&long.as_bytes()[1..], &long[1..]);
    }

    #[test]
    fn what_is_no_key_is_no_path() {
        for bad in ["", "..", "a/../b", "%2F", "a%", "a%2", "a%2f", "%41", "a b", "~", "%00", "/a"]
        {
            assert_eq!(RelPath::from_key(bad), None, "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn every_path_has_a_key_of_its_own(a in path(), b in path()) {
            let key = a.key();
            prop_assert!(key.len() <= MAX_KEY_BYTES);
            prop_assert_eq!(a == b, key == b.key());
            prop_assert_eq!(decode(&encode(a.as_bytes())), Some(a.as_bytes().to_vec()));
        }

        #[test]
        fn any_text_is_decoded_without_panic(text in ".{0,40}") {
            if let Some(path) = RelPath::from_key(&text) {
                prop_assert_eq!(path.key(), text);
            }
        }
    }

    fn path() -> impl Strategy<Value = RelPath> {
        let bytes = proptest::collection::vec(any::<u8>(), 1..120);
        bytes.prop_filter_map("not a path", |bytes| RelPath::new(&bytes))
    }
}
