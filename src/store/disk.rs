//! The bytes below the database: a file, its limit, and what went wrong with it.

use super::error::{NO_STORE, Result, foreign};
use redb::StorageBackend;
use rustix::fs::{SeekFrom, fstatvfs, seek};
use rustix::io::Errno;
use std::fmt;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering::SeqCst};

/// How many zeros are written at once.
const ZEROS: usize = 256 << 10;

/// Bytes that last: those of a file, or a test's substitute.
pub(super) trait Medium: fmt::Debug + Send + Sync + 'static {
    fn len(&self) -> io::Result<u64>;
    fn read(&self, at: u64, bytes: &mut [u8]) -> io::Result<()>;
    fn write(&self, at: u64, bytes: &[u8]) -> io::Result<()>;
    fn set_len(&self, len: u64) -> io::Result<()>;
    /// Makes the file this long, and gets room on disk for all of it.
    fn allocate(&self, len: u64) -> io::Result<()>;
    fn sync(&self) -> io::Result<()>;
    /// Returns where the used part of the file ends. What lies behind it is a hole.
    fn end(&self) -> io::Result<u64>;
    /// Returns how much more room there is.
    ///
    /// # Errors
    /// Also if the file no longer has a name: anything written then is lost.
    fn free(&self) -> io::Result<u64>;
    /// Returns whether the file still has a name. What is written into one that has none is lost.
    fn is_named(&self) -> io::Result<bool>;
    /// Returns how much room the file takes.
    fn taken(&self) -> io::Result<u64>;
}

/// The files beside the database, by name: those of the log, and the reserve.
pub(super) trait FileSet: fmt::Debug + Send + Sync + 'static {
    /// Returns the path of a file, for errors. The file need not exist.
    fn path(&self, name: &str) -> PathBuf;
    /// Opens a file; `None` if there is none.
    fn open(&self, name: &str) -> io::Result<Option<Box<dyn Medium>>>;
    /// Creates a file, whose name is on disk when this returns. An earlier file loses its name, and
    /// goes on for those that have it open.
    fn create(&self, name: &str) -> io::Result<Box<dyn Medium>>;
    /// Removes a file, if it exists.
    fn remove(&self, name: &str) -> io::Result<()>;
    /// Gives a file the name of the database, which loses it. After a power failure either may have it.
    ///
    /// # Errors
    /// The names are as they were; also if [`FileSet::sync_names`] is impossible here.
    fn replace_database(&self, name: &str) -> io::Result<()>;
    /// Waits until the names of the files are on disk.
    fn sync_names(&self) -> io::Result<()>;
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

    fn allocate(&self, len: u64) -> io::Result<()> {
        #[cfg(target_os = "linux")]
        {
            use rustix::fs::{FallocateFlags, fallocate};
            match fallocate(self, FallocateFlags::empty(), 0, len) {
                Err(Errno::OPNOTSUPP | Errno::NOSYS) => {} // NFS before 4.2, and some of FUSE
                done => return Ok(done?),
            }
        }
        fill(self, len)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }

    fn end(&self) -> io::Result<u64> {
        let mut end = 0;
        loop {
            match seek(self, SeekFrom::Data(end)).and_then(|at| seek(self, SeekFrom::Hole(at))) {
                Ok(hole) => end = hole,
                Err(Errno::NXIO) => return Ok(end), // only a hole up to the end
                Err(_) => return Medium::len(self), // a file system that does not say
            }
        }
    }

    fn free(&self) -> io::Result<u64> {
        if !self.is_named()? {
            let why = "it was removed while it was in use";
            return Err(io::Error::new(ErrorKind::NotFound, why));
        }
        match fstatvfs(self) {
            Ok(system) if system.f_blocks > 0 => {
                Ok(system.f_bavail.saturating_mul(system.f_frsize))
            }
            _ => Ok(u64::MAX), // a file system that does not say: the writes themselves will
        }
    }

    fn is_named(&self) -> io::Result<bool> {
        Ok(self.metadata()?.nlink() > 0)
    }

    fn taken(&self) -> io::Result<u64> {
        Ok(self.metadata()?.blocks() * 512) // stat(2): 512 bytes each, whatever the system's size
    }
}

/// Writes zeros from the start of a file to this length, which it has then. Does not sync them.
pub(super) fn fill(medium: &dyn Medium, len: u64) -> io::Result<()> {
    let zeros = vec![0; ZEROS.min(usize::try_from(len).unwrap_or(ZEROS))];
    medium.set_len(len)?;
    let mut from = 0;
    while from < len {
        let length = zeros.len().min(usize::try_from(len - from).unwrap_or(ZEROS));
        medium.write(from, &zeros[..length])?;
        from += length as u64;
    }
    Ok(())
}

/// Returns whether there was no room for a write: on the disk, for this user, or in a file of the
/// size that the system allows.
pub(super) fn is_full(e: &io::Error) -> bool {
    use ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(e.kind(), StorageFull | QuotaExceeded | FileTooLarge)
}

/// The length of the database's file is a multiple of this.
const PAGE_BYTES: u64 = 4096;

/// A medium as the database sees it. Clones share one medium.
///
/// The database doubles its file when it needs more, and the parts not yet written are holes that
/// take no room. So the length says little, and the end of the written part says much.
#[derive(Clone, Debug)]
pub(super) struct Disk(Arc<Shared>);

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
pub(super) enum Trouble {
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
    pub(super) fn new(medium: Box<dyn Medium>) -> io::Result<Self> {
        let end = AtomicU64::new(medium.end()?);
        let (limit, trouble) = (AtomicU64::new(u64::MAX), AtomicU8::new(0));
        Ok(Disk(Arc::new(Shared { medium, end, limit, trouble })))
    }

    /// # Errors
    /// This is not a database's file. An empty one would become one.
    pub(super) fn expect_database(&self) -> Result<()> {
        const MAGIC: &[u8] = b"redb\x1a\x0a\xa9\x0d\x0a";
        let mut start = [0; MAGIC.len()];
        match self.0.medium.read(0, &mut start) {
            Err(e) if e.kind() != ErrorKind::UnexpectedEof => Err(e.into()),
            _ if start == MAGIC => Ok(()),
            _ => Err(foreign(NO_STORE)),
        }
    }

    /// Returns the end of what was written.
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

    /// Makes writes beyond `limit` fail as if the disk were full.
    pub(super) fn set_limit(&self, limit: u64) {
        self.0.limit.store(limit, SeqCst);
    }

    /// Makes the file exactly as long as the limit allows, so that the database finds its free
    /// pages below it. Returns whether the length changed. For a database that was closed without
    /// recording its length.
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

    /// Returns whether any trouble occurred since [`Disk::clear_trouble`].
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
