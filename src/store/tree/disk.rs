//! The bytes below the database: a medium, its limit, and what went wrong with it.

use crate::store::error::{NO_STORE, Result, foreign};
use crate::store::medium::{Medium, is_full};
use redb::StorageBackend;
use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering::SeqCst};

/// The length of the database's file is a multiple of this.
const PAGE_BYTES: u64 = 4096;

/// A medium as the database sees it. Clones share one medium.
///
/// The database doubles its file when it needs more, and the parts not yet written are holes that
/// take no room. So the length says little, and the end of the written part says much.
#[derive(Clone, Debug)]
pub(in crate::store) struct Disk(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    medium: Box<dyn Medium>,
    /// The end of what was written.
    end: AtomicU64,
    /// Nothing is written beyond this, and the file does not grow beyond it.
    limit: AtomicU64,
    /// Which kinds of [`Trouble`] occurred, one bit each.
    trouble: AtomicU8,
}

/// What went wrong. After any of these the database does nothing more until it is reopened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum Trouble {
    /// The limit was reached.
    Limit = 1,
    /// The system had no room for a write: the bytes on disk are unchanged.
    Full = 2,
    /// A read failed.
    Read = 4,
    /// A write failed for another reason, or an fsync for any: the state of the disk is unknown.
    Write = 8,
}

impl Disk {
    pub(in crate::store) fn new(medium: Box<dyn Medium>) -> io::Result<Self> {
        let end = AtomicU64::new(medium.end()?);
        let (limit, trouble) = (AtomicU64::new(u64::MAX), AtomicU8::new(0));
        Ok(Disk(Arc::new(Shared { medium, end, limit, trouble })))
    }

    /// # Errors
    /// This is not a database's file. An empty one would become one.
    pub(in crate::store) fn expect_database(&self) -> Result<()> {
        const MAGIC: &[u8] = b"redb\x1a\x0a\xa9\x0d\x0a";
        let mut start = [0; MAGIC.len()];
        match self.0.medium.read(0, &mut start) {
            Err(e) if e.kind() != ErrorKind::UnexpectedEof => Err(e.into()),
            _ if start == MAGIC => Ok(()),
            _ => Err(foreign(NO_STORE)),
        }
    }

    /// Returns the end of what was written.
    pub(in crate::store) fn end(&self) -> u64 {
        self.0.end.load(SeqCst)
    }

    pub(in crate::store) fn free(&self) -> io::Result<u64> {
        self.0.medium.free()
    }

    pub(in crate::store) fn taken(&self) -> io::Result<u64> {
        self.0.medium.taken()
    }

    pub(in crate::store) fn sync(&self) -> io::Result<()> {
        self.note_write(self.0.medium.sync(), false)
    }

    /// Makes writes beyond `limit` fail as if the disk were full.
    pub(in crate::store) fn set_limit(&self, limit: u64) {
        self.0.limit.store(limit, SeqCst);
    }

    /// Makes the file exactly as long as the limit allows, so that the database finds its free
    /// pages below it. Returns whether the length changed. For a database that was closed without
    /// recording its length.
    pub(in crate::store) fn fit(&self, limit: u64) -> io::Result<bool> {
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

    pub(in crate::store) fn had(&self, trouble: Trouble) -> bool {
        self.0.trouble.load(SeqCst) & trouble as u8 != 0
    }

    /// Returns whether any trouble occurred since [`Disk::clear_trouble`].
    pub(in crate::store) fn had_trouble(&self) -> bool {
        self.0.trouble.load(SeqCst) != 0
    }

    pub(in crate::store) fn clear_trouble(&self) {
        self.0.trouble.store(0, SeqCst);
    }

    fn note(&self, trouble: Trouble) {
        self.0.trouble.fetch_or(trouble as u8, SeqCst);
    }

    fn note_write<T>(&self, result: io::Result<T>, may_be_full: bool) -> io::Result<T> {
        if let Err(e) = &result {
            self.note(if is_full(e) && may_be_full { Trouble::Full } else { Trouble::Write });
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
