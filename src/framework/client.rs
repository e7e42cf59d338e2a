//! The other end: a client with a thread that reads for it.

use super::app::DEFAULT_MAX_MESSAGE_BYTES;
use super::inbox::Limit;
use super::incoming::Incoming;
use super::link::{DRAIN, Link};
use super::message::Message;
use super::server::read_messages;
use crate::net::{Pool, Stream};
use std::error::Error;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// How much waits for `recv` before no more is read.
const INBOX: Limit = Limit { messages: usize::MAX, bytes: 16 << 20 };

const STACK_BYTES: usize = 256 << 10;

/// A connection to a [`Server`](super::Server), or to another that speaks the same messages.
///
/// Messages are received in the background, up to 16 MiB and one message until they are taken; one
/// of more than 16 MiB ends the connection. All
/// methods may be called from several threads, so that one can wait in `recv` while another sends.
///
/// Dropping it begins a [`shutdown`](Client::shutdown) and does not wait.
pub struct Client(Arc<Link>);

impl Client {
    /// Connects to `HOST:PORT`, or to `unix:PATH`.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidInput`] for what is no address, and those of connect(2), each with
    /// the address.
    pub fn connect(addr: &str) -> io::Result<Client> {
        let stream = Stream::connect(&addr.parse()?, None)?;
        let writers = Pool::new("client-writer", 1, STACK_BYTES, |link: &Arc<Link>, _| {
            link.go_on_sending();
        });
        let link = Link::new(stream, INBOX, None, &Arc::new(writers));
        let reader = thread::Builder::new().name("client-reader".to_string());
        reader.stack_size(STACK_BYTES).spawn({
            let link = link.clone();
            move || read(&link)
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
        match self.0.send_patiently(message) {
            true => Ok(()),
            false => Err(ClientError::ConnectionReset),
        }
    }

    /// Waits for the next message, at most `timeout`; `None` is for ever.
    ///
    /// # Errors
    /// [`ClientError::Timeout`] if none came in time, and [`ClientError::ConnectionReset`] if the
    /// connection has ended, in order or not, after all that had arrived was handed out.
    pub fn recv(&self, timeout: Option<Duration>) -> Result<Message, ClientError> {
        self.0.receive(deadline(timeout)).map_err(|ended| match ended {
            true => ClientError::ConnectionReset,
            false => ClientError::Timeout,
        })
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
        self.0.break_off();
        Err(ClientError::Timeout)
    }
}

/// A time that cannot be told does not come.
fn deadline(timeout: Option<Duration>) -> Option<Instant> {
    timeout.and_then(|timeout| Instant::now().checked_add(timeout))
}

fn read(link: &Arc<Link>) {
    let mut incoming = Incoming::new(&link.stream, DEFAULT_MAX_MESSAGE_BYTES);
    if let Err(e) = read_messages(link, &mut incoming) {
        log::info!("{} lost: {e}", link.stream);
    }
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientError {
    /// It did not happen in time.
    Timeout,
    /// The connection has ended, from either side or by an error.
    ConnectionReset,
}

impl Error for ClientError {}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ClientError::Timeout => "timed out",
            ClientError::ConnectionReset => "the connection has ended",
        })
    }
}
