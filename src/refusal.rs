//! Why a request was refused: one variant and one reply line for each case. A common module:
//! imports only the name and the version from this crate.

use crate::name::{ForLog, Name};
use crate::version::Version;
use std::error;
use std::fmt;

/// A refused request. It changed nothing, unless it is [`Internal`](Refusal::Internal).
///
/// ```
/// use telefile::{Refusal, Version};
///
/// assert_eq!(Refusal::Version(Version(7)).to_string(), "the file is at version 7");
/// assert_eq!(Refusal::Version(Version(7)).word(), "ERR_VERSION");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// `ERR_CMD_ERR`: malformed, but with a known end, so the next request can be found.
    Malformed,
    /// `ERR_CMD_ERR`: malformed, and the beginning of the next request is unknown.
    OutOfStep,
    /// `ERR_FILE_NOT_FOUND`
    NotFound,
    /// `ERR_VERSION <current>`: the file is at this version; 0 means absent.
    Version(Version),
    /// `ERR_COMPACTED <rev>`: deletions since the requested version are no longer known, or that
    /// version is of another table. The table's version now is `rev`: list again, watch from there.
    Compacted(Version),
    /// `ERR_BAD_FD`: a descriptor that this connection has not opened.
    BadDescriptor,
    /// `ERR_TYPE <its type>`: the file is of another type.
    WrongType(Name),
    /// `ERR_TYPE_NOT_FOUND`: this server has no such type.
    TypeNotFound,
    /// `ERR_DENIED`: no token was given yet, or the file's type does not allow this, or the server
    /// allows no backup here.
    Denied,
    /// `ERR_DENIED`: the token is not the server's.
    WrongToken,
    /// `ERR_LIMIT <what> <maximum>`
    Limit(Limit, u64),
    /// `ERR_INTERNAL`: an error inside the server or a file type. The file may have changed.
    Internal,
}

/// The first words of the replies that refuse something.
pub(crate) const WORDS: [&str; 10] = [
    "ERR_CMD_ERR",
    "ERR_FILE_NOT_FOUND",
    "ERR_VERSION",
    "ERR_COMPACTED",
    "ERR_BAD_FD",
    "ERR_TYPE",
    "ERR_TYPE_NOT_FOUND",
    "ERR_DENIED",
    "ERR_LIMIT",
    "ERR_INTERNAL",
];

/// What a limit applies to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Limit {
    /// Bytes of one file.
    Contents,
    /// Bytes of all files in memory.
    Memory,
    /// Bytes of the folder that keeps all files.
    Data,
    /// Simultaneous clients.
    Connections,
    /// Opens of one connection.
    Descriptors,
    /// Backups at the same time.
    Backups,
}

impl Limit {
    /// All variants.
    pub const ALL: &'static [Limit] = &[
        Limit::Contents,
        Limit::Memory,
        Limit::Data,
        Limit::Connections,
        Limit::Descriptors,
        Limit::Backups,
    ];

    /// Returns the limit's name in a reply, and in `stats`.
    pub fn word(self) -> &'static str {
        match self {
            Limit::Contents => "contents",
            Limit::Memory => "memory",
            Limit::Data => "data",
            Limit::Connections => "connections",
            Limit::Descriptors => "descriptors",
            Limit::Backups => "backups",
        }
    }
}

impl Refusal {
    /// Returns the first word of the reply.
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

    /// Explains to people why the request about `file`, a name or a prefix, was refused.
    pub(crate) fn explain(&self, f: &mut fmt::Formatter<'_>, file: Option<&str>) -> fmt::Result {
        let of_file = file.is_some();
        let file = match file {
            None => "the file".to_string(),
            Some("") => "all files".to_string(),
            Some(file) => ForLog(file).to_string(),
        };
        match self {
            Refusal::Version(Version::ABSENT) | Refusal::NotFound => {
                write!(f, "{file} does not exist")
            }
            Refusal::Version(current) => write!(f, "{file} is at version {current}"),
            Refusal::Compacted(rev) => write!(
                f,
                "{file}: the changes since that version are not known, or it is of another table; \
                 the version is {rev} now, list again"
            ),
            Refusal::WrongType(kind) => {
                write!(f, "{file} is of type {}", kind.as_name_ref().for_log())
            }
            Refusal::TypeNotFound => write!(f, "{file}: the server has no such type"),
            Refusal::BadDescriptor => write!(f, "{file} is not open here"),
            Refusal::Denied if !of_file => f.write_str("the server does not permit that"),
            Refusal::Denied => write!(f, "{file}: the file's type does not permit that"),
            Refusal::WrongToken => {
                f.write_str("the server requires a token, and did not get the right one")
            }
            Refusal::Limit(Limit::Connections, max) => {
                write!(f, "the server has {max} connections and takes no more")
            }
            Refusal::Limit(Limit::Contents, max) => {
                write!(f, "{file}: the server takes at most {max} bytes for a file")
            }
            Refusal::Limit(Limit::Memory, max) => {
                write!(f, "{file}: the server's {max} bytes of memory for that are in use")
            }
            Refusal::Limit(Limit::Data, max) => {
                write!(
                    f,
                    "{file}: the server's disk or etcd is full, or {max} bytes of it are in use"
                )
            }
            Refusal::Limit(Limit::Descriptors, max) => {
                write!(f, "{file}: {max} files are open here, which is the most")
            }
            Refusal::Limit(Limit::Backups, max) => {
                write!(f, "the server makes at most {max} backup at a time")
            }
            Refusal::Malformed | Refusal::OutOfStep => {
                write!(f, "{file}: the server does not understand the request")
            }
            Refusal::Internal => write!(f, "{file}: the server failed, and its log says why"),
        }
    }

    /// Returns whether the connection ends after this reply.
    pub fn closes(&self) -> bool {
        matches!(
            self,
            Refusal::OutOfStep | Refusal::WrongToken | Refusal::Limit(Limit::Connections, _)
        )
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.explain(f, None)
    }
}

impl error::Error for Refusal {}

#[cfg(test)]
mod tests {
    use super::*;

    struct About<'a>(&'a Refusal, Option<&'a str>);

    impl fmt::Display for About<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            self.0.explain(f, self.1)
        }
    }

    #[test]
    fn a_message_names_the_file_and_no_secret() {
        let secret = format!("s/{}/e", "0123456789abcdef".repeat(2));
        let limits = Limit::ALL.iter().map(|limit| Refusal::Limit(*limit, 10));
        let others = [
            Refusal::Malformed,
            Refusal::OutOfStep,
            Refusal::NotFound,
            Refusal::Version(Version(0)),
            Refusal::Version(Version(8)),
            Refusal::Compacted(Version(8)),
            Refusal::BadDescriptor,
            Refusal::TypeNotFound,
            Refusal::Denied,
            Refusal::WrongToken,
            Refusal::Internal,
        ];
        for refusal in limits.chain(others) {
            assert!(WORDS.contains(&refusal.word()));
            let of_server = matches!(
                refusal,
                Refusal::WrongToken | Refusal::Limit(Limit::Connections | Limit::Backups, _)
            );
            for (file, shown) in
                [(None, "the file"), (Some(""), "all files"), (Some(&*secret), "s/01234567...")]
            {
                let of_server = of_server || (refusal == Refusal::Denied && file.is_none());
                let message = About(&refusal, file).to_string();
                assert_eq!(message.starts_with(shown), !of_server, "{message}");
                assert!(!message.contains("012345678"), "{message}");
            }
        }
    }
}
