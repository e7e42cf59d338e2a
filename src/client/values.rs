//! The answers to a client's requests, as owned values.

use crate::contents::Contents;
use crate::exptime::Exptime;
use crate::version::{Epoch, Version};
use std::time::Duration;

/// The server's reply to `hello`.
pub(super) struct Hello {
    pub(super) epoch: Epoch,
    pub(super) version: Version,
    pub(super) idle_timeout: Option<Duration>,
}

/// A file at one version.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Snapshot {
    /// The whole contents. Clones share the bytes.
    pub contents: Contents,
    /// The version to pass to [`Client::cas`](super::Client::cas).
    pub version: Version,
    /// The remaining lifetime.
    pub exptime: Exptime,
}

/// Everything about a file except its contents.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stat {
    /// The version of the file's latest change.
    pub version: Version,
    /// The length of its contents, as far as it is known without running the type's code.
    pub numbytes: u64,
    /// The remaining lifetime.
    pub exptime: Exptime,
    /// Its type; `type` is a keyword.
    pub kind: String,
    /// How many times it is open, over all clients.
    pub opens: u64,
}

/// A page of a list: files in byte order of their names, at one version of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Page {
    /// The version of the server's table. A watch from it misses nothing; with several pages, watch
    /// from the first page's.
    pub version: Version,
    /// The files.
    pub files: Vec<Listed>,
    /// Whether there are more, after the name of the last one.
    pub more: bool,
}

/// A file of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Listed {
    /// Its name.
    pub name: String,
    /// The version of the file's latest change.
    pub version: Version,
    /// The length of its contents, as far as it is known without running a type's code.
    pub numbytes: u64,
    /// The remaining lifetime.
    pub exptime: Exptime,
}

/// A session of folder synchronisation: the files below `s/<id>/`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Session {
    /// The secret by which clients share it: 32 hex digits.
    pub id: String,
    /// The version of the server's table. A watch from it misses nothing.
    pub version: Version,
    /// Whether the server has just made it.
    pub is_new: bool,
}

/// What has changed: the latest state of each name, in the order of versions.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Changes {
    /// The version to continue the watch from.
    pub version: Version,
    /// The changes. Empty if nothing changed in time.
    pub changes: Vec<Change>,
}

/// The state of a name after its latest change.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Change {
    /// The name.
    pub name: String,
    /// The version of the change.
    pub version: Version,
    /// The length of the contents, as far as it is known without running a type's code. `None` if
    /// the name no longer has a file.
    pub numbytes: Option<u64>,
}

/// The answer to a request of a [`Pipeline`](super::Pipeline).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Answer {
    /// To a read.
    Snapshot(Snapshot),
    /// To a write or cas: the new version; to a touch: the version.
    Version(Version),
    /// To a stat.
    Stat(Stat),
    /// To a delete.
    Done,
}
