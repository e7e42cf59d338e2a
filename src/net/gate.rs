//! Whether a connection may still send: something outside decides, and the stream only asks.

use std::fmt;
use std::io::{self, ErrorKind};

/// Is asked before each send of a [`BufferedStream`](super::BufferedStream) that has it. Once it is
/// closed it stays so.
pub trait Gate: fmt::Debug + Send + Sync {
    /// Returns whether bytes may be sent now.
    fn is_open(&self) -> bool;
}

/// The error of a send through a closed gate.
pub(super) fn closed() -> io::Error {
    io::Error::new(ErrorKind::ConnectionAborted, "this server may not answer any more")
}
