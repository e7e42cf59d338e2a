//! Why a call of a server or a client failed.

use super::end::EndReason;
use super::message::Message;
use std::error::Error;
use std::fmt;
use std::io;

/// Why a server did not start.
#[derive(Debug)]
#[non_exhaustive]
pub enum StartError {
    /// An address cannot be bound, or the system cannot start a thread.
    Io(io::Error),
    /// The error of [`ServerApp::new`](super::ServerApp::new), or that it panicked.
    App(Box<dyn Error + Send + Sync>),
}

impl From<io::Error> for StartError {
    fn from(e: io::Error) -> Self {
        StartError::Io(e)
    }
}

impl Error for StartError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            StartError::Io(e) => e.source(),
            StartError::App(e) => e.source(),
        }
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartError::Io(e) => e.fmt(f),
            StartError::App(e) => write!(f, "the application does not start: {e}"),
        }
    }
}

/// Why [`Server::stop`](super::Server::stop) failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StopError {
    /// The server has stopped, but the workers were not done in time: a callback has not returned.
    TimedOut,
    /// A callback of the server called it, and would have waited for itself.
    InCallback,
}

impl Error for StopError {}

impl fmt::Display for StopError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            StopError::TimedOut => "a callback has not returned in time, and was abandoned",
            StopError::InCallback => "a callback cannot stop its own server",
        })
    }
}

/// Why a call of a [`Client`](super::Client) failed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientError {
    /// The time-out has passed.
    Timeout,
    /// The connection has ended, from either side or by an error, for this reason.
    ConnectionReset(EndReason),
}

impl Error for ClientError {}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ClientError::Timeout => f.write_str("timed out"),
            ClientError::ConnectionReset(reason) => write!(f, "the connection has ended: {reason}"),
        }
    }
}

impl From<SendError> for ClientError {
    fn from(e: SendError) -> Self {
        ClientError::ConnectionReset(e.reason)
    }
}

/// A message could not be sent, because the connection has ended. The error returns the message.
///
/// ```
/// use telefile::framework::{Client, Message, SendError};
///
/// /// Sends over the first connection that has not ended.
/// fn send(message: Message, clients: &[Client]) -> Option<Message> {
///     clients.iter().try_fold(message, |message, client| match client.send(message) {
///         Ok(()) => Err(()),
///         Err(SendError { message, .. }) => Ok(message),
///     }).ok()
/// }
/// # assert_eq!(send(Message::new(1), &[]), Some(Message::new(1)));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SendError {
    /// The message that was not sent.
    pub message: Message,
    /// Why the connection has ended.
    pub reason: EndReason,
}

impl Error for SendError {}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the connection has ended: {}", self.reason)
    }
}
