//! The client side of the protocol: a [`Client`] sends requests, an [`OpenFile`] keeps a file open, a
//! [`Pipeline`] sends many requests at once, a [`List`] has all files of a prefix, and a [`Follow`]
//! reports what becomes of them.
//!
//! # An example
//!
//! Two programs share a greeting. The first one writes it and gets back the file's new version: the
//! number of this change among all changes of the server's files.
//!
//! ```
//! # let server = telefile::Server::builder().listen("127.0.0.1:0".parse()?).bind()?.spawn()?;
//! # let address = server.addresses()[0].to_string();
//! use telefile::{Client, Refusal};
//!
//! let ann = Client::connect(&address)?; // "127.0.0.1:8080", or "unix:/run/telefile.sock"
//! let first = ann.write("greeting", "hello")?;
//!
//! // The second one reads it and makes it longer, but only if nobody else has changed it.
//! let bob = Client::connect(&address)?;
//! let seen = bob.read("greeting")?;
//! assert_eq!((&*seen.contents, seen.version), (&b"hello"[..], first));
//! let longer = [&seen.contents[..], b" world"].concat();
//! let second = bob.cas("greeting", seen.version, &longer)?;
//!
//! // Ann does not know that yet. Her change is refused, and she learns the current version.
//! let error = ann.cas("greeting", first, "goodbye").unwrap_err();
//! assert_eq!(error.refusal(), Some(&Refusal::Version(second)));
//! assert_eq!(error.to_string(), "greeting is at version 2");
//!
//! // `open` can make a file of a type, which decides what reads and writes do. A file of type
//! // `File` exists while a client has it open: when Bob leaves, for whatever reason, the server
//! // closes it for him.
//! let here = bob.open("present/bob", Some("File"))?;
//! assert_eq!(ann.stat("present/bob")?.opens, 1);
//! drop(here);
//! assert_eq!(ann.stat("present/bob").unwrap_err().refusal(), Some(&Refusal::NotFound));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # When the connection is lost
//!
//! Every call then fails with [`Error::Lost`], and no request is ever repeated automatically: an
//! unanswered request may have been executed. Open files are closed, and ephemeral files are gone.
//! To go on, a program [reconnects](Client::reconnect), which fails if the server's files are
//! different ones by now, and checks the current state with `read` or `stat`.
//! [`Error::is_retryable`] says when a call can be repeated as it is.
//!
//! # Locks, leases, elections
//!
//! See [`recipes`].

mod backup;
mod builder;
mod call;
mod commands;
mod error;
mod file;
mod first_answer;
mod follow;
mod keep_alive;
mod list;
mod pipeline;
pub mod recipes;
mod replies;
mod target;
mod transport;
mod values;

pub use backup::Backup;
pub use builder::{Builder, DEFAULT_MAX_CONTENTS, DEFAULT_TIMEOUT};
pub use error::Error;
pub use file::OpenFile;
#[cfg(feature = "cli")]
pub(crate) use first_answer::first_answer;
pub use follow::{Event, Follow};
pub use list::List;
pub use pipeline::{Answers, Pipeline};
pub use target::Target;
pub use values::{Answer, Change, Changes, Listed, Page, Session, Snapshot, Stat};

use crate::exptime::FOREVER;
use crate::net::{Address, Addresses};
use crate::version::{Epoch, Version};
use crate::wire::Request;
use call::Call;
use std::net::Shutdown;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use transport::{Transport, lock};
use values::Hello;

/// A connection to a server. Clones share it.
///
/// Every method sends a request and waits for its reply, so threads that share a client wait for
/// each other; a thread that must not wait needs its own connection. The connection ends when its
/// last clone, list, open file and guard are dropped.
#[derive(Clone, Debug)]
pub struct Client {
    /// Shared with the open files: a program may have several open and still use the client, which
    /// they could not borrow mutably. Locked instead of a `RefCell`, so that client and files can
    /// move to other threads.
    transport: Arc<Mutex<Transport>>,
    epoch: Epoch,
    idle_timeout: Option<Duration>,
    made: Arc<Made>,
}

/// How a client was connected, to do it again.
#[derive(Clone, Debug)]
struct Made {
    builder: Builder,
    addresses: Addresses,
    /// The place of the address that answered.
    place: usize,
}

impl Client {
    /// Connects to `HOST:PORT`, `[IPV6]:PORT` or `unix:PATH`, with the defaults of a [`Builder`]; of
    /// several addresses, with commas between them, to the first that answers.
    ///
    /// # Errors
    /// See [`Builder::connect`].
    pub fn connect(addresses: &str) -> Result<Self, Error> {
        Builder::default().connect(addresses)
    }

    /// Connects to an address that is already parsed.
    ///
    /// # Errors
    /// See [`Builder::connect`].
    pub fn connect_to(address: &Address) -> Result<Self, Error> {
        Builder::default().connect_to(address)
    }

    /// Returns a builder for a client: time-outs, a token, a maximum.
    pub fn builder() -> Builder {
        Builder::default()
    }

    fn new(mut transport: Transport, hello: Hello, made: Made) -> Self {
        let Hello { epoch, idle_timeout, .. } = hello;
        transport.set_idle_timeout(idle_timeout);
        let (transport, made) = (Arc::new(Mutex::new(transport)), Arc::new(made));
        Client { transport, epoch, idle_timeout, made }
    }

    /// Makes another connection to the same server with the same settings, for a program that goes
    /// on after a lost connection, or needs one more. Of several addresses all are tried, the one of
    /// this connection last.
    ///
    /// Whatever was open, locked or ephemeral on the old connection is not carried over. Known
    /// versions keep their meaning; the epoch is compared to ensure that.
    ///
    /// # Errors
    /// [`Error::OtherTable`] if the server has lost its files since, like one without `--data` that
    /// was restarted; a program that can accept that [connects](Builder::connect) as it did first.
    /// Otherwise those of [`Builder::connect`].
    pub fn reconnect(&self) -> Result<Client, Error> {
        self.reconnect_as(self.made.builder.clone(), Some(self.epoch))
    }

    /// Makes another connection as the first one was made, perhaps to another table.
    fn connect_again(&self) -> Result<Client, Error> {
        let builder = self.made.builder.clone();
        let epoch = builder.required_epoch();
        self.reconnect_as(builder, epoch)
    }

    /// The same, with a time-out of at most this.
    pub(crate) fn reconnect_within(&self, timeout: Duration) -> Result<Client, Error> {
        self.reconnect_as(self.made.builder.clone().timeout_at_most(timeout), Some(self.epoch))
    }

    /// Lowers the time-out of this connection, and of those that replace it, to at most this.
    fn limit_timeout(&mut self, timeout: Duration) -> Result<(), Error> {
        let made = Made::clone(&self.made);
        self.made = Arc::new(Made { builder: made.builder.timeout_at_most(timeout), ..made });
        lock(&self.transport)?.limit_timeout(timeout);
        Ok(())
    }

    /// Ends the connection, also for the clones that share it.
    fn disconnect(&self) {
        if let Ok(transport) = lock(&self.transport) {
            transport.stream().shutdown(Shutdown::Both);
        }
    }

    fn reconnect_as(&self, builder: Builder, epoch: Option<Epoch>) -> Result<Client, Error> {
        builder.connect_expecting(epoch, &self.made.addresses, self.made.place + 1)
    }

    /// Returns the random number of the server's table of files. Another epoch means another table,
    /// and versions of this one have no meaning there. A program that keeps a version longer than a
    /// connection keeps the epoch with it, and passes it to [`Builder::epoch`].
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Returns the version of the table's latest change. A [`watch`](Client::watch) from there
    /// reports every later change.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn latest_version(&self) -> Result<Version, Error> {
        let call = Call::plain(Request::Hello { token: self.made.builder.shown_token() });
        Ok(self.call(&call, Transport::hello)?.version)
    }

    /// Returns how long this client may be silent before the server ends the connection; `None` if
    /// the server has no such time-out, or did not report it. A client that has a file open or has
    /// made an ephemeral one is not silent: see [`keep_alive`](Client::keep_alive).
    pub fn idle_timeout(&self) -> Option<Duration> {
        self.idle_timeout
    }

    /// Keeps the connection alive from now on, even without requests: if the server has an [idle
    /// time-out](Client::idle_timeout), a thread sends a sign of life every half of it, and ends
    /// with the connection. If it has none, this does nothing.
    ///
    /// A client that has opened a file, or made an ephemeral one, does this by itself. Without
    /// either, the server closes a silent connection, and the next call fails with [`Error::Lost`].
    ///
    /// # Errors
    /// [`Error::Thread`]. A call that does this by itself fails with it too, and sends no request.
    pub fn keep_alive(&self) -> Result<(), Error> {
        keep_alive::start(&self.transport)
    }

    /// Sends a request and returns its answer, as `receive` reads it.
    fn call<T>(
        &self,
        call: &Call<'_>,
        receive: fn(&mut Transport, &Call<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        keep_alive::if_holding(&self.transport, call)?;
        lock(&self.transport)?.call(call, receive)
    }

    /// Waits until the connection has ended, but no longer than `time`; returns whether it has. For
    /// a program that keeps files open and sends no requests.
    ///
    /// # Errors
    /// [`Error::Lost`] if a thread panicked while it used the connection.
    pub fn wait_lost(&self, time: Duration) -> Result<bool, Error> {
        let stream = lock(&self.transport)?.stream().clone();
        let deadline = Instant::now() + time.min(FOREVER);
        // The rest of a reply is no sign of an end.
        if lock(&self.transport)?.pass().is_err() {
            return Ok(true);
        }
        loop {
            // The lock is not held, so the readable bytes may be another thread's reply.
            let readable = stream.wait_readable(deadline).unwrap_or(true);
            if readable && lock(&self.transport)?.has_ended() {
                return Ok(true);
            }
            if Instant::now() >= deadline {
                return Ok(false);
            }
        }
    }

    /// Collects requests to be sent together.
    pub fn pipeline(&self) -> Pipeline<'_> {
        Pipeline::new(self)
    }
}
