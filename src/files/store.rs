//! Persistent storage of the table: the interface of a store.
//!
//! The table decides changes, and the store writes them: a whole batch is on disk before any change
//! of it is visible. A table without a store lives in memory.

pub(crate) use super::mutation::BOUND;
pub use super::mutation::{Head, Life, MAX_GONE, Mutation};

use crate::contents::Contents;
use crate::name::Name;
use std::error;
use std::fmt;
use std::io::{self, BufRead};
use std::time::Duration;

/// A stored file. Version 0, and a version, a time in seconds or a size of 2^62 or more, is damage.
#[derive(Debug)]
pub struct Row {
    /// Its name.
    pub name: Name,
    /// The version of its latest change.
    pub version: u64,
    /// What ends it.
    pub life: Life,
    /// Its contents, or their length.
    pub contents: RowContents,
}

impl Row {
    /// Returns whether the numbers are ones that a table can count with.
    pub(super) fn is_sound(&self) -> bool {
        self.life.is_sound()
            && (1..BOUND).contains(&self.version)
            && self.contents.numbytes() < BOUND
    }
}

/// The contents of a stored file, as they are loaded.
#[derive(Debug)]
pub enum RowContents {
    /// None: a code file.
    Code,
    /// Small contents.
    Inline(Contents),
    /// This number of bytes, which [`Store::contents`] reads.
    Stored(u64),
}

impl RowContents {
    /// Returns their length in bytes; 0 for a code file.
    pub(crate) fn numbytes(&self) -> u64 {
        match self {
            RowContents::Code => 0,
            RowContents::Inline(contents) => contents.len() as u64,
            RowContents::Stored(numbytes) => *numbytes,
        }
    }
}

/// Why a batch is not on disk. No part of it is.
#[derive(Debug)]
#[non_exhaustive]
pub enum CommitError {
    /// There is no room for the batch: the store is limited to this number of bytes. Later batches
    /// may succeed.
    Full(u64),
    /// The disk failed in any other way, and its contents are no longer known; or this is not the
    /// batch of a table that the store has. The process must end.
    Failed(io::Error),
}

impl fmt::Display for CommitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CommitError::Full(max) => write!(f, "no room: at most {max} bytes"),
            CommitError::Failed(e) => e.fmt(f),
        }
    }
}

impl error::Error for CommitError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            CommitError::Full(_) => None,
            CommitError::Failed(e) => e.source(), // its message is already in this one's
        }
    }
}

/// How large a batch is that a store writes [as a whole](Store::whole) in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Whole {
    /// The number of its mutations.
    pub mutations: usize,
    /// The size of all contents put by its requests, in bytes, without those of the last request.
    pub numbytes: u64,
}

impl Whole {
    /// Any batch.
    pub const ANY: Whole = Whole { mutations: usize::MAX, numbytes: u64::MAX };
}

/// How the next commit waits for the clients that the last one answers, so that what they change next is
/// in it, and not in commits of their own: see [`Store::gather`].
/// It waits until as many clients have come, or none comes for half of `longest`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gather {
    /// How long it waits at most.
    pub longest: Duration,
    /// It does not wait if more than this many changes are expected.
    pub changes: usize,
}

/// One state of a stored table, as [`Store::begin_backup`] returns it.
pub struct Backup {
    /// The version of the table in this state.
    pub version: u64,
    /// How many bytes the backup has.
    pub numbytes: u64,
    /// The bytes. An error, or another number of them, ends the connection of the client that
    /// receives them, which then has no backup.
    pub bytes: Box<dyn BufRead + Send>,
}

impl fmt::Debug for Backup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Backup { version, numbytes, .. } = self;
        let mut shown = f.debug_struct("Backup");
        shown.field("version", version).field("numbytes", numbytes).finish_non_exhaustive()
    }
}

/// Persistent storage of a table: what keeps the files of a server while it does not run. The
/// [module](crate::store) has an example.
///
/// The table decides each change, and the store only writes it down; a table has one store, and a
/// store one table at a time. A server calls [`load`](Store::load) once, before anything else. One
/// thread calls [`commit`](Store::commit), and at the end [`close`](Store::close). Any thread calls
/// [`contents`](Store::contents) and [`size`](Store::size) meanwhile.
///
/// # What an implementation must promise
///
/// - **All or nothing.** A batch is stored completely or not at all, also if the process or the
///   machine fails in the middle of it. A store that cannot promise that of large batches says so with
///   [`whole`](Store::whole).
/// - **On disk means on disk.** When `commit` returns `Ok`, the batch survives what the store is
///   meant to survive, a power loss for instance. The server acknowledges its changes right after.
/// - **As it was.** `load` returns the state after the last commit: each file with its latest version,
///   life and contents, each removal that is not forgotten, and the last head.
/// - **Forgetting.** A commit forgets the removals up to [`Head::forgotten`], those that its mutations
///   name as `removed`, and no others. A name is never both a file and a removal.
/// - **Contents by version.** Contents of [`stored_from`](Store::stored_from) bytes or more are
///   readable from their commit until the commit that replaces or removes them, because the table
///   keeps no copy.
/// - **No calls back.** A store does not use the server that it belongs to: that would wait forever.
///
/// A panic in `commit` or `load` does not lose acknowledged changes: it ends the process, or the
/// server does not start.
pub trait Store: fmt::Debug + Send + Sync {
    /// Calls `file` with each stored file, and `removal` with the version and the name of each
    /// remembered removal, both in any order. Returns the head: that of the last commit, or
    /// [`Head::new`] for a new store, with the same epoch each time.
    ///
    /// # Errors
    /// If the data cannot be read or is damaged. The server does not start then.
    fn load(
        &self,
        file: &mut dyn FnMut(Row),
        removal: &mut dyn FnMut(u64, Name),
    ) -> io::Result<Head>;

    /// Writes a batch and the head, all of it or nothing. It is on disk when this returns. Of a batch
    /// larger than [`whole`](Store::whole), the first part may be there after a crash, in the order of
    /// the batch.
    ///
    /// # Errors
    /// See [`CommitError`].
    fn commit(&self, batch: &[Mutation], head: &Head) -> Result<(), CommitError>;

    /// Returns the contents that were written at this version; `None` if they were replaced or
    /// removed.
    ///
    /// # Errors
    /// If the disk fails, and [`InvalidData`](io::ErrorKind::InvalidData) if the contents are
    /// damaged. The client that reads them gets `ERR_INTERNAL`.
    fn contents(&self, version: u64) -> io::Result<Option<Contents>>;

    /// Returns the store's size on disk and its limit, if it has one, in bytes.
    fn size(&self) -> (u64, Option<u64>);

    /// Begins a backup: returns the state after the last commit as a stream, which stays that state
    /// while commits go on. `None`, the default, if this store makes no backups.
    ///
    /// # Errors
    /// If the data cannot be read or is damaged. The client that wants the backup gets
    /// `ERR_INTERNAL`.
    fn begin_backup(&self) -> io::Result<Option<Backup>> {
        Ok(None)
    }

    /// Releases the underlying storage, so that another process or store can use it. Nothing is
    /// committed after this, and reading contents may fail.
    fn close(&self) {}

    /// Returns how large a batch is written as a whole in any case. A table combines changes of one
    /// name in that alone, so that each part of a larger batch is the table at one of its versions.
    fn whole(&self) -> Whole {
        Whole::ANY
    }

    /// Returns what the next commit may wait for, after one that has just ended. `None`, the default, is
    /// right where a commit takes not much longer than clients take to send.
    fn gather(&self) -> Option<Gather> {
        None
    }

    /// Returns the smallest size, in bytes, of contents that are [only stored](RowContents::Stored).
    /// Smaller contents are in memory as well; with `usize::MAX`, all are. Always the same.
    fn stored_from(&self) -> usize;
}
