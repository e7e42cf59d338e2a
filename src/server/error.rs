//! Why a server could not be bound.

use crate::net::Address;
use std::error::Error;
use std::fmt;
use std::io::{self, ErrorKind};
use std::path::PathBuf;

/// The reason why [`Builder::bind`](super::Builder::bind) has failed.
///
/// `?` turns it into an [`io::Error`] where a function returns one: of the kind
/// [`ErrorKind::InvalidInput`] for settings that do not fit together, and otherwise of the kind of
/// its cause.
///
/// ```
/// use telefile::{Server, server::BindError};
///
/// let error = Server::builder().listen("0.0.0.0:0".parse()?).bind().unwrap_err();
/// assert!(matches!(error, BindError::Exposed { .. }));
/// assert_eq!(error.to_string(), "0.0.0.0:0: other machines can reach it, and no token is set");
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum BindError {
    /// Other machines can reach an address, and there is neither a
    /// [token](super::Builder::token) nor [consent](super::Builder::insecure) to do without.
    Exposed {
        /// The address that was given, perhaps a name.
        given: Address,
        /// What other machines can reach: `given`, or an address that it resolves to.
        reachable: Address,
    },
    /// Other machines can reach the address of the [metrics](super::Builder::metrics), which no token
    /// protects, and there is no [consent](super::Builder::insecure) to that.
    MetricsExposed {
        /// The address that was given, perhaps a name.
        given: Address,
        /// What other machines can reach: `given`, or an address that it resolves to.
        reachable: Address,
    },
    /// The size of the data is limited, and there is no folder for it.
    NoDataFolder,
    /// There are both a folder for the data and a [store](super::Builder::store).
    TwoStores,
    /// A table in etcd excludes a folder for the data and a [store](super::Builder::store).
    #[cfg(feature = "etcd")]
    EtcdAndAnother,
    /// A file of a table in etcd has at most this many bytes.
    #[cfg(feature = "etcd")]
    MaxContentsTooLarge(u64),
    /// The other servers of a table in etcd cannot reach this address: it stands for all of this
    /// machine's, or has no port. [`advertise`](super::Builder::advertise) sets another one.
    #[cfg(feature = "etcd")]
    NotAdvertised(Address),
    /// The size of the data is limited to fewer bytes than this, the least.
    MaxDataTooSmall(u64),
    /// Two file types have the same name, or a name does not fit into a line.
    FileType(String),
    /// The file with the token cannot be read, or has no token in it.
    TokenFile(io::Error),
    /// The folder of text files is not a folder.
    Root(PathBuf),
    /// An address cannot be looked up, or not be listened on.
    Listen(io::Error),
    /// The system denies what every server needs: some memory, or a random number.
    System(io::Error),
    /// The folder of the data cannot be used, or what is in it or in the store; or etcd refuses this
    /// server.
    Data(io::Error),
}

impl BindError {
    fn cause(&self) -> Option<&io::Error> {
        match self {
            BindError::TokenFile(e)
            | BindError::Listen(e)
            | BindError::System(e)
            | BindError::Data(e) => Some(e),
            _ => None,
        }
    }
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BindError::Exposed { given, reachable } => {
                show_reachable(f, given, reachable)?;
                f.write_str(": other machines can reach it, and no token is set")
            }
            BindError::MetricsExposed { given, reachable } => {
                show_reachable(f, given, reachable)?;
                f.write_str(": other machines can read the metrics there, which no token protects")
            }
            BindError::NoDataFolder => {
                f.write_str("the size of the data is limited, and no folder for it is set")
            }
            BindError::TwoStores => {
                f.write_str("a folder for the data and a store exclude each other")
            }
            #[cfg(feature = "etcd")]
            BindError::EtcdAndAnother => {
                f.write_str("a table in etcd excludes a folder for the data and a store")
            }
            #[cfg(feature = "etcd")]
            BindError::MaxContentsTooLarge(most) => {
                write!(f, "a file in etcd has at most {} MiB", most >> 20)
            }
            #[cfg(feature = "etcd")]
            BindError::NotAdvertised(address) => {
                write!(f, "{address}: no other server can reach this one there")
            }
            BindError::MaxDataTooSmall(least) => {
                write!(f, "the data needs at least {} MiB", least >> 20)
            }
            BindError::FileType(why) => f.write_str(why),
            BindError::Root(folder) => write!(f, "{}: not a folder", folder.display()),
            BindError::TokenFile(e)
            | BindError::Listen(e)
            | BindError::System(e)
            | BindError::Data(e) => e.fmt(f),
        }
    }
}

/// Shows an address with the name that stands for it, if there is one.
fn show_reachable(f: &mut fmt::Formatter<'_>, given: &Address, is: &Address) -> fmt::Result {
    if let Address::Host(name) = given {
        write!(f, "{name} is ")?;
    }
    write!(f, "{is}")
}

/// The message of a cause is shown already, so its own cause is next.
impl Error for BindError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause().and_then(Error::source)
    }
}

impl From<BindError> for io::Error {
    fn from(error: BindError) -> Self {
        let kind = match (&error, error.cause()) {
            (_, Some(cause)) => cause.kind(),
            (BindError::Root(_), None) => ErrorKind::NotADirectory,
            _ => ErrorKind::InvalidInput,
        };
        io::Error::new(kind, error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_keeps_its_kind_and_its_message() {
        let cause = || io::Error::new(ErrorKind::AddrInUse, "127.0.0.1:80: address already in use");
        let error = io::Error::from(BindError::Listen(cause()));
        assert_eq!((error.kind(), error.to_string()), (cause().kind(), cause().to_string()));
        let error = io::Error::from(BindError::NoDataFolder);
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.downcast::<BindError>().is_ok());
    }

    #[test]
    fn a_name_is_shown_with_what_it_resolves_to() {
        let (given, reachable) = ("far:80".parse().unwrap(), "192.0.2.1:80".parse().unwrap());
        let error = BindError::Exposed { given, reachable };
        assert!(error.to_string().starts_with("far:80 is 192.0.2.1:80: "), "{error}");
    }
}
