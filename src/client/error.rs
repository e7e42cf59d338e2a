//! A client's errors: one variant for each case that a program may want to handle separately.

use crate::name::ForLog;
use crate::refusal::{Limit, Refusal};
use std::error;
use std::fmt;
use std::io;

/// Why a client did not get what it asked for.
///
/// ```
/// use telefile::{Refusal, Version, client::Error};
///
/// let error = Error::Refused { file: Some("lock/db".into()), refusal: Refusal::Version(Version(7)) };
/// assert_eq!(error.to_string(), "lock/db is at version 7");
/// assert_eq!(error.refusal(), Some(&Refusal::Version(Version(7))));
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The connection could not be made, or the server's hello did not come in time. No request was
    /// sent, so it is safe to try again.
    Connect(io::Error),
    /// A thread that the call needs could not be started. No request was sent.
    Thread(io::Error),
    /// The connection is lost: it ended, or a reply did not come in time. A request without an
    /// answer may have been executed or not, so none is ever repeated automatically. Every later
    /// call of this client and of its open files fails in this way too.
    Lost(io::Error),
    /// The new connection is to another table: the server was restarted without its files, or with
    /// those of a backup, and known versions mean nothing there. No request was sent.
    OtherTable,
    /// The server refused. Nothing changed, except perhaps with [`Refusal::Internal`].
    Refused {
        /// The name of the file that the request was about, if it was about one.
        file: Option<String>,
        /// The reply.
        refusal: Refusal,
    },
    /// The contents are larger than [the client accepts](super::Builder::max_contents). The
    /// connection remains usable: the next call skips them first, and is [`Error::Lost`] if that
    /// takes longer than one time-out.
    TooLarge {
        /// The file's name.
        file: String,
        /// How many bytes the server announced.
        numbytes: u64,
        /// The client's maximum.
        max: u64,
    },
    /// The request cannot be encoded: its name is invalid, for example. Nothing was sent.
    Invalid(String),
    /// The reply does not answer the request. The connection was closed; every later call fails
    /// with [`Error::Lost`].
    Protocol(String),
}

impl Error {
    /// Returns the server's refusal, if this error is one.
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Error::Refused { refusal, .. } => Some(refusal),
            _ => None,
        }
    }

    /// Returns whether the same call may be repeated as it is: the request was not executed, and
    /// the cause may pass.
    ///
    /// True for [`Error::Connect`] and [`Error::Thread`], and for a server that is
    /// [full](Refusal::Limit): at its limit of connections, memory, data, opens or backups. The limit of one
    /// file's contents does not pass.
    ///
    /// False for [`Error::Lost`], because the request may have been executed. Reading again on a
    /// [new connection](super::Client::reconnect) is safe nevertheless. A change is safe to repeat
    /// if it names the version that it replaces: [`cas`](super::Client::cas) makes it at most once,
    /// and a refused repetition shows the file's current version. Also false for every refusal that
    /// the same request would meet again.
    ///
    /// ```
    /// # let socket = format!("telefile-retry-{}", std::process::id());
    /// # let address = format!("unix:{}", std::env::temp_dir().join(socket).display());
    /// use std::time::Duration;
    /// use telefile::Version;
    /// use telefile::client::{Client, Error};
    ///
    /// /// Connects as soon as there is a server.
    /// fn connect(address: &str) -> Result<Client, Error> {
    ///     loop {
    ///         match Client::connect(address) {
    ///             Err(e) if e.is_retryable() => std::thread::sleep(Duration::from_millis(100)),
    ///             connected => return connected,
    ///         }
    ///     }
    /// }
    ///
    /// # assert!(Client::connect(&address).is_err_and(|e| e.is_retryable()));
    /// # let listen = address.parse()?;
    /// # let starting =
    /// #     std::thread::spawn(|| telefile::Server::builder().listen(listen).bind()?.spawn());
    /// let client = connect(&address)?; // also while the server is being started
    /// let version = client.cas("config", Version::ABSENT, "port = 80")?;
    ///
    /// // The state of a file does not change by waiting.
    /// let error = client.cas("config", Version::ABSENT, "port = 443").unwrap_err();
    /// assert!(!error.is_retryable());
    /// assert_eq!(error.to_string(), format!("config is at version {version}"));
    /// # drop(client);
    /// # starting.join().unwrap()?.stop()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn is_retryable(&self) -> bool {
        match self {
            Error::Connect(_) | Error::Thread(_) => true,
            Error::Refused { refusal: Refusal::Limit(limit, _), .. } => match limit {
                Limit::Connections
                | Limit::Memory
                | Limit::Data
                | Limit::Descriptors
                | Limit::Backups => true,
                Limit::Contents => false,
            },
            _ => false,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Connect(e) => write!(f, "no connection: {e}"),
            Error::Thread(e) => write!(f, "cannot start a thread: {e}"),
            Error::Lost(e) => write!(f, "the connection is lost: {e}"),
            Error::OtherTable => {
                f.write_str("the server has another table now, with other versions")
            }
            Error::Refused { file, refusal } => refusal.explain(f, file.as_deref()),
            Error::TooLarge { file, numbytes, max } => {
                let file = ForLog(file);
                write!(f, "{file} has {numbytes} bytes, more than the maximum of {max}")
            }
            Error::Invalid(why) => f.write_str(why),
            Error::Protocol(why) => write!(f, "not a telefile server's answer: {why}"),
        }
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Error::Connect(e) | Error::Thread(e) | Error::Lost(e) => Some(e),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::error::Error as _;

    #[test]
    fn an_error_of_the_system_is_the_source() {
        let e = || io::Error::from(io::ErrorKind::WouldBlock);
        for error in [Error::Connect(e()), Error::Thread(e()), Error::Lost(e())] {
            assert!(error.source().is_some(), "{error:?}");
        }
    }
}
