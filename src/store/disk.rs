//! The bytes below the database: a file, how far it may reach, and what went wrong with it.

use super::error::{NO_STORE, Result, foreign};
use redb::StorageBackend;
use rustix::fs::{SeekFrom, fstatvfs, seek};
use rustix::io::Errno;
use std::fmt;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering::SeqCst};

/// Bytes that last: those of a file, or what a test takes for one.
pub(super) trait Medium: fmt::Debug + Send + Sync + 'static {
    fn len(&self) -> io::Result<u64>;
    fn read(&self, at: u64, bytes: &mut [u8]) -> io::Result<()>;
    fn write(&self, at: u64, bytes: &[u8]) -> io::Result<()>;
    fn set_len(&self, len: u64) -> io::Result<()>;
    fn sync(&self) -> io::Result<()>;
    /// Up to where the file takes room. What lies behind is a hole.
    fn end(&self) -> io::Result<u64>;
    /// How much room there is for more.
    ///
    /// # Errors
    /// Also if the file has no name any more: what is written then is lost.
    fn free(&self) -> io::Result<u64>;
    /// How much room the file takes.
    fn taken(&self) -> io::Result<u64>;
}

impl Medium for File {
    fn len(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn read(&self, at: u64, bytes: &mut [u8]) -> io::Result<()> {
        self.read_exact_at(bytes, at)
    }

    fn write(&self, at: u64, bytes: &[u8]) -> io::Result<()> {
        self.write_all_at(bytes, at)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        File::set_len(self, len)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }

    fn end(&self) -> io::Result<u64> {
        let mut end = 0;
        loop {
            match seek(self, SeekFrom::Data(end)).and_then(|at| seek(self, SeekFrom::Hole(at))) {
                Ok(hole) => end = hole,
                Err(Errno::NXIO) => return Ok(end), // nothing but a hole up to the end
                Err(_) => return Medium::len(self), // a file system that does not say
            }
        }
    }

    fn free(&self) -> io::Result<u64> {
        if self.metadata()?.nlink() == 0 {
            let why = "it was removed while it was used";
            return Err(io::Error::new(ErrorKind::NotFound, why));
        }
        match fstatvfs(self) {
            Ok(system) if system.f_blocks > 0 => {
                Ok(system.f_bavail.saturating_mul(system.f_frsize))
            }
            _ => Ok(u64::MAX), // a file system that does not say: the writes themselves will
        }
    }

    fn taken(&self) -> io::Result<u64> {
        Ok(self.metadata()?.blocks() * 512) // stat(2): of 512 bytes, whatever the system's are
    }
}

/// The length of the database's file is a multiple of this.
const PAGE_BYTES: u64 = 4096;

/// A medium as the database sees it. Clones are the same one.
///
/// The database doubles its file when it needs more, and what it has not written yet are holes
/// that take no room. So the length says little, and where something was written much.
#[derive(Clone, Debug)]
pub(super) struct Disk(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    medium: Box<dyn Medium>,
    /// Up to where something was written.
    end: AtomicU64,
    /// Nothing is written behind this, and the file is not made longer.
    limit: AtomicU64,
    /// Which kinds of [`Trouble`] there were, a bit each.
    trouble: AtomicU8,
}

/// What went wrong. The database does nothing more after any of it, until it is opened again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// The limit was met.
    Limit = 1,
    /// The system had no room for a write: what is there is as it was.
    Full = 2,
    /// A read failed.
    Read = 4,
    /// A write failed otherwise, or an fsync in whatever way: what is on the disk is not known.
    Write = 8,
}

impl Disk {
    pub(super) fn new(medium: Box<dyn Medium>) -> io::Result<Self> {
        let end = AtomicU64::new(medium.end()?);
        let (limit, trouble) = (AtomicU64::new(u64::MAX), AtomicU8::new(0));
        Ok(Disk(Arc::new(Shared { medium, end, limit, trouble })))
    }

    /// # Errors
    /// This is not the file of a database. One that is empty would become one.
    pub(super) fn expect_database(&self) -> Result<()> {
        const MAGIC: &[u8] = b"redb\x1a\x0a\xa9\x0d\x0a";
        let mut start = [0; MAGIC.len()];
        match self.0.medium.read(0, &mut start) {
            Err(e) if e.kind() != ErrorKind::UnexpectedEof => Err(e.into()),
            _ if start == MAGIC => Ok(()),
            _ => Err(foreign(NO_STORE)),
        }
    }

    /// Up to where something was written.
    pub(super) fn end(&self) -> u64 {
        self.0.end.load(SeqCst)
    }

    pub(super) fn free(&self) -> io::Result<u64> {
        self.0.medium.free()
    }

    pub(super) fn taken(&self) -> io::Result<u64> {
        self.0.medium.taken()
    }

    pub(super) fn sync(&self) -> io::Result<()> {
        self.note_write(self.0.medium.sync(), false)
    }

    /// Has what goes beyond `limit` fail as if the disk were full.
    pub(super) fn set_limit(&self, limit: u64) {
        self.0.limit.store(limit, SeqCst);
    }

    /// Makes the file as long as the limit allows, neither more nor less, so that the database
    /// finds its free pages below it; whether it was not that long. For a database that is closed
    /// without having noted its length.
    pub(super) fn fit(&self, limit: u64) -> io::Result<bool> {
        let length = (limit - limit % PAGE_BYTES).max(self.end().next_multiple_of(PAGE_BYTES));
        let other = length != self.0.medium.len()?;
        if other {
            self.note_write(self.0.medium.set_len(length), true)?;
        }
        Ok(other)
    }

    fn allow(&self, end: u64) -> io::Result<()> {
        if end <= self.0.limit.load(SeqCst) {
            return Ok(());
        }
        self.note(Trouble::Limit);
        Err(ErrorKind::StorageFull.into())
    }

    pub(super) fn had(&self, trouble: Trouble) -> bool {
        self.0.trouble.load(SeqCst) & trouble as u8 != 0
    }

    /// Whether there was any since [`Disk::clear_trouble`].
    pub(super) fn had_trouble(&self) -> bool {
        self.0.trouble.load(SeqCst) != 0
    }

    pub(super) fn clear_trouble(&self) {
        self.0.trouble.store(0, SeqCst);
    }

    fn note(&self, trouble: Trouble) {
        self.0.trouble.fetch_or(trouble as u8, SeqCst);
    }

    fn note_write<T>(&self, result: io::Result<T>, may_be_full: bool) -> io::Result<T> {
        if let Err(e) = &result {
            // Too large for the file system, or for `ulimit -f`: that is no damage either.
            let full = matches!(
                e.kind(),
                ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge
            );
            self.note(if full && may_be_full { Trouble::Full } else { Trouble::Write });
        }
        result
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        self.0.medium.len()
    }

    fn read(&self, at: u64, bytes: &mut [u8]) -> io::Result<()> {
        let read = self.0.medium.read(at, bytes);
        read.inspect_err(|_| self.note(Trouble::Read))
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        if len > self.0.medium.len()? {
            self.allow(len)?;
        }
        self.note_write(self.0.medium.set_len(len), true)?;
        self.0.end.fetch_min(len, SeqCst);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.sync()
    }

    fn write(&self, at: u64, bytes: &[u8]) -> io::Result<()> {
        let end = at + bytes.len() as u64;
        self.allow(end)?;
        self.note_write(self.0.medium.write(at, bytes), true)?;
        self.0.end.fetch_max(end, SeqCst);
        Ok(())
    }
}
