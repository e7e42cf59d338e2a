//! An application's view of a client's connection, and of a message that came over it.

use super::channel::Channel;
use super::message::Message;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::net::SocketAddr;
use std::sync::Arc;

/// The connection of a client to a [`Server`](super::Server), as its [`ServerApp`](super::ServerApp)
/// sees it.
///
/// It can be kept, cloned, and used on any thread: a chat keeps all of them, and sends one client's
/// message to the others. Two are equal if they are the same connection, so it can be a key. A kept
/// one does nothing after the connection's end, but occupies its file descriptor until it is
/// dropped.
#[derive(Clone)]
pub struct Connection(pub(super) Arc<Channel>);

impl Connection {
    /// Queues `message` to be sent. This never waits for the client, however slow it is.
    ///
    /// Messages sent by callbacks are collected, so that they go out together: when the worker has
    /// nothing more to do, or after a millisecond; if one callback takes longer, within 10 ms. A
    /// message sent from another thread may go out at once.
    ///
    /// While more than 1 MiB waits to be sent, nothing is read from this client and none of its
    /// messages is delivered. More than 16 MiB may wait nevertheless, because other clients'
    /// callbacks send to it, or one callback sends more at once. The next `send` then ends the
    /// connection, which is logged and reported by
    /// [`on_client_disconnect`](super::ServerApp::on_client_disconnect). Messages sent after the
    /// connection's end are dropped.
    pub fn send(&self, message: Message) {
        self.0.send(message);
    }

    /// Ends the connection: sends what is queued, then the end of the stream.
    ///
    /// No further callback is called for this connection. Data that the client still sends is
    /// dropped until it ends its side too. If it does not within 5 s, or does not take a mebibyte of
    /// the waiting data within 5 s, it is cut off.
    pub fn shutdown(&self) {
        self.0.close();
    }

    /// Returns the client's address; `None` on a Unix socket, where clients have none.
    pub fn address(&self) -> Option<SocketAddr> {
        self.0.stream.peer()
    }
}

impl PartialEq for Connection {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Connection {}

impl Hash for Connection {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.0).hash(state);
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Connection({})", self.0.stream)
    }
}

/// A received message and its sender.
#[derive(Debug)]
pub struct OwnedMessage {
    /// The message.
    pub message: Message,
    /// The connection that sent it. The answer goes there.
    pub client: Connection,
}
