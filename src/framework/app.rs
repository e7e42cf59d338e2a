//! What the user of the framework writes, and what can be set.

use super::{Connection, OwnedMessage};
use std::error::Error;

/// The largest payload that is read, if nothing else is said.
pub const DEFAULT_MAX_MESSAGE_BYTES: u32 = 16 << 20;

/// The stack of each thread that calls the application, if nothing else is said: that of std.
pub const DEFAULT_STACK_BYTES: usize = 2 << 20;

/// How many clients at once, if nothing else is said.
pub const DEFAULT_CONNECTIONS: usize = 4096;

/// An application: what happens when clients come, say something and go.
///
/// A [`Server`](super::Server) makes one value for each of its workers. A worker has its own
/// connections, and its callbacks come one after the other, so an application needs no lock for its
/// own state; but a callback that takes long holds up all clients of its worker.
///
/// The callbacks of a worker come from several threads: mostly the one that has read the message
/// makes the call. What belongs to a worker belongs into its value, and not into a `thread_local!`.
///
/// A callback that panics is logged. It ends neither its worker nor the connection, which goes on
/// with the next message.
pub trait ServerApp: Sized + Send + 'static {
    /// What each worker gets a clone of.
    type Context: Clone + Send + 'static;

    /// Makes the value, on its worker's thread, before the first client is let in.
    ///
    /// # Errors
    /// Whatever keeps it from working; a panic counts as one.
    /// [`Server::start`](super::Server::start) fails then.
    fn new(context: Self::Context) -> Result<Self, Box<dyn Error + Send + Sync>>;

    /// Called when a client has come, before anything is read from it. False, or a panic, refuses
    /// it: what was sent to it here is delivered, then it sees the end of the stream, and no other
    /// callback follows.
    fn on_client_connect(&mut self, client: &Connection) -> bool {
        let _ = client;
        true
    }

    /// Called once when a connection has ended, in order or by an error, after all that had come
    /// over it. A client that has ended its sending side alone still gets what is sent here.
    ///
    /// Not called for an end from this side: [`Connection::shutdown`], a refusal, the stop of the
    /// server.
    fn on_client_disconnect(&mut self, client: &Connection) {
        let _ = client;
    }

    /// Called for each message, in the order in which its client has sent it.
    fn on_message(&mut self, message: OwnedMessage);
}

/// How to serve an application.
#[must_use]
pub struct Config<A: ServerApp> {
    pub(super) context: A::Context,
    pub(super) addr: String,
    pub(super) workers: usize,
    pub(super) connections: usize,
    pub(super) max_message_bytes: u32,
    pub(super) stack_bytes: usize,
}

impl<A: ServerApp> Config<A> {
    /// One worker on `127.0.0.1:54314`, with a clone of `context`.
    pub fn new(context: A::Context) -> Self {
        Config {
            context,
            addr: "127.0.0.1:54314".to_string(),
            workers: 1,
            connections: DEFAULT_CONNECTIONS,
            max_message_bytes: DEFAULT_MAX_MESSAGE_BYTES,
            stack_bytes: DEFAULT_STACK_BYTES,
        }
    }

    /// Where to listen: `HOST:PORT`, where port 0 takes a free one, or `unix:PATH`. A name stands
    /// for all its addresses.
    pub fn addr(mut self, addr: impl Into<String>) -> Self {
        self.addr = addr.into();
        self
    }

    /// How many workers, at least one. A connection belongs to one of them, at first to that with
    /// the fewest.
    pub fn workers(mut self, workers: usize) -> Self {
        self.workers = workers.max(1);
        self
    }

    /// How many clients may be connected at once; one more is closed without a word.
    pub fn connections(mut self, max: usize) -> Self {
        self.connections = max;
        self
    }

    /// Sets the largest payload in bytes. A client that announces a larger one is disconnected, and
    /// the reason logged. No memory is taken for a payload that is only announced.
    pub fn max_message_bytes(mut self, bytes: u32) -> Self {
        self.max_message_bytes = bytes;
        self
    }

    /// Sets the stack of each thread that calls the application: one for each worker, and one for
    /// each connection. It is address space; memory is taken as callbacks use it.
    pub fn stack_bytes(mut self, bytes: usize) -> Self {
        self.stack_bytes = bytes;
        self
    }
}
