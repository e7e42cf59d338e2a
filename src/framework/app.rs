//! The trait that an application implements, and the settings of its server.

use super::connection::{Connection, OwnedMessage};
use crate::net::Address;
use std::error::Error;
use std::fmt;
use std::net::Ipv4Addr;

/// The port of the default address, on loopback.
const DEFAULT_PORT: u16 = 54314;

/// The default for the largest payload that is read, in bytes.
pub const DEFAULT_MAX_MESSAGE_BYTES: u32 = 16 << 20;

/// The default stack of each thread that calls the application, in bytes: that of std.
pub const DEFAULT_STACK_BYTES: usize = 2 << 20;

/// The default for how many clients may be connected at once.
pub const DEFAULT_CONNECTIONS: usize = 4096;

/// An application: the callbacks for clients that connect, send a message and leave.
///
/// A [`Server`](super::Server) makes one value for each of its workers. A worker has its own
/// connections, and its callbacks run one at a time, so an application needs no lock for its own
/// state. A callback that takes long delays all clients of its worker.
///
/// The callbacks of a worker run on several threads, usually on the one that has read the message.
/// Keep a worker's state in its value, not in a `thread_local!`.
///
/// A panic in a callback is logged. It ends neither the worker nor the connection, which goes on
/// with the next message.
pub trait ServerApp: Sized + Send + 'static {
    /// Passed to each worker as a clone.
    type Context: Clone + Send + 'static;

    /// Makes the value, on its worker's thread, before the first client is accepted.
    ///
    /// # Errors
    /// Whatever prevents the application from working. A panic counts as an error.
    /// [`Server::spawn`](super::Server::spawn) fails then.
    fn new(context: Self::Context) -> Result<Self, Box<dyn Error + Send + Sync>>;

    /// Called when a client has connected, before anything is read from it. False, or a panic,
    /// refuses the client: it gets the messages sent to it here and the end of the stream, and no
    /// other callback follows.
    fn on_client_connect(&mut self, client: &Connection) -> bool {
        let _ = client;
        true
    }

    /// Called once when a connection has ended, normally or by an error, after all messages
    /// received over it. A client that has ended only its sending side still gets the messages sent
    /// to it here.
    ///
    /// Not called if this side ended the connection: [`Connection::shutdown`], a refusal, or the
    /// server's stop.
    fn on_client_disconnect(&mut self, client: &Connection) {
        let _ = client;
    }

    /// Called for each message, in the order in which its client sent them.
    fn on_message(&mut self, message: OwnedMessage);
}

/// The settings of a server and its application.
#[must_use]
pub struct ServerConfig<A: ServerApp> {
    pub(super) context: A::Context,
    listen: Vec<Address>,
    pub(super) workers: usize,
    pub(super) connections: usize,
    pub(super) max_message_bytes: u32,
    pub(super) stack_bytes: usize,
}

impl<A: ServerApp> ServerConfig<A> {
    /// Returns the defaults: one worker on `127.0.0.1:54314`, with a clone of `context`.
    pub fn new(context: A::Context) -> Self {
        ServerConfig {
            context,
            listen: Vec::new(),
            workers: 1,
            connections: DEFAULT_CONNECTIONS,
            max_message_bytes: DEFAULT_MAX_MESSAGE_BYTES,
            stack_bytes: DEFAULT_STACK_BYTES,
        }
    }

    /// Adds an address to listen on; the default is `127.0.0.1:54314`. A name stands for all its
    /// addresses. If the port is 0, the system chooses one for each address.
    pub fn listen(mut self, address: Address) -> Self {
        self.listen.push(address);
        self
    }

    /// Sets the number of workers, at least one. A connection belongs to one of them: the one with
    /// the fewest connections when it begins.
    pub fn workers(mut self, workers: usize) -> Self {
        self.workers = workers.max(1);
        self
    }

    /// Sets how many clients may be connected at once; any further one is closed without a reply.
    pub fn connections(mut self, max: usize) -> Self {
        self.connections = max;
        self
    }

    /// Sets the largest payload in bytes. A client that announces a larger one is disconnected, and
    /// the reason is logged. The announcement alone allocates no memory.
    pub fn max_message_bytes(mut self, bytes: u32) -> Self {
        self.max_message_bytes = bytes;
        self
    }

    /// Sets the stack of each thread that calls the application: one for each worker, and one for
    /// each connection. This reserves address space, and memory only as callbacks use it.
    pub fn stack_bytes(mut self, bytes: usize) -> Self {
        self.stack_bytes = bytes;
        self
    }
}

impl<A: ServerApp> ServerConfig<A> {
    /// Returns the addresses to listen on.
    pub(super) fn addresses(&self) -> Vec<Address> {
        match self.listen.is_empty() {
            true => vec![Address::Tcp((Ipv4Addr::LOCALHOST, DEFAULT_PORT).into())],
            false => self.listen.clone(),
        }
    }
}

impl<A: ServerApp> fmt::Debug for ServerConfig<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerConfig")
            .field("listen", &self.listen)
            .field("workers", &self.workers)
            .field("connections", &self.connections)
            .field("max_message_bytes", &self.max_message_bytes)
            .field("stack_bytes", &self.stack_bytes)
            .finish_non_exhaustive()
    }
}
