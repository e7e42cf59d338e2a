//! An open file, which keeps the file open and finally closes it.

use super::call::{Call, Subject};
use super::error::Error;
use super::transport::{Transport, lock};
use super::{Snapshot, Stat};
use crate::exptime::Exptime;
use crate::name::{Fd, FileRef};
use crate::version::Version;
use crate::wire::Request;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A file that a client has open. Dropping it closes it.
///
/// It still refers to the same file after the name is deleted, and a file of a type that does not
/// stay lives until its last close. A file may be open several times, even at one client: each of
/// its `OpenFile`s counts.
///
/// Dropping waits for the server's reply, and for the connection, if another thread uses it. It
/// ignores errors; [`close`](OpenFile::close) returns them.
///
/// ```
/// # let server = telefile::Server::builder().listen("127.0.0.1:0".parse()?).bind()?.spawn()?;
/// # let address = server.addresses()[0].clone();
/// let client = telefile::Client::connect_to(&address)?;
/// let visit = client.open("visitors/me", None)?;
/// assert_eq!(visit.kind(), "File");
/// assert_eq!(client.stat("visitors/me")?.opens, 1);
///
/// drop(visit); // and as nobody else has it open, the file ends
/// assert!(client.stat("visitors/me").is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[must_use = "the file is closed when this is dropped"]
pub struct OpenFile {
    transport: Arc<Mutex<Transport>>,
    descriptor: Fd,
    name: String,
    version: Version,
    kind: String,
    closed: bool,
}

impl OpenFile {
    pub(super) fn new(
        transport: Arc<Mutex<Transport>>,
        descriptor: Fd,
        name: &str,
        version: Version,
        kind: String,
    ) -> Self {
        OpenFile { transport, descriptor, name: name.to_string(), version, kind, closed: false }
    }

    /// Returns the name by which the file was opened.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the file's number at the server, the same for all clients that have it open.
    pub fn descriptor(&self) -> Fd {
        self.descriptor
    }

    /// Returns the version that the file had when it was opened.
    pub fn version(&self) -> Version {
        self.version
    }

    /// Returns the file's type.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// Returns the contents and their version.
    ///
    /// # Errors
    /// See [`Error`]; a type may refuse reads.
    pub fn read(&self) -> Result<Snapshot, Error> {
        let call = Call::about(self.subject(), |file| Request::Read { file })?;
        lock(&self.transport)?.call(&call, Transport::snapshot)
    }

    /// Writes to the file; returns its new version. The type decides what a write means. The name no
    /// longer expires, even if it did before; [`Client::write_expiring`](super::Client::write_expiring)
    /// takes an open file too.
    ///
    /// # Errors
    /// See [`Error`]; a type may refuse writes.
    pub fn write(&self, contents: impl AsRef<[u8]>) -> Result<Version, Error> {
        let call = Call::write(self.subject(), contents.as_ref(), Exptime::Never)?;
        lock(&self.transport)?.call(&call, Transport::version)
    }

    /// Writes to the file if it is still at `version`; returns its new version. As after a
    /// [`write`](OpenFile::write), the name no longer expires.
    ///
    /// # Errors
    /// [`Refusal::Version`](crate::Refusal::Version) with the file's version, if it is another.
    pub fn cas(&self, version: Version, contents: impl AsRef<[u8]>) -> Result<Version, Error> {
        let (contents, never) = (contents.as_ref(), Exptime::Never);
        let call = Call::cas(self.subject(), version, contents, never)?;
        lock(&self.transport)?.call(&call, Transport::version)
    }

    /// Waits until the file is no longer at `version`, but no longer than `time`; returns its
    /// version, which is `version` itself if the time is over. See [`Client::wait`](super::Client::wait); deleting the name does not end the
    /// wait.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn wait(&self, version: Version, time: Duration) -> Result<Version, Error> {
        let call = Call::wait(self.subject(), version, time)?;
        lock(&self.transport)?.call(&call, Transport::version)
    }

    /// Returns everything except the contents.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn stat(&self) -> Result<Stat, Error> {
        let call = Call::about(self.subject(), |file| Request::Stat { file })?;
        lock(&self.transport)?.call(&call, Transport::stat)
    }

    /// Closes the file, and returns errors.
    ///
    /// # Errors
    /// See [`Error`]. The file is closed nevertheless: if the connection is lost, the server closes
    /// the files that were open on it.
    pub fn close(mut self) -> Result<(), Error> {
        self.close_once()
    }

    pub(super) fn subject(&self) -> Subject<'_> {
        Subject { file: FileRef::Descriptor(self.descriptor), name: &self.name }
    }

    pub(super) fn is_of(&self, transport: &Arc<Mutex<Transport>>) -> bool {
        Arc::ptr_eq(&self.transport, transport)
    }

    fn close_once(&mut self) -> Result<(), Error> {
        if std::mem::replace(&mut self.closed, true) {
            return Ok(());
        }
        let fd = self.descriptor;
        let call = Call::about(self.subject(), |_| Request::Close { fd })?;
        lock(&self.transport)?.call(&call, Transport::done)
    }
}

impl Drop for OpenFile {
    fn drop(&mut self) {
        let _ = self.close_once();
    }
}
