//! Why a connection has ended, for logs and for callers.

use std::error::Error;
use std::fmt;
use std::io::{self, ErrorKind};

/// Why a connection has ended: the first cause, if one leads to another.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EndReason {
    /// The peer ended it, between two messages.
    Peer,
    /// This side ended it: a `shutdown`, or the stop of the server.
    Shutdown,
    /// The peer announced a message larger than this side accepts.
    TooLarge {
        /// The message's id.
        id: u16,
        /// The length of its payload in bytes.
        size: u32,
        /// The most that this side accepts: see [`ClientConfig::max_message_bytes`] and
        /// [`ServerConfig::max_message_bytes`].
        ///
        /// [`ClientConfig::max_message_bytes`]: super::ClientConfig::max_message_bytes
        /// [`ServerConfig::max_message_bytes`]: super::ServerConfig::max_message_bytes
        max: u32,
    },
    /// An error ended it.
    Lost {
        /// The kind of the error. [`ErrorKind::UnexpectedEof`] is an end inside a message.
        kind: ErrorKind,
        /// The error as text.
        reason: String,
    },
}

impl EndReason {
    pub(super) fn lost(kind: ErrorKind, reason: impl Into<String>) -> Self {
        EndReason::Lost { kind, reason: reason.into() }
    }
}

impl Error for EndReason {}

impl From<io::Error> for EndReason {
    fn from(e: io::Error) -> Self {
        EndReason::lost(e.kind(), e.to_string())
    }
}

impl fmt::Display for EndReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EndReason::Peer => f.write_str("the peer ended it"),
            EndReason::Shutdown => f.write_str("this side ended it"),
            EndReason::TooLarge { id, size, max } => write!(
                f,
                "the peer announced message {id} with {size} bytes, and the limit is {max}: \
                 set max_message_bytes to take it"
            ),
            EndReason::Lost { reason, .. } => f.write_str(reason),
        }
    }
}
