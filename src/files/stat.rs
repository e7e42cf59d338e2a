//! Metadata of a file, and totals over all files.

use crate::contents::Contents;
use crate::exptime::Exptime;

/// A file's metadata besides its name and its type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stat {
    /// The version of the file's latest change.
    pub version: u64,
    /// The length of the contents in bytes, as far as it is known without calling the type.
    pub numbytes: u64,
    /// The remaining lifetime.
    pub exptime: Exptime,
}

/// A file's contents and their metadata.
#[derive(Clone, Debug)]
pub(crate) struct Looked {
    pub(crate) stat: Stat,
    pub(crate) contents: Contents,
}

/// The table's counters, as `stats` reports them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Totals {
    /// The number of files.
    pub files: u64,
    /// The total size of all `MemoryFile`s, in bytes.
    pub bytes: u64,
    /// The number of sessions of folder synchronisation.
    pub sessions: u64,
    /// The total size of their files, in bytes.
    pub session_bytes: u64,
    /// The number of open files.
    pub descriptors: u64,
    /// The number of opens of these files.
    pub opens: u64,
    /// The number of waiting watches.
    pub watches: u64,
    /// How many watches and waits a change has woken.
    pub woken: u64,
    /// How many files ended because their time was over. A removal for which a disk has no room
    /// counts each time it is tried.
    pub expired: u64,
    /// The latest version.
    pub version: u64,
}
