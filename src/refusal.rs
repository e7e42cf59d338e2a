//! Why a request was not done: one variant for each fate, one reply line each. A common word:
//! imports nothing of this crate but the name.

use crate::name::Name;

/// A request that was refused. Nothing changed because of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// `ERR_CMD_ERR`: malformed, but where it ends is known, so the next request can be found.
    Malformed,
    /// `ERR_CMD_ERR`: malformed, and nobody knows where the next request begins.
    OutOfStep,
    /// `ERR_FILE_NOT_FOUND`
    NotFound,
    /// `ERR_VERSION <current>`: the file is at this version; 0 is absent.
    Version(u64),
    /// `ERR_COMPACTED <rev>`: what was deleted since the asked version is no longer known, or that
    /// version is of another table. The table's version now is `rev`: list again, watch from there.
    Compacted(u64),
    /// `ERR_BAD_FD`: a descriptor that this connection has not opened.
    BadDescriptor,
    /// `ERR_TYPE <its type>`: the file is of another type.
    WrongType(Name),
    /// `ERR_TYPE_NOT_FOUND`: this server has no such type.
    TypeNotFound,
    /// `ERR_DENIED`: no token was given yet, or the file's type does not do this.
    Denied,
    /// `ERR_DENIED`: the token is not the server's.
    WrongToken,
    /// `ERR_LIMIT <what> <maximum>`
    Limit(Limit, u64),
    /// `ERR_INTERNAL`: the server's fault.
    Internal,
}

/// What a limit is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// Bytes of one file.
    Contents,
    /// Bytes of all files in memory.
    Memory,
    /// Bytes of the folder that keeps all files.
    Data,
    /// Clients at once.
    Connections,
    /// Opens of one connection.
    Descriptors,
}

impl Limit {
    /// All of them.
    pub const ALL: [Limit; 5] =
        [Limit::Contents, Limit::Memory, Limit::Data, Limit::Connections, Limit::Descriptors];

    /// As it stands in a reply, and in `stats`.
    pub fn word(self) -> &'static str {
        match self {
            Limit::Contents => "contents",
            Limit::Memory => "memory",
            Limit::Data => "data",
            Limit::Connections => "connections",
            Limit::Descriptors => "descriptors",
        }
    }
}

impl Refusal {
    /// The first word of the reply.
    pub fn word(&self) -> &'static str {
        match self {
            Refusal::Malformed | Refusal::OutOfStep => "ERR_CMD_ERR",
            Refusal::NotFound => "ERR_FILE_NOT_FOUND",
            Refusal::Version(_) => "ERR_VERSION",
            Refusal::Compacted(_) => "ERR_COMPACTED",
            Refusal::BadDescriptor => "ERR_BAD_FD",
            Refusal::WrongType(_) => "ERR_TYPE",
            Refusal::TypeNotFound => "ERR_TYPE_NOT_FOUND",
            Refusal::Denied | Refusal::WrongToken => "ERR_DENIED",
            Refusal::Limit(..) => "ERR_LIMIT",
            Refusal::Internal => "ERR_INTERNAL",
        }
    }

    /// Whether the connection ends after this reply.
    pub fn closes(&self) -> bool {
        matches!(
            self,
            Refusal::OutOfStep | Refusal::WrongToken | Refusal::Limit(Limit::Connections, _)
        )
    }
}
