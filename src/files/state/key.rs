//! What a change refers to: a name, or an open file without one.

use crate::name::{Fd, FileRef, Name};
use std::fmt;
use std::hash::{Hash, Hasher};

/// A name, whether there is a file or not, or an open file that has no name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::files) enum Key {
    Name(Name),
    Open(Fd),
}

impl Key {
    pub(in crate::files) fn of(file: FileRef<'_>) -> Self {
        match file {
            FileRef::Name(name) => Key::Name(name.to_name()),
            FileRef::Descriptor(fd) => Key::Open(fd),
        }
    }

    pub(in crate::files) fn as_ref(&self) -> FileRef<'_> {
        match self {
            Key::Name(name) => FileRef::Name(name.as_name_ref()),
            Key::Open(fd) => FileRef::Descriptor(*fd),
        }
    }
}

/// As logs show it.
impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Key::Name(name) => name.as_name_ref().for_log().fmt(f),
            Key::Open(fd) => write!(f, "@{fd}"),
        }
    }
}

/// As a [`FileRef`], which finds a `Key` in a map.
impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_ref().hash(state);
    }
}

impl hashbrown::Equivalent<Key> for FileRef<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        *self == key.as_ref()
    }
}
