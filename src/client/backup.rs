//! A backup of a running server, received piece by piece.

use super::Client;
use super::call::Call;
use super::error::Error;
use super::transport::{Transport, lock};
use crate::version::Version;
use crate::wire::Request;
use std::fmt;
use std::io::{self, BufRead, ErrorKind, Read};
use std::sync::MutexGuard;

impl Client {
    /// Begins a backup: all files of the server as they are at this moment, while changes go on.
    /// Other requests of this client wait until it is dropped.
    ///
    /// `telefile restore` and
    #[cfg_attr(feature = "durable", doc = "[`Durable::restore`](crate::store::Durable::restore)")]
    #[cfg_attr(not(feature = "durable"), doc = "`Durable::restore`, of feature `durable`,")]
    /// make a table from it. It contains files with secret names, and leaves out those that end with
    /// a connection and code files.
    ///
    #[cfg_attr(feature = "durable", doc = "```")]
    #[cfg_attr(not(feature = "durable"), doc = "```ignore")]
    /// # let folder = std::env::temp_dir().join(format!("telefile-backup-{}", std::process::id()));
    /// # std::fs::create_dir(&folder)?;
    /// use telefile::net::Address;
    /// use telefile::{Client, Server, store::Durable};
    ///
    /// let socket = Address::Unix(folder.join("socket"));
    /// let server = Server::builder().listen(socket.clone()).data(folder.join("data"));
    /// let server = server.bind()?.spawn()?;
    /// let client = Client::connect_to(&socket)?;
    /// let version = client.write("greeting", "hello")?;
    ///
    /// let mut backup = client.backup()?;
    /// assert_eq!(backup.version(), version);
    /// let mut bytes = Vec::new(); // or a file
    /// std::io::copy(&mut backup, &mut bytes)?;
    /// assert_eq!(bytes.len() as u64, backup.numbytes());
    ///
    /// let epoch = 0xbeef; // draw it from the system's randomness
    /// Durable::restore(&folder.join("restored"), &bytes[..], "the backup", epoch)?;
    /// # drop(backup);
    /// # server.stop()?;
    /// # std::fs::remove_dir_all(folder)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Refusal::Denied`](crate::Refusal::Denied) if the server keeps its files in memory, or allows
    /// backups over its Unix sockets alone; [`Limit::Backups`](crate::Limit::Backups) if it makes
    /// another one.
    pub fn backup(&self) -> Result<Backup<'_>, Error> {
        let mut transport = lock(&self.transport)?;
        let (version, numbytes) =
            transport.call(&Call::plain(Request::Backup), Transport::backup)?;
        Ok(Backup { transport, version, numbytes, left: numbytes, is_whole: false })
    }
}

/// A backup on its way: see [`Client::backup`]. It is whole when a read has returned 0 bytes.
///
/// Reads fail with an [`io::Error`] that has the client's [`Error`] inside. The connection is lost
/// then, and also if this is dropped before the end.
#[must_use = "it has to be read to its end"]
pub struct Backup<'a> {
    transport: MutexGuard<'a, Transport>,
    version: Version,
    numbytes: u64,
    /// How many bytes are not read yet.
    left: u64,
    /// Whether the line end behind the bytes is read.
    is_whole: bool,
}

impl Backup<'_> {
    /// Returns the version of the server's table in this state.
    pub fn version(&self) -> Version {
        self.version
    }

    /// Returns how many bytes the whole backup has.
    pub fn numbytes(&self) -> u64 {
        self.numbytes
    }
}

impl BufRead for Backup<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.left == 0 {
            if !self.is_whole {
                self.transport.end_counted().map_err(wrapped)?;
                self.is_whole = true;
            }
            return Ok(&[]);
        }
        self.transport.counted(self.left).map_err(wrapped)
    }

    fn consume(&mut self, count: usize) {
        self.transport.consume(count, self.left);
        self.left -= count as u64;
    }
}

impl Read for Backup<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let mut received = self.fill_buf()?;
        let count = received.read(bytes)?;
        self.consume(count);
        Ok(count)
    }
}

impl Drop for Backup<'_> {
    fn drop(&mut self) {
        if !self.is_whole {
            self.transport.abandon("a backup was not read to its end");
        }
    }
}

impl fmt::Debug for Backup<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Backup { version, numbytes, left, .. } = self;
        let mut shown = f.debug_struct("Backup");
        shown.field("version", version).field("numbytes", numbytes);
        shown.field("left", left).finish_non_exhaustive()
    }
}

fn wrapped(e: Error) -> io::Error {
    let kind = match &e {
        Error::Lost(e) => e.kind(),
        _ => ErrorKind::InvalidData,
    };
    io::Error::new(kind, e)
}
