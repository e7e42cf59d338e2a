//! What a client gets for its requests, as values of its own.

use crate::contents::Contents;
use crate::exptime::Exptime;
use std::time::Duration;

/// What a server says of itself.
pub(super) struct Hello {
    pub(super) epoch: u64,
    pub(super) rev: u64,
    pub(super) idle_timeout: Option<Duration>,
}

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

/// A page of a list: files in byte order of their names, as they were at one version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// The version of the server's table. A watch from it misses nothing; of several pages, one
    /// from that of the first.
    pub rev: u64,
    /// The files.
    pub files: Vec<Listed>,
    /// Whether there are more. They come behind the name of the last one.
    pub more: bool,
}

/// A file of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub name: String,
    /// The change that made the file what it is.
    pub version: u64,
    /// The length of its contents, as far as it is known without a type's code.
    pub numbytes: u64,
    /// How much longer it lives.
    pub exptime: Exptime,
}

/// What has changed: of each name the latest state, in the order of versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changes {
    /// Watch on from here.
    pub rev: u64,
    /// Empty if nothing has changed in time.
    pub changes: Vec<Change>,
}

/// The state of a name after its latest change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The name.
    pub name: String,
    /// What the change took.
    pub version: u64,
    /// The length of the contents, as far as it is known without a type's code. `None` if the name
    /// has no file any more.
    pub numbytes: Option<u64>,
}

/// What a request of a [`Pipeline`](super::Pipeline) is answered.
#[derive(Clone, Debug)]
pub enum Answer {
    /// To a read.
    Snapshot(Snapshot),
    /// To a write or cas: the new version; to a touch: the version.
    Version(u64),
    /// To a stat.
    Stat(Stat),
    /// To a delete.
    Done,
}
