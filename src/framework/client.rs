//! The client side: a connection, and a thread that reads it.

use super::app::DEFAULT_MAX_MESSAGE_BYTES;
use super::channel::{Channel, DRAIN};
use super::end::EndReason;
use super::error::{ClientError, SendError};
use super::inbox::Capacity;
use super::message::Message;
use crate::net::{Address, Stream};
use log::Level;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// Reading stops while this much waits for `recv`.
const INBOX: Capacity = Capacity { messages: usize::MAX, bytes: 16 << 20 };

const STACK_BYTES: usize = 256 << 10;

/// The settings of a [`Client`].
///
/// ```no_run
/// use telefile::framework::ClientConfig;
///
/// let client = ClientConfig::new().max_message_bytes(64 << 20).connect("127.0.0.1:54314")?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct ClientConfig {
    max_message_bytes: u32,
}

impl Default for ClientConfig {
    fn default() -> Self {
        ClientConfig { max_message_bytes: DEFAULT_MAX_MESSAGE_BYTES }
    }
}

impl ClientConfig {
    /// Returns settings for messages of up to 16 MiB.
    pub fn new() -> Self {
        ClientConfig::default()
    }

    /// Sets the largest payload in bytes. If the server announces a larger one, the connection ends
    /// with [`EndReason::TooLarge`]. The announcement alone allocates no memory.
    pub fn max_message_bytes(mut self, bytes: u32) -> Self {
        self.max_message_bytes = bytes;
        self
    }

    /// Connects to `HOST:PORT`, or to `unix:PATH`.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidInput`] for an invalid address, those of connect(2), and
    /// [`io::ErrorKind::WouldBlock`] if the system cannot start the receiving thread; each names
    /// the address.
    pub fn connect(&self, address: &str) -> io::Result<Client> {
        self.connect_to(&address.parse()?)
    }

    /// Connects to an address that is already parsed.
    ///
    /// # Errors
    /// As for [`connect`](ClientConfig::connect).
    pub fn connect_to(&self, address: &Address) -> io::Result<Client> {
        let stream = Stream::connect(address, None)?;
        Client::start(stream, self.max_message_bytes)
            .map_err(|e| io::Error::new(e.kind(), format!("{address}: no thread to receive: {e}")))
    }
}

/// A connection to a [`Server`](super::Server), or to another server with the same wire format.
///
/// Messages are received in the background: up to 16 MiB and one message wait for
/// [`recv`](Client::recv). A message larger than [`ClientConfig::max_message_bytes`], 16 MiB by
/// default, ends the connection. All methods may be called from several threads, so that one can
/// wait in `recv` while another sends.
///
/// Dropping it begins a [`shutdown`](Client::shutdown) without waiting.
#[must_use = "dropping it ends the connection"]
pub struct Client(Arc<Channel>);

impl Client {
    /// Connects to `HOST:PORT`, or to `unix:PATH`, with the defaults of [`ClientConfig`].
    ///
    /// # Errors
    /// As for [`ClientConfig::connect`].
    pub fn connect(address: &str) -> io::Result<Client> {
        ClientConfig::new().connect(address)
    }

    /// Connects to an address that is already parsed, for instance one of
    /// [`Server::addresses`](super::Server::addresses).
    ///
    /// # Errors
    /// As for [`ClientConfig::connect`].
    pub fn connect_to(address: &Address) -> io::Result<Client> {
        ClientConfig::new().connect_to(address)
    }

    fn start(stream: Stream, max_message_bytes: u32) -> io::Result<Client> {
        let writers = Channel::writers("client-writer", STACK_BYTES);
        let channel = Channel::new(stream, INBOX, None, &writers);
        let reader = thread::Builder::new().name("client-reader".to_string());
        reader.stack_size(STACK_BYTES).spawn({
            let channel = channel.clone();
            move || {
                channel.read(max_message_bytes);
                channel.close();
            }
        })?;
        Ok(Client(channel))
    }

    /// Sends `message`. Blocks only while the server has not taken all but 1 MiB of what was sent
    /// before. That may be forever if the server answers every message, 16 MiB of answers have
    /// arrived, and nobody receives them.
    ///
    /// Success does not mean that the message arrives: only an answer shows that.
    ///
    /// # Errors
    /// The connection has ended. The error returns the message. In a function that returns
    /// [`ClientError`], `?` turns it into [`ClientError::ConnectionReset`].
    pub fn send(&self, message: Message) -> Result<(), SendError> {
        self.0.send_patiently(message)
    }

    /// Waits for the next message, at most `timeout`; `None` is forever.
    ///
    /// # Errors
    /// [`ClientError::Timeout`] if none came in time, and [`ClientError::ConnectionReset`] if the
    /// connection has ended, normally or not, after all messages that had arrived were returned.
    pub fn recv(&self, timeout: Option<Duration>) -> Result<Message, ClientError> {
        let received = self.0.receive(deadline(timeout));
        received.map_err(|end| end.map_or(ClientError::Timeout, ClientError::ConnectionReset))
    }

    /// Ends the connection: sends what is queued and the end of the stream, and waits until the
    /// server ends its side too, at most `timeout`. Without a timeout, a server that does nothing is
    /// abandoned after 5 s.
    ///
    /// Messages that arrive meanwhile can still be received, up to 16 MiB; the rest is dropped.
    ///
    /// # Errors
    /// [`ClientError::Timeout`] if the server did not end its side in time; the last messages may be
    /// lost. The connection has ended in any case.
    pub fn shutdown(&self, timeout: Option<Duration>) -> Result<(), ClientError> {
        self.0.close_within(timeout.map_or(DRAIN, |timeout| timeout.saturating_add(DRAIN)));
        if self.0.wait_ended(deadline(timeout)) {
            return Ok(());
        }
        self.0.break_off(Level::Info, EndReason::Shutdown);
        Err(ClientError::Timeout)
    }
}

/// A time beyond the clock's range never comes.
fn deadline(timeout: Option<Duration>) -> Option<Instant> {
    timeout.and_then(|timeout| Instant::now().checked_add(timeout))
}

impl Drop for Client {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Client({})", self.0.stream)
    }
}
