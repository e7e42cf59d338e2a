//! Why a round, or one path of it, did not succeed.

use super::path::{MARKER, RelPath};
use crate::client;
use std::error;
use std::fmt;
use std::io;
use std::path::Path;

/// Why a path cannot be pulled to a disk that takes two names for one.
pub(super) const OTHER_NAME: &str = "on this disk this is another name of what is there";

/// Why folder synchronisation does not go on.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The server: it cannot be reached, the connection is lost, or it refused.
    Server(client::Error),
    /// A system call on this machine failed, about what the text names.
    System(String, io::Error),
    /// The settings do not fit what is found: another id, an unknown one, a nested folder, a folder
    /// that another process synchronises. Says what to do.
    Refused(String),
    /// A guard rail: the folder or the server has lost so much that this is more likely a mistake.
    /// Nothing was deleted.
    Guard(String),
    /// This system lacks a call without which no folder is safe.
    Unsupported(String),
    /// It was asked to stop.
    Stopped,
}

impl Error {
    /// An error about a path of the folder.
    pub(super) fn at(path: &RelPath) -> impl FnOnce(io::Error) -> Error {
        let what = path.to_string();
        move |e| Error::System(what, e)
    }

    /// An error about something else.
    pub(super) fn about(what: impl fmt::Display) -> impl FnOnce(io::Error) -> Error {
        move |e| Error::System(what.to_string(), e)
    }

    /// An error about something in the marker.
    pub(super) fn of_marker(name: &str) -> impl FnOnce(io::Error) -> Error {
        Error::about(format!("{MARKER}/{name}"))
    }

    /// An error about a file outside the folder.
    pub(super) fn of(path: &Path) -> impl FnOnce(io::Error) -> Error {
        Error::about(path.display())
    }

    /// The same about a name in `folder`.
    pub(super) fn below(self, folder: &Path) -> Error {
        match self {
            Error::System(what, e) => Error::System(format!("{}: {what}", folder.display()), e),
            e => e,
        }
    }

    /// Returns whether this concerns one path alone, so that the round goes on without it.
    pub(super) fn is_of_one_path(&self) -> bool {
        match self {
            // A disk without room refuses every path.
            Error::System(_, e) => !is_full(e),
            Error::Server(e) => e.refusal().is_some(),
            _ => false,
        }
    }

    /// Returns whether there is no connection, or it was lost.
    pub(super) fn is_of_connection(&self) -> bool {
        matches!(self, Error::Server(client::Error::Connect(_) | client::Error::Lost(_)))
    }

    /// Returns whether there is no server, or none that has room.
    pub(super) fn is_without_server(&self) -> bool {
        matches!(self, Error::Server(e) if e.is_retryable())
    }

    /// Returns whether a later round may succeed where this one did not: the connection was lost, the
    /// disk is full, or somebody removes a part of the marker, which is made again.
    pub(super) fn may_pass(&self) -> bool {
        match self {
            Error::Server(e) => e.refusal().is_none(),
            Error::System(what, e) if is_gone(e) => {
                what.strip_prefix(MARKER).is_some_and(|name| name.starts_with('/'))
            }
            e => e.is_of_full_disk(),
        }
    }

    /// Returns whether the disk has no room.
    pub(super) fn is_of_full_disk(&self) -> bool {
        matches!(self, Error::System(_, e) if is_full(e))
    }
}

/// Returns whether a disk has no room.
pub(super) fn is_full(e: &io::Error) -> bool {
    matches!(e.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// Returns whether there is nothing at a path.
pub(super) fn is_gone(e: &io::Error) -> bool {
    matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// What an error concerns.
pub(super) enum Failure {
    /// One path alone.
    Path(Error),
    /// Everything that the round would have done.
    Round(Error),
}

impl From<Error> for Failure {
    fn from(e: Error) -> Self {
        if e.is_of_one_path() { Failure::Path(e) } else { Failure::Round(e) }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Server(e) => e.fmt(f),
            Error::System(what, e) => write!(f, "{what}: {e}"),
            Error::Refused(why) | Error::Guard(why) | Error::Unsupported(why) => f.write_str(why),
            Error::Stopped => f.write_str("stopped"),
        }
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Error::Server(e) => Some(e),
            Error::System(_, e) => Some(e),
            _ => None,
        }
    }
}

impl From<client::Error> for Error {
    fn from(e: client::Error) -> Self {
        Error::Server(e)
    }
}
