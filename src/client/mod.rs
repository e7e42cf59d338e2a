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
//! what was not answered may have been done, what was open is closed. A program that goes on
//! connects anew and looks with `read` or `stat` at what is there.

mod answer;
mod ask;
mod builder;
mod error;
mod file;
mod link;
mod pipeline;
mod take;

pub use answer::{Answer, Change, Changes, Listed, Listing, Snapshot, Stat};
pub use ask::Target;
pub use builder::{Builder, DEFAULT_MAX_CONTENTS, DEFAULT_TIMEOUT};
pub use error::Error;
pub use file::OpenFile;
pub use pipeline::{Answers, Pipeline};

use crate::exptime::Exptime;
use crate::net::Address;
use crate::refusal::Refusal;
use crate::wire::{MAX_WATCH_SECONDS, Request};
use ask::Ask;
use link::{FOR_EVER, Link, lock};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A connection to a server.
///
/// Every method sends a request and waits for its reply, so threads that share a client wait for
/// each other; a thread that must not wait connects on its own. The connection ends when the
/// client and its open files are dropped.
#[derive(Debug)]
pub struct Client {
    /// Shared with the open files, for a program has several of them open and goes on using the
    /// client: one that borrowed it mutably would shut it. And locked instead of a `RefCell`, so
    /// that client and files can move to other threads.
    link: Arc<Mutex<Link>>,
    epoch: u64,
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
    fn meet(mut link: Link, token: Option<&[u8]>) -> Result<Self, Error> {
        let ask = Ask::plain(Request::Hello { token });
        let epoch = link.ask(&ask, Link::hello).map_err(|e| match e {
            // The line does not tell them apart, but this is where it is about the token.
            Error::Refused { refusal: Refusal::Denied, file } => {
                Error::Refused { refusal: Refusal::WrongToken, file }
            }
            e => e,
        })?;
        Ok(Client { link: Arc::new(Mutex::new(link)), epoch })
    }

    /// The number that the server drew when it made its table of files. After a connection was
    /// lost, another one means another table: no version that was seen before has a meaning there.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The contents of a file, and their version.
    ///
    /// # Errors
    /// See [`Error`]. Contents over [the maximum](Builder::max_contents) are [`Error::TooLarge`].
    pub fn read<'a>(&self, file: impl Into<Target<'a>>) -> Result<Snapshot, Error> {
        let ask = Ask::about(file.into(), &self.link, |file| Request::Read { file })?;
        lock(&self.link)?.ask(&ask, Link::snapshot)
    }

    /// Replaces the contents of a file, or makes it; the new version. It does not expire.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn write<'a>(
        &self,
        file: impl Into<Target<'a>>,
        contents: impl AsRef<[u8]>,
    ) -> Result<u64, Error> {
        self.write_expiring(file, contents, Exptime::Never)
    }

    /// A write of a file that ends by itself.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn write_expiring<'a>(
        &self,
        file: impl Into<Target<'a>>,
        contents: impl AsRef<[u8]>,
        exptime: Exptime,
    ) -> Result<u64, Error> {
        let ask = Ask::write(file.into(), &self.link, contents.as_ref(), exptime)?;
        lock(&self.link)?.ask(&ask, Link::version)
    }

    /// Replaces the contents of a file if it is at `version`; the new version. 0 is the version
    /// of a file that is not there. It does not expire.
    ///
    /// # Errors
    /// [`Refusal::Version`] with the file's version, if that is another.
    pub fn cas<'a>(
        &self,
        file: impl Into<Target<'a>>,
        version: u64,
        contents: impl AsRef<[u8]>,
    ) -> Result<u64, Error> {
        self.cas_expiring(file, version, contents, Exptime::Never)
    }

    /// A cas of a file that ends by itself.
    ///
    /// # Errors
    /// As for [`cas`](Client::cas).
    pub fn cas_expiring<'a>(
        &self,
        file: impl Into<Target<'a>>,
        version: u64,
        contents: impl AsRef<[u8]>,
        exptime: Exptime,
    ) -> Result<u64, Error> {
        let ask = Ask::cas(file.into(), &self.link, version, contents.as_ref(), exptime)?;
        lock(&self.link)?.ask(&ask, Link::version)
    }

    /// Ends a file, only if it is at `version`, if one is given.
    ///
    /// # Errors
    /// [`Refusal::NotFound`], and [`Refusal::Version`] with the file's version, if that is another.
    pub fn delete<'a>(
        &self,
        file: impl Into<Target<'a>>,
        version: Option<u64>,
    ) -> Result<(), Error> {
        let request = |file| Request::Delete { file, version };
        let ask = Ask::about(file.into(), &self.link, request)?;
        lock(&self.link)?.ask(&ask, Link::done)
    }

    /// Gives a file another expiry if it is at `version`, which it keeps.
    ///
    /// # Errors
    /// [`Refusal::NotFound`], and [`Refusal::Version`] with the file's version, if that is another.
    pub fn touch<'a>(
        &self,
        file: impl Into<Target<'a>>,
        version: u64,
        exptime: Exptime,
    ) -> Result<u64, Error> {
        let request = |file| Request::Touch { file, version, exptime };
        let ask = Ask::about(file.into(), &self.link, request)?;
        lock(&self.link)?.ask(&ask, Link::version)
    }

    /// Makes a file that did not exist; its version, and its name: `prefix` and the version in 20
    /// digits, so that names sort in the order in which the files were made.
    ///
    /// # Errors
    /// [`Error::Invalid`] if that would be no name, or one of more than 430 bytes.
    pub fn create(
        &self,
        prefix: &str,
        contents: impl AsRef<[u8]>,
        exptime: Exptime,
    ) -> Result<(u64, String), Error> {
        let ask = Ask::create(prefix, contents.as_ref(), exptime)?;
        lock(&self.link)?.ask(&ask, Link::created)
    }

    /// The files whose names begin with `prefix` and come behind `after`: the first `limit` of
    /// them, at most 10,000. The empty prefix is that of all files.
    ///
    /// ```
    /// # let server = telefile::Server::builder().listen("127.0.0.1:0".parse()?).bind()?;
    /// # let (address, handle) = (server.addresses()[0].clone(), server.handle());
    /// # let running = std::thread::spawn(|| server.run());
    /// let client = telefile::Client::connect_to(&address)?;
    /// for name in ["svc/a", "svc/b", "svc/c", "other"] {
    ///     client.write(name, "up")?;
    /// }
    /// let page = client.list("svc/", 2, None)?;
    /// assert_eq!((page.files[1].name.as_str(), page.more), ("svc/b", true));
    /// let rest = client.list("svc/", 2, Some("svc/b"))?;
    /// assert_eq!((rest.files[0].name.as_str(), rest.more), ("svc/c", false));
    /// # handle.stop();
    /// # running.join().unwrap()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Invalid`] if a space or line end is in `prefix` or `after`, or `limit` is 0.
    pub fn list(&self, prefix: &str, limit: u64, after: Option<&str>) -> Result<Listing, Error> {
        if limit == 0 {
            return Err(Error::Invalid("a list of no files".to_string()));
        }
        let after = after.filter(|after| !after.is_empty()).map(ask::field).transpose()?;
        let ask = Ask::of_prefix(prefix, |prefix| Request::List { prefix, limit, after })?;
        lock(&self.link)?.ask(&ask, Link::listing)
    }

    /// What has changed since version `rev` among the files whose names begin with `prefix`; waits
    /// for the first change if there was none, but no longer than `time`, which is rounded up to
    /// seconds and is at most a day. The client answers nobody else meanwhile.
    ///
    /// It is about state, not events: a file that has changed twice is there once, and at most
    /// 10,000 names are told at once. Watch on from the `rev` of the answer.
    ///
    /// ```
    /// # let server = telefile::Server::builder().listen("127.0.0.1:0".parse()?).bind()?;
    /// # let (address, handle) = (server.addresses()[0].clone(), server.handle());
    /// # let running = std::thread::spawn(|| server.run());
    /// use std::time::Duration;
    ///
    /// let client = telefile::Client::connect_to(&address)?;
    /// let rev = client.write("config/port", "80")?;
    ///
    /// // Elsewhere, a little later.
    /// let other = telefile::Client::connect_to(&address)?;
    /// let writing = std::thread::spawn(move || other.write("config/port", "8080"));
    ///
    /// let news = client.watch("config/", rev, Duration::from_secs(60))?;
    /// assert_eq!((news.changes[0].name.as_str(), news.rev), ("config/port", 2));
    /// # writing.join().unwrap()?;
    /// # handle.stop();
    /// # running.join().unwrap()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Refusal::Compacted`] if too much was deleted since `rev`, or that is a version of another
    /// table: list again, and watch from the list's `rev`. [`Error::Invalid`] if a space or line
    /// end is in `prefix`.
    pub fn watch(&self, prefix: &str, rev: u64, time: Duration) -> Result<Changes, Error> {
        let seconds = time.as_secs() + u64::from(time.subsec_nanos() > 0);
        let seconds = seconds.min(MAX_WATCH_SECONDS);
        let ask = Ask::of_prefix(prefix, |prefix| Request::Watch { prefix, rev, seconds })?;
        lock(&self.link)?.ask(&ask, Link::changes)
    }

    /// All of a file but its contents.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn stat<'a>(&self, file: impl Into<Target<'a>>) -> Result<Stat, Error> {
        let ask = Ask::about(file.into(), &self.link, |file| Request::Stat { file })?;
        lock(&self.link)?.ask(&ask, Link::stat)
    }

    /// Opens a file, which is made if there is none: of the type `kind`, or of type `File` without
    /// one. A file that is there has its type already.
    ///
    /// # Errors
    /// [`Refusal::WrongType`] with the type that it has, if that is another, and
    /// [`Refusal::TypeNotFound`].
    pub fn open(&self, name: &str, kind: Option<&str>) -> Result<OpenFile, Error> {
        let ask = Ask::open(name, kind)?;
        let (fd, version, kind) = lock(&self.link)?.ask(&ask, Link::opened)?;
        Ok(OpenFile::new(self.link.clone(), fd, name, version, kind))
    }

    /// The types that a file of this server can have.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn types(&self) -> Result<Vec<String>, Error> {
        lock(&self.link)?.ask(&Ask::plain(Request::Types), Link::lines)
    }

    /// The server's limits and what is in use, as names and values.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn stats(&self) -> Result<Vec<(String, String)>, Error> {
        let lines = lock(&self.link)?.ask(&Ask::plain(Request::Stats), Link::lines)?;
        let pair = |line: String| match line.split_once(' ') {
            Some((name, value)) => (name.to_string(), value.to_string()),
            None => (line, String::new()),
        };
        Ok(lines.into_iter().map(pair).collect())
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
