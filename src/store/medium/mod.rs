//! MEDIUM: the bytes below a store, and the files that hold them.
//!
//! Knows bytes and names of files; not what they mean. Tests have a disk of their own instead.

mod file;
pub(in crate::store) mod overlay;

use std::fmt;
use std::io::{self, ErrorKind};
use std::path::PathBuf;

/// How many zeros are written at once.
const ZEROS: usize = 256 << 10;

/// Bytes that last: those of a file, or a test's substitute.
pub(in crate::store) trait Medium: fmt::Debug + Send + Sync + 'static {
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
pub(in crate::store) trait FileSet: fmt::Debug + Send + Sync + 'static {
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
    /// The names are as they were.
    fn replace_database(&self, name: &str) -> io::Result<()>;
    /// Waits until the names of the files are on disk.
    ///
    /// # Errors
    /// Also if that is impossible on this file system.
    fn sync_names(&self) -> io::Result<()>;
}

/// Writes zeros from the start of a file to this length, which it has then. Does not sync them.
pub(in crate::store) fn fill(medium: &dyn Medium, len: u64) -> io::Result<()> {
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
pub(in crate::store) fn is_full(e: &io::Error) -> bool {
    use ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(e.kind(), StorageFull | QuotaExceeded | FileTooLarge)
}
