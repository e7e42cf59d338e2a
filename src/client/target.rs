//! The file that a caller means: by its name, or one that the client has open.

use super::call::Subject;
use super::error::Error;
use super::file::OpenFile;
use super::transport::Transport;
use std::sync::{Arc, Mutex};

/// The file that a request is about: a name, or a file that the same client has open.
///
/// Anything that takes a `Target` takes a `&str` or a `&`[`OpenFile`].
#[derive(Clone, Copy, Debug)]
pub struct Target<'a>(Which<'a>);

#[derive(Clone, Copy, Debug)]
enum Which<'a> {
    Name(&'a str),
    Open(&'a OpenFile),
}

impl<'a> From<&'a str> for Target<'a> {
    fn from(name: &'a str) -> Self {
        Target(Which::Name(name))
    }
}

impl<'a> From<&'a String> for Target<'a> {
    fn from(name: &'a String) -> Self {
        Target(Which::Name(name))
    }
}

impl<'a> From<&'a OpenFile> for Target<'a> {
    fn from(file: &'a OpenFile) -> Self {
        Target(Which::Open(file))
    }
}

impl<'a> Target<'a> {
    /// Checks the target for a request of the client with this connection.
    pub(super) fn of(self, transport: &Arc<Mutex<Transport>>) -> Result<Subject<'a>, Error> {
        match self.0 {
            Which::Name(name) => Subject::named(name),
            // Descriptors are valid server-wide, but opens are counted for each connection.
            Which::Open(open) if !open.is_of(transport) => {
                Err(Error::Invalid(format!("{} is open at another client", open.name())))
            }
            Which::Open(open) => Ok(open.subject()),
        }
    }
}
