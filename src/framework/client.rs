//! The other end: a client with a thread that reads for it.

use super::app::DEFAULT_MAX_MESSAGE_BYTES;
use super::end::EndReason;
use super::inbox::Limit;
use super::incoming::Incoming;
use super::link::{DRAIN, Link};
use super::message::Message;
use super::server::read_messages;
use crate::net::{Pool, Stream};
use log::Level;
use std::error::Error;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// How much waits for `recv` before no more is read.
const INBOX: Limit = Limit { messages: usize::MAX, bytes: 16 << 20 };

const STACK_BYTES: usize = 256 << 10;

/// How to connect a [`Client`].
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
    /// A client that receives messages of up to 16 MiB.
    pub fn new() -> Self {
        ClientConfig::default()
    }

    /// Sets the largest payload in bytes. If the server announces a larger one, the connection ends
    /// with [`EndReason::TooLarge`]. No memory is taken for a payload that is only announced.
    pub fn max_message_bytes(mut self, bytes: u32) -> Self {
        self.max_message_bytes = bytes;
        self
    }

    /// Connects to `HOST:PORT`, or to `unix:PATH`.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidInput`] for what is no address, those of connect(2), and
    /// [`io::ErrorKind::WouldBlock`] if the system has no thread to receive with, each with the
    /// address.
    pub fn connect(&self, addr: &str) -> io::Result<Client> {
        let stream = Stream::connect(&addr.parse()?, None)?;
        Client::start(stream, self.max_message_bytes)
            .map_err(|e| io::Error::new(e.kind(), format!("{addr}: no thread to receive: {e}")))
    }
}

/// A connection to a [`Server`](super::Server), or to another that speaks the same messages.
///
/// Messages are received in the background, up to 16 MiB and one message until they are taken. One
/// that is larger than [`ClientConfig::max_message_bytes`], 16 MiB if nothing else is said, ends the
/// connection. All methods may be called from several threads, so that one can wait in `recv` while
/// another sends.
///
/// Dropping it begins a [`shutdown`](Client::shutdown) and does not wait.
pub struct Client(Arc<Link>);

impl Client {
    /// Connects to `HOST:PORT`, or to `unix:PATH`, with the defaults of [`ClientConfig`].
    ///
    /// # Errors
    /// As [`ClientConfig::connect`].
    pub fn connect(addr: &str) -> io::Result<Client> {
        ClientConfig::new().connect(addr)
    }

    fn start(stream: Stream, max_message_bytes: u32) -> io::Result<Client> {
        let writers = Pool::new("client-writer", 1, STACK_BYTES, |link: &Arc<Link>, _| {
            link.go_on_sending();
        });
        let link = Link::new(stream, INBOX, None, &Arc::new(writers));
        let reader = thread::Builder::new().name("client-reader".to_string());
        reader.stack_size(STACK_BYTES).spawn({
            let link = link.clone();
            move || read(&link, max_message_bytes)
        })?;
        Ok(Client(link))
    }

    /// Sends `message`. Waits only while more than 1 MiB waits for the server to take it; that
    /// may be for ever if the server answers each, 16 MiB of answers have come and nobody takes
    /// them.
    ///
    /// # Errors
    /// [`ClientError::ConnectionReset`] if the connection has ended. That a message is sent does not
    /// say that it arrives: only an answer does.
    pub fn send(&self, message: Message) -> Result<(), ClientError> {
        self.0.send_patiently(message).map_err(ClientError::ConnectionReset)
    }

    /// Waits for the next message, at most `timeout`; `None` is for ever.
    ///
    /// # Errors
    /// [`ClientError::Timeout`] if none came in time, and [`ClientError::ConnectionReset`] if the
    /// connection has ended, in order or not, after all that had arrived was handed out.
    pub fn recv(&self, timeout: Option<Duration>) -> Result<Message, ClientError> {
        let received = self.0.receive(deadline(timeout));
        received.map_err(|end| end.map_or(ClientError::Timeout, ClientError::ConnectionReset))
    }

    /// Ends the connection: sends what is not sent yet, tells the server that nothing more will
    /// come, and waits until the server ends it too, at most `timeout`. Without one a server that
    /// does nothing is left after 5 s.
    ///
    /// What arrives meanwhile can still be received, up to 16 MiB in all; the rest is dropped.
    ///
    /// # Errors
    /// [`ClientError::Timeout`] if the server had not ended it in time; what was sent last may be
    /// lost. The connection is ended in any case.
    pub fn shutdown(&self, timeout: Option<Duration>) -> Result<(), ClientError> {
        self.0.close_within(timeout.map_or(DRAIN, |timeout| timeout.saturating_add(DRAIN)));
        if self.0.wait_ended(deadline(timeout)) {
            return Ok(());
        }
        self.0.break_off(Level::Info, EndReason::Shutdown);
        Err(ClientError::Timeout)
    }
}

/// A time that cannot be told does not come.
fn deadline(timeout: Option<Duration>) -> Option<Instant> {
    timeout.and_then(|timeout| Instant::now().checked_add(timeout))
}

fn read(link: &Arc<Link>, max_message_bytes: u32) {
    let mut incoming = Incoming::new(&link.stream, max_message_bytes);
    read_messages(link, &mut incoming);
    link.complete();
    incoming.drop_rest();
    link.peer_ended();
    link.close();
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

/// Why a [`Client`] could not do what was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientError {
    /// It did not happen in time.
    Timeout,
    /// The connection has ended, from either side or by an error: for this reason.
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
