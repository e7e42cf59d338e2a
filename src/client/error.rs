//! What can go wrong for a client: one variant for each fate that a program may want to treat in
//! its own way.

use crate::name::NameRef;
use crate::refusal::{Limit, Refusal};
use std::error;
use std::fmt;
use std::io;

/// Why a client did not get what it asked for.
///
/// ```
/// use telefile::{Refusal, client::Error};
///
/// let error = Error::Refused { file: Some("lock/db".into()), refusal: Refusal::Version(7) };
/// assert_eq!(error.to_string(), "lock/db is at version 7");
/// assert_eq!(error.refusal(), Some(&Refusal::Version(7)));
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// No connection could be made. Nothing was asked, so it is safe to try again.
    Connect(io::Error),
    /// The connection is lost: it ended, or a reply did not come in time. Whatever was not
    /// answered may have been done or not, so nothing is ever asked again by itself. Every later
    /// call of this client and of its open files fails in this way too.
    Lost(io::Error),
    /// There is a new connection, but to another table: the server was started again without its
    /// files, or with those of a backup, and what was known of its files has no meaning any more. Nothing was asked.
    OtherTable,
    /// The server refused, and nothing changed.
    Refused {
        /// The name of the file that the request was about, if it was about one.
        file: Option<String>,
        /// The reply.
        refusal: Refusal,
    },
    /// The contents are more than [the client takes](super::Builder::max_contents). They are not
    /// fetched, and the connection goes on.
    TooLarge {
        /// The file's name.
        file: String,
        /// How many bytes the server announced.
        numbytes: u64,
        /// The client's maximum.
        max: u64,
    },
    /// The request cannot be written down: a name that is none, say. Nothing was sent.
    Invalid(String),
    /// What came is no answer to what was asked. The connection was closed; every later call fails
    /// with [`Error::Lost`].
    Protocol(String),
}

impl Error {
    /// The server's reply, if that is what went wrong.
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Error::Refused { refusal, .. } => Some(refusal),
            _ => None,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Connect(e) => write!(f, "no connection: {e}"),
            Error::Lost(e) => write!(f, "the connection is lost: {e}"),
            Error::OtherTable => f.write_str("the server has lost its files since"),
            Error::Refused { file, refusal } => refused(f, file.as_deref(), refusal),
            Error::TooLarge { file, numbytes, max } => {
                let file = shown(file);
                write!(f, "{file} has {numbytes} bytes, and {max} are the most that is taken")
            }
            Error::Invalid(why) => f.write_str(why),
            Error::Protocol(why) => write!(f, "not a telefile server's answer: {why}"),
        }
    }
}

fn refused(f: &mut fmt::Formatter<'_>, file: Option<&str>, refusal: &Refusal) -> fmt::Result {
    let file = file.map_or("the request".to_string(), shown);
    match refusal {
        Refusal::Version(0) | Refusal::NotFound => write!(f, "{file} does not exist"),
        Refusal::Version(current) => write!(f, "{file} is at version {current}"),
        Refusal::Compacted(rev) => {
            write!(f, "the changes since then are not known any more; the version is {rev} now")
        }
        Refusal::WrongType(kind) => write!(f, "{file} is of type {}", kind.as_ref()),
        Refusal::TypeNotFound => write!(f, "{file}: the server has no such type"),
        Refusal::BadDescriptor => write!(f, "{file} is not open here"),
        Refusal::Denied => write!(f, "{file}: denied"),
        Refusal::WrongToken => write!(f, "the server asks for a token, and not for this one"),
        Refusal::Limit(Limit::Connections, max) => {
            write!(f, "the server has {max} connections and takes no more")
        }
        Refusal::Limit(limit, max) => write!(f, "{file}: over the limit: {} {max}", limit.word()),
        Refusal::Malformed | Refusal::OutOfStep => write!(f, "{file}: malformed for this server"),
        Refusal::Internal => write!(f, "{file}: an error inside the server"),
    }
}

/// A name as logs and messages show it.
fn shown(file: &str) -> String {
    NameRef::new(file).map_or_else(|| file.escape_debug().to_string(), |name| name.to_string())
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Error::Connect(e) | Error::Lost(e) => Some(e),
            _ => None,
        }
    }
}
