//! The same requests and replies from the other end: a [`Client`] asks, an [`OpenFile`] keeps a
//! file open, a [`Pipeline`] asks much at once.
//!
//! # A story
//!
//! Two programs share a greeting. The first one writes it; the version that comes back says which
//! change of the server's files that was.
//!
//! ```
//! # let server = telefile::Server::builder().listen("127.0.0.1:0".parse()?).bind()?;
//! # let (address, handle) = (server.addresses()[0].to_string(), server.handle());
//! # let running = std::thread::spawn(|| server.run());
//! use telefile::{Client, Refusal};
//!
//! let ann = Client::connect(&address)?; // "127.0.0.1:8080", or "unix:/run/telefile.sock"
//! let first = ann.write("greeting", "hello")?;
//!
//! // The second one reads it and makes it longer, but only if nobody was faster.
//! let bob = Client::connect(&address)?;
//! let seen = bob.read("greeting")?;
//! assert_eq!((&*seen.contents, seen.version), (&b"hello"[..], first));
//! let longer = [&seen.contents[..], b" world"].concat();
//! let second = bob.cas("greeting", seen.version, &longer)?;
//!
//! // Ann has not noticed. Her change is refused, and she learns what the version is now.
//! let error = ann.cas("greeting", first, "goodbye").unwrap_err();
//! assert_eq!(error.refusal(), Some(&Refusal::Version(second)));
//! assert_eq!(error.to_string(), "greeting is at version 2");
//!
//! // Files can be code, and are made by `open`. This one is there as long as somebody has it
//! // open: when Bob leaves, however that happens, the server closes it for him.
//! let here = bob.open("present/bob", Some("File"))?;
//! assert_eq!(ann.stat("present/bob")?.opens, 1);
//! drop(here);
//! assert_eq!(ann.stat("present/bob").unwrap_err().refusal(), Some(&Refusal::NotFound));
//! # drop((ann, bob));
//! # handle.stop();
//! # running.join().unwrap()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # When the connection is lost
//!
//! Then every call fails with [`Error::Lost`], and nothing is asked again behind the caller's back:
//! what was not answered may have been done; what was open is closed, and ephemeral files are gone.
//! A program that goes on [reconnects](Client::reconnect), which fails if the server's files are
//! other ones by now, and looks with `read` or `stat` at what is there. [`Error::is_retryable`] says
//! when a call can be repeated as it is.
//!
//! # Locks, leases, elections
//!
//! are in [`recipes`].

mod answer;
mod ask;
mod builder;
mod error;
mod file;
mod keep_alive;
mod link;
mod pipeline;
pub mod recipes;
mod requests;
mod take;

pub use answer::{Answer, Change, Changes, Listed, Listing, Snapshot, Stat};
pub use ask::Target;
pub use builder::{Builder, DEFAULT_MAX_CONTENTS, DEFAULT_TIMEOUT};
pub use error::Error;
pub use file::OpenFile;
pub use pipeline::{Answers, Pipeline};

use crate::net::Address;
use crate::refusal::Refusal;
use crate::wire::Request;
use answer::Hello;
use ask::Ask;
use link::{FOR_EVER, Link, lock};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A connection to a server. Clones share it.
///
/// Every method sends a request and waits for its reply, so threads that share a client wait for
/// each other; a thread that must not wait connects on its own. The connection ends when the last
/// clone, open file and guard of it are dropped.
#[derive(Clone, Debug)]
pub struct Client {
    /// Shared with the open files, for a program has several of them open and goes on using the
    /// client: one that borrowed it mutably would shut it. And locked instead of a `RefCell`, so
    /// that client and files can move to other threads.
    link: Arc<Mutex<Link>>,
    epoch: u64,
    idle_timeout: Option<Duration>,
    /// How it was made, to make another one.
    made: Arc<(Builder, Address)>,
}

impl Client {
    /// Connects to `HOST:PORT`, `[IPV6]:PORT` or `unix:PATH`, with the defaults of a [`Builder`].
    ///
    /// # Errors
    /// See [`Builder::connect`].
    pub fn connect(address: &str) -> Result<Self, Error> {
        Builder::default().connect(address)
    }

    /// Connects to an address that is one already.
    ///
    /// # Errors
    /// See [`Builder::connect`].
    pub fn connect_to(address: &Address) -> Result<Self, Error> {
        Builder::default().connect_to(address)
    }

    /// A client to be described and connected: time-outs, a token, a maximum.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Says hello, which is what a server asks of its clients first, if it asks for anything.
    fn meet(mut link: Link, builder: Builder, address: &Address) -> Result<Self, Error> {
        let token = builder.shown_token();
        let ask = Ask::plain(Request::Hello { token });
        let hello = link.ask(&ask, Link::hello).map_err(|e| match e {
            // The line does not tell them apart, but this is where it is about the token.
            Error::Refused { refusal: Refusal::Denied, file } => {
                Error::Refused { refusal: Refusal::WrongToken, file }
            }
            // The caller has asked nothing yet.
            Error::Lost(e) => Error::Connect(e),
            e => e,
        })?;
        let Hello { epoch, idle_timeout, .. } = hello;
        if builder.expected_epoch().is_some_and(|expected| expected != epoch) {
            return Err(Error::OtherTable);
        }
        link.set_idle_timeout(idle_timeout);
        let made = Arc::new((builder, address.clone()));
        Ok(Client { link: Arc::new(Mutex::new(link)), epoch, idle_timeout, made })
    }

    /// Another connection to the same server, made as this one was, for a program that goes on
    /// after a lost connection, or needs one more.
    ///
    /// What was open, locked or ephemeral on the old connection is not so on the new one. Versions
    /// that were seen before still have their meaning; for that the epoch is compared.
    ///
    /// # Errors
    /// [`Error::OtherTable`] if the server has lost its files since, as one without `--data` that
    /// was started again has; a program that can bear that [connects](Builder::connect) as it did first. Otherwise
    /// those of [`Builder::connect`].
    pub fn reconnect(&self) -> Result<Client, Error> {
        self.reconnect_as(self.made.0.clone())
    }

    /// The same, for a client with no longer time-out than this.
    pub(crate) fn reconnect_within(&self, timeout: Duration) -> Result<Client, Error> {
        self.reconnect_as(self.made.0.clone().timeout_at_most(timeout))
    }

    fn reconnect_as(&self, builder: Builder) -> Result<Client, Error> {
        builder.epoch(self.epoch).connect_to(&self.made.1)
    }

    /// Returns the number that the server drew when it made its table of files. Another epoch means
    /// another table, and versions of this one have no meaning there. So whoever keeps a version
    /// longer than a connection keeps the epoch with it, and gives it to [`Builder::epoch`].
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Asks for the table's revision, the version that its latest change took. A
    /// [`watch`](Client::watch) from there sees every later change.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn rev(&self) -> Result<u64, Error> {
        let ask = Ask::plain(Request::Hello { token: self.made.0.shown_token() });
        Ok(self.call(&ask, Link::hello)?.rev)
    }

    /// Returns how long the server lets this client be silent before it ends the connection; `None`
    /// is forever. A client that holds something is not silent: see
    /// [`keep_alive`](Client::keep_alive).
    pub fn idle_timeout(&self) -> Option<Duration> {
        self.idle_timeout
    }

    /// Keeps the connection alive from now on, although nothing is asked: where the server has an
    /// [idle time-out](Client::idle_timeout), a thread sends a sign of life in half of it, and ends
    /// with the connection. Where it has none, nothing is done.
    ///
    /// A client that has opened a file, or made one that ends with the connection, does this by itself. Without
    /// either it is closed when it was silent, and the next call fails with [`Error::Lost`].
    ///
    /// # Errors
    /// [`Error::Thread`]. In a call that would hold something nothing was asked then.
    pub fn keep_alive(&self) -> Result<(), Error> {
        keep_alive::start(&self.link)
    }

    /// Sends a request and takes its answer, which is of the kind that `take` takes.
    fn call<T>(
        &self,
        ask: &Ask<'_>,
        take: fn(&mut Link, &Ask<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        keep_alive::if_holding(&self.link, ask)?;
        lock(&self.link)?.ask(ask, take)
    }

    /// Waits until the connection has ended, but no longer than `time`; whether it has. For a
    /// program that keeps files open and has nothing to ask.
    ///
    /// # Errors
    /// [`Error::Lost`] if a thread panicked while it used the connection.
    pub fn wait_lost(&self, time: Duration) -> Result<bool, Error> {
        let stream = lock(&self.link)?.stream().clone();
        let deadline = Instant::now() + time.min(FOR_EVER);
        // What is left of a reply is no sign of an end.
        if lock(&self.link)?.pass().is_err() {
            return Ok(true);
        }
        loop {
            // The lock is not held, so what can be read may be another thread's reply.
            let readable = stream.wait_readable(deadline).unwrap_or(true);
            if readable && lock(&self.link)?.has_ended() {
                return Ok(true);
            }
            if Instant::now() >= deadline {
                return Ok(false);
            }
        }
    }

    /// Collects requests that are to be sent together.
    pub fn pipeline(&self) -> Pipeline<'_> {
        Pipeline::new(self)
    }
}
