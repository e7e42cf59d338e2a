//! The commands of the protocol as methods of [`Client`], except `list`.

use super::call::Call;
use super::error::Error;
use super::transport::Transport;
use super::{Changes, Client, OpenFile, Session, Snapshot, Stat, Target};
use crate::exptime::{Exptime, whole_seconds};
use crate::name::{IdForLog, is_session_id};
use crate::version::Version;
use crate::wire::{MAX_WATCH_SECONDS, Request};
use std::time::Duration;

impl Client {
    /// Returns the contents of a file and their version.
    ///
    /// # Errors
    /// See [`Error`]. Contents over [the maximum](super::Builder::max_contents) are
    /// [`Error::TooLarge`].
    pub fn read<'a>(&self, file: impl Into<Target<'a>>) -> Result<Snapshot, Error> {
        let call = Call::about(file.into().of(&self.transport)?, |file| Request::Read { file })?;
        self.call(&call, Transport::snapshot)
    }

    /// Replaces a file's contents, or makes the file; returns the new version. The file no longer
    /// expires, even if it did before: [`write_expiring`](Client::write_expiring) sets an exptime.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn write<'a>(
        &self,
        file: impl Into<Target<'a>>,
        contents: impl AsRef<[u8]>,
    ) -> Result<Version, Error> {
        self.write_expiring(file, contents, Exptime::Never)
    }

    /// Writes a file that expires or ends with the connection; returns the new version.
    ///
    /// ```
    /// # let server = telefile::Server::builder().listen("127.0.0.1:0".parse()?).bind()?.spawn()?;
    /// # let address = server.addresses()[0].clone();
    /// use telefile::Exptime;
    ///
    /// let client = telefile::Client::connect_to(&address)?;
    /// client.write_expiring("cache", "42", Exptime::Seconds(30))?;
    /// client.write_expiring("here/ann", "", Exptime::Connection)?; // an ephemeral file
    ///
    /// client.write("cache", "43")?;
    /// assert_eq!(client.stat("cache")?.exptime, Exptime::Never);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// See [`Error`].
    pub fn write_expiring<'a>(
        &self,
        file: impl Into<Target<'a>>,
        contents: impl AsRef<[u8]>,
        exptime: Exptime,
    ) -> Result<Version, Error> {
        let call = Call::write(file.into().of(&self.transport)?, contents.as_ref(), exptime)?;
        self.call(&call, Transport::version)
    }

    /// Replaces the contents of a file if it is at `version`; returns the new version. 0 is the
    /// version of an absent file. The file no longer expires, even if it did before:
    /// [`cas_expiring`](Client::cas_expiring) sets an exptime.
    ///
    /// # Errors
    /// [`Refusal::Version`](crate::Refusal::Version) with the file's version, if it is another.
    pub fn cas<'a>(
        &self,
        file: impl Into<Target<'a>>,
        version: Version,
        contents: impl AsRef<[u8]>,
    ) -> Result<Version, Error> {
        self.cas_expiring(file, version, contents, Exptime::Never)
    }

    /// Does a [`cas`](Client::cas) of a file that expires or ends with the connection.
    ///
    /// # Errors
    /// As for [`cas`](Client::cas).
    pub fn cas_expiring<'a>(
        &self,
        file: impl Into<Target<'a>>,
        version: Version,
        contents: impl AsRef<[u8]>,
        exptime: Exptime,
    ) -> Result<Version, Error> {
        let call =
            Call::cas(file.into().of(&self.transport)?, version, contents.as_ref(), exptime)?;
        self.call(&call, Transport::version)
    }

    /// Deletes a file; if a version is given, only if the file is at `version`.
    ///
    /// # Errors
    /// [`Refusal::NotFound`](crate::Refusal::NotFound), and
    /// [`Refusal::Version`](crate::Refusal::Version) with the file's version, if it is another.
    pub fn delete<'a>(
        &self,
        file: impl Into<Target<'a>>,
        version: Option<Version>,
    ) -> Result<(), Error> {
        let request = |file| Request::Delete { file, version: version.map(|v| v.0) };
        let call = Call::about(file.into().of(&self.transport)?, request)?;
        self.call(&call, Transport::done)
    }

    /// Changes a file's expiry if it is at `version`. The version stays the same.
    ///
    /// # Errors
    /// [`Refusal::NotFound`](crate::Refusal::NotFound), and
    /// [`Refusal::Version`](crate::Refusal::Version) with the file's version, if it is another.
    pub fn touch<'a>(
        &self,
        file: impl Into<Target<'a>>,
        version: Version,
        exptime: Exptime,
    ) -> Result<Version, Error> {
        let request = |file| Request::Touch { file, version: version.0, exptime };
        let call = Call::about(file.into().of(&self.transport)?, request)?;
        self.call(&call, Transport::version)
    }

    /// Makes a new file; returns its version and its name: `prefix` and the version in 20 digits,
    /// so that names sort in the order in which the files were made.
    ///
    /// # Errors
    /// [`Error::Invalid`] if that name would be invalid or longer than 430 bytes.
    pub fn create(
        &self,
        prefix: &str,
        contents: impl AsRef<[u8]>,
        exptime: Exptime,
    ) -> Result<(Version, String), Error> {
        let call = Call::create(prefix, contents.as_ref(), exptime)?;
        self.call(&call, Transport::created)
    }

    /// Returns what has changed since version `since` among the files whose names begin with
    /// `prefix`. If nothing has, waits for the first change, but no longer than `time`, which is
    /// rounded up to seconds and is at most a day. Other requests of this client wait meanwhile.
    ///
    /// Reports states, not events: a file that has changed twice appears once, and an answer has at
    /// most 10,000 names. Continue from the answer's version, or let [`follow`](Client::follow) do
    /// that.
    ///
    /// ```
    /// # let server = telefile::Server::builder().listen("127.0.0.1:0".parse()?).bind()?.spawn()?;
    /// # let address = server.addresses()[0].clone();
    /// use std::time::Duration;
    /// use telefile::Version;
    ///
    /// let client = telefile::Client::connect_to(&address)?;
    /// let version = client.write("config/port", "80")?;
    ///
    /// // Elsewhere, a little later.
    /// let other = telefile::Client::connect_to(&address)?;
    /// let writing = std::thread::spawn(move || other.write("config/port", "8080"));
    ///
    /// let news = client.watch("config/", version, Duration::from_secs(60))?;
    /// assert_eq!((news.changes[0].name.as_str(), news.version), ("config/port", Version(2)));
    /// # writing.join().unwrap()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Refusal::Compacted`](crate::Refusal::Compacted) if too much was deleted since then, or
    /// the version belongs to another table: list again, and watch from the list's version.
    /// [`Error::Invalid`] if `prefix` contains a space or line end.
    pub fn watch(&self, prefix: &str, since: Version, time: Duration) -> Result<Changes, Error> {
        let seconds = whole_seconds(time).min(MAX_WATCH_SECONDS);
        let call =
            Call::of_prefix(prefix, |prefix| Request::Watch { prefix, rev: since.0, seconds })?;
        self.call(&call, Transport::changes)
    }

    /// Waits until a file is no longer at `version`, but no longer than `time`, which is rounded up
    /// to seconds and is at most a day; returns the file's version, which is `version` itself if the
    /// time is over or the server stops. 0 is the version of an absent file. Other requests of this
    /// client wait meanwhile.
    ///
    /// Reports states, not events: of several changes only the last one is visible. Changes to
    /// other files, even ones whose names begin with this one's, do not end the wait.
    ///
    /// ```
    /// # let server = telefile::Server::builder().listen("127.0.0.1:0".parse()?).bind()?.spawn()?;
    /// # let address = server.addresses()[0].clone();
    /// use std::time::Duration;
    /// use telefile::Version;
    ///
    /// let client = telefile::Client::connect_to(&address)?;
    /// let version = client.write("config", "80")?;
    ///
    /// // Elsewhere, a little later.
    /// let other = telefile::Client::connect_to(&address)?;
    /// let writing = std::thread::spawn(move || other.write("config", "8080"));
    ///
    /// let mut current = version;
    /// while current == version {
    ///     current = client.wait("config", version, Duration::from_secs(60))?;
    /// }
    /// assert_eq!(current, Version(2));
    /// # writing.join().unwrap()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// See [`Error`].
    pub fn wait<'a>(
        &self,
        file: impl Into<Target<'a>>,
        version: Version,
        time: Duration,
    ) -> Result<Version, Error> {
        let call = Call::wait(file.into().of(&self.transport)?, version, time)?;
        self.call(&call, Transport::version)
    }

    /// Returns everything about a file except its contents.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn stat<'a>(&self, file: impl Into<Target<'a>>) -> Result<Stat, Error> {
        let call = Call::about(file.into().of(&self.transport)?, |file| Request::Stat { file })?;
        self.call(&call, Transport::stat)
    }

    /// Opens a file. If there is none, makes one of type `kind`, or of type `File` by default. An
    /// existing file keeps its type.
    ///
    /// # Errors
    /// [`Refusal::WrongType`](crate::Refusal::WrongType) with the file's type if that is another,
    /// [`Refusal::TypeNotFound`](crate::Refusal::TypeNotFound),
    /// [`Limit::Descriptors`](crate::Limit::Descriptors), and the type's own refusals.
    pub fn open(&self, name: &str, kind: Option<&str>) -> Result<OpenFile, Error> {
        let call = Call::open(name, kind)?;
        let (fd, version, kind) = self.call(&call, Transport::opened)?;
        Ok(OpenFile::new(self.transport.clone(), fd, name, version, kind))
    }

    /// Returns the session of folder synchronisation with this id if there is one, or else makes one
    /// with another id.
    ///
    /// ```
    /// # let server = telefile::Server::builder().listen("127.0.0.1:0".parse()?).bind()?.spawn()?;
    /// # let client = telefile::Client::connect(&server.addresses()[0].to_string())?;
    /// let made = client.session(None)?;
    /// assert!(made.is_new && made.id.len() == 32);
    /// let found = client.session(Some(&made.id))?;
    /// assert!(!found.is_new && found.id == made.id);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Invalid`] if `id` is not 32 hex digits. A caller that must not get another id asks
    /// for the [`stat`](Client::stat) of `s/<id>/m` first.
    pub fn session(&self, id: Option<&str>) -> Result<Session, Error> {
        if let Some(id) = id.filter(|id| !is_session_id(id)) {
            let id = IdForLog(id);
            return Err(Error::Invalid(format!("{id} is not a session's id: 32 hex digits")));
        }
        self.call(&Call::plain(Request::Session { id }), Transport::session)
    }

    /// Returns the types that a file of this server can have.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn types(&self) -> Result<Vec<String>, Error> {
        self.call(&Call::plain(Request::Types), Transport::lines)
    }

    /// Returns the server's limits and current usage, as names and values.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn stats(&self) -> Result<Vec<(String, String)>, Error> {
        let lines = self.call(&Call::plain(Request::Stats), Transport::lines)?;
        let pair = |line: String| match line.split_once(' ') {
            Some((name, value)) => (name.to_string(), value.to_string()),
            None => (line, String::new()),
        };
        Ok(lines.into_iter().map(pair).collect())
    }
}
