//! Persistent storage of the table: the interface of a store.
//!
//! The table decides changes, and the store writes them: a whole batch is on disk before any change
//! of it is visible. A table without a store lives in memory.

use crate::contents::Contents;
use crate::name::Name;
use crate::version::Epoch;
use std::error;
use std::fmt;
use std::io::{self, BufRead};
use std::time::Duration;

/// The most removals that are remembered, for watches that ask what has changed.
pub const MAX_GONE: usize = 100_000;

/// Stored versions are below this, and so are stored times in seconds and sizes in bytes, also all
/// sizes together. What a table adds to them stays below 2^63, as the protocol requires, and never
/// overflows.
pub(crate) const BOUND: u64 = 1 << 62;

/// What is stored of a table besides its files. A table whose numbers are 2^62 or more is damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The number that identifies the table. It belongs to the data.
    pub epoch: u64,
    /// The latest version that was taken. Perhaps no file has it.
    pub version: u64,
    /// The table's time. Deadlines refer to it. It stands still while the table is not loaded.
    pub time: Duration,
    /// Removals up to this version are forgotten.
    pub forgotten: u64,
}

/// How long a file lives, as it is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    /// Until it is deleted.
    Unlimited,
    /// Until this time on the table's clock.
    Until(Duration),
    /// Until a connection ends. Does not survive a restart.
    Connection,
}

impl Life {
    fn is_sound(self) -> bool {
        match self {
            Life::Until(time) => time.as_secs() < BOUND,
            Life::Unlimited | Life::Connection => true,
        }
    }
}

/// A change to the stored table. The mutations of a batch are in the order of their versions, and a
/// name occurs at most once in a batch.
#[derive(Clone, Debug)]
pub enum Mutation {
    /// A name gets a file, or its file gets new contents.
    Put {
        /// The name.
        name: Name,
        /// The version that the change took.
        version: u64,
        /// The file's previous version, which is no longer stored. `None` for a new file.
        old: Option<u64>,
        /// The remembered removal of an earlier file of this name, which is now forgotten.
        removed: Option<u64>,
        /// What ends the file.
        life: Life,
        /// `None` for a code file: its name is taken, but there is nothing to load.
        contents: Option<Contents>,
    },
    /// A file gets another end and keeps its version.
    Touch {
        /// The name.
        name: Name,
        /// What ends the file now.
        life: Life,
    },
    /// A name loses its file.
    Remove {
        /// The name.
        name: Name,
        /// The version that the change took.
        version: u64,
        /// The version that the file had.
        old: u64,
    },
    /// A name that had no file got one and lost it again, all in this batch.
    Pass {
        /// The name.
        name: Name,
        /// The version that the removal took.
        version: u64,
        /// The remembered removal of an earlier file of this name, which is now forgotten.
        removed: Option<u64>,
    },
    /// A file without a name has changed. Only a version is taken.
    Unnamed {
        /// The version that the change took.
        version: u64,
    },
}

impl Mutation {
    /// Returns whether its numbers can be [loaded](Store::load) again.
    #[cfg_attr(not(feature = "durable"), allow(dead_code))] // only the store on disk asks
    pub(crate) fn is_sound(&self) -> bool {
        match self {
            Mutation::Put { version, life, .. } => *version < BOUND && life.is_sound(),
            Mutation::Touch { life, .. } => life.is_sound(),
            Mutation::Remove { version, .. }
            | Mutation::Pass { version, .. }
            | Mutation::Unnamed { version } => *version < BOUND,
        }
    }

    /// Returns the number of bytes that this adds to the store; `None` if it adds nothing.
    pub fn adds(&self) -> Option<u64> {
        match self {
            Mutation::Put { name, contents, .. } => {
                Some((name.as_str().len() + contents.as_ref().map_or(0, |c| c.len())) as u64)
            }
            // It frees nothing in exchange for the removal that is remembered.
            Mutation::Pass { name, .. } => Some(name.as_str().len() as u64),
            Mutation::Touch { .. } | Mutation::Remove { .. } | Mutation::Unnamed { .. } => None,
        }
    }
}

impl Head {
    /// Returns the head of a new and empty table.
    pub fn new(epoch: Epoch) -> Self {
        Head { epoch: epoch.0, version: 0, time: Duration::ZERO, forgotten: 0 }
    }

    /// Returns whether a table can continue from this.
    pub(crate) fn is_sound(&self) -> bool {
        self.version < BOUND && self.time.as_secs() < BOUND && self.forgotten <= self.version
    }
}

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

    /// Returns the smallest size, in bytes, of contents that are [only stored](RowContents::Stored).
    /// Smaller contents are in memory as well; with `usize::MAX`, all are. Always the same.
    fn stored_from(&self) -> usize;
}
