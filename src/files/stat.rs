//! Small words of the table: what is known of a file, and of all of them.

use crate::contents::Contents;
use crate::exptime::Exptime;

/// The number of an open file: the same for every client that has it open.
pub type Fd = u64;

/// What there is to know of a file but its name, its type and its contents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    /// The change that made the file what it is.
    pub version: u64,
    /// The length of the contents, as far as it is known without the type's code.
    pub numbytes: u64,
    /// What remains of its life.
    pub exptime: Exptime,
}

/// A file's contents, and what belongs to them.
#[derive(Clone, Debug)]
pub(crate) struct Looked {
    pub(crate) stat: Stat,
    pub(crate) contents: Contents,
}

/// What `stats` tells of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Totals {
    /// How many files there are.
    pub files: u64,
    /// The contents of all `MemoryFile`s, in bytes.
    pub bytes: u64,
    /// How many files are open.
    pub descriptors: u64,
    /// How many opens of them there are.
    pub opens: u64,
    /// How many watches wait.
    pub watches: u64,
    /// The latest version.
    pub version: u64,
}
