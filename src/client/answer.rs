//! What a client gets for its requests, as values of its own.

use crate::contents::Contents;
use crate::exptime::Exptime;

/// A file as it was at one version.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// All of it. Clones share the bytes.
    pub contents: Contents,
    /// What to give to [`Client::cas`](super::Client::cas).
    pub version: u64,
    /// How much longer it lives.
    pub exptime: Exptime,
}

/// What there is to know of a file but its contents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stat {
    /// The change that made the file what it is.
    pub version: u64,
    /// The length of its contents, as far as it is known without the type's code.
    pub numbytes: u64,
    /// How much longer it lives.
    pub exptime: Exptime,
    /// Its type.
    pub kind: String,
    /// How often it is open, at all clients together.
    pub opens: u64,
}

/// What a request of a [`Pipeline`](super::Pipeline) is answered.
#[derive(Clone, Debug)]
pub enum Answer {
    /// To a read.
    Snapshot(Snapshot),
    /// To a write or cas: the new version.
    Version(u64),
    /// To a stat.
    Stat(Stat),
    /// To a delete.
    Done,
}
