//! The keys of a table in etcd, below its prefix.
//!
//! | key | has |
//! |---|---|
//! | `leader` | the active server: its secret and its address, on its lease |
//! | `head` | the table's head, with the number of the batch and a nonce; each commit puts it |
//! | `f/NAME` | a file: version, life, and contents of less than 4 KiB |
//! | `c/VERSION` | the larger contents that were written at a version |
//! | `d/VERSION` | the name of the file that was removed at a version |
//!
//! The values are those of [`format`](crate::store::format), each with a checksum over its key.

/// A version has as many digits as the largest one, so that keys are in the order of versions.
const DIGITS: usize = 19;

/// The keys of one table.
#[derive(Debug)]
pub(super) struct Keys {
    prefix: Vec<u8>,
}

impl Keys {
    /// Returns the keys below a prefix, which ends with a slash, or is given one: the tables `a` and
    /// `ab` have no key in common.
    pub(super) fn new(prefix: &str) -> Self {
        let slash = if prefix.ends_with('/') { "" } else { "/" };
        Keys { prefix: [prefix, slash].concat().into_bytes() }
    }

    pub(super) fn leader(&self) -> Vec<u8> {
        self.key(b"leader")
    }

    pub(super) fn head(&self) -> Vec<u8> {
        self.key(b"head")
    }

    pub(super) fn file(&self, name: &[u8]) -> Vec<u8> {
        [&self.prefix, &b"f/"[..], name].concat()
    }

    pub(super) fn contents(&self, version: u64) -> Vec<u8> {
        self.key(format!("c/{version:0DIGITS$}").as_bytes())
    }

    pub(super) fn removal(&self, version: u64) -> Vec<u8> {
        self.key(format!("d/{version:0DIGITS$}").as_bytes())
    }

    /// The first key of all files, and the one after the last.
    pub(super) fn files(&self) -> (Vec<u8>, Vec<u8>) {
        (self.key(b"f/"), self.key(b"f0"))
    }

    /// The same of large contents.
    pub(super) fn all_contents(&self) -> (Vec<u8>, Vec<u8>) {
        (self.key(b"c/"), self.key(b"c0"))
    }

    /// The same of the removals.
    pub(super) fn removals(&self) -> (Vec<u8>, Vec<u8>) {
        (self.key(b"d/"), self.key(b"d0"))
    }

    /// Returns the name in the key of a file.
    pub(super) fn name<'a>(&self, key: &'a [u8]) -> Option<&'a [u8]> {
        key.strip_prefix(&self.prefix[..])?.strip_prefix(b"f/")
    }

    /// Returns the version in the key of a removal.
    pub(super) fn version(&self, key: &[u8]) -> Option<u64> {
        let digits = key.strip_prefix(&self.prefix[..])?.strip_prefix(b"d/")?;
        let is_number = digits.len() == DIGITS && digits.iter().all(u8::is_ascii_digit);
        let digits = is_number.then_some(digits)?;
        str::from_utf8(digits).ok()?.parse().ok()
    }

    fn key(&self, rest: &[u8]) -> Vec<u8> {
        [&self.prefix[..], rest].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::store::BOUND;

    #[test]
    fn a_prefix_that_begins_with_another_one_has_other_keys() {
        let (short, long) = (Keys::new("con"), Keys::new("conf/"));
        assert_eq!(short.head(), Keys::new("con/").head());
        let (first, end) = short.files();
        let others = [long.head(), long.leader(), long.file(b"a"), long.contents(1)];
        assert!(others.iter().all(|key| !(first <= *key && *key < end)));
    }

    #[test]
    fn keys_are_in_the_order_of_names_and_versions_and_are_read_back() {
        let keys = Keys::new("t/");
        let (first, end) = keys.files();
        for name in ["!", "a/b", "~"] {
            let key = keys.file(name.as_bytes());
            assert!(first < key && key < end);
            assert_eq!(keys.name(&key), Some(name.as_bytes()));
        }
        let (first, end) = keys.removals();
        let versions = [1, 9, 10, BOUND - 1];
        let removals = versions.map(|version| keys.removal(version));
        assert!(removals.is_sorted() && first < removals[0] && removals[3] < end);
        assert_eq!(removals.map(|key| keys.version(&key)), versions.map(Some));
        assert_eq!(keys.removal(7), b"t/d/0000000000000000007");
        for odd in [
            &b"t/d/7"[..],
            b"t/d/000000000000000000x",
            b"t/d/+000000000000000007",
            b"u/d/0000000000000000007",
            b"t/d/",
        ] {
            assert_eq!(keys.version(odd), None);
        }
        let others = [keys.leader(), keys.head(), keys.contents(1)];
        assert!(others.iter().all(|key| keys.name(key).is_none() && keys.version(key).is_none()));
    }
}
