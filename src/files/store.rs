//! Persistent storage of the table: the interface of a store.
//!
//! The table decides changes, and the store writes them: a whole batch is on disk before any change
//! of it is visible. A table without a store lives in memory.

use crate::contents::Contents;
use crate::name::Name;
use std::error;
use std::fmt;
use std::io;
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
    /// Removals up to this version may be forgotten.
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
    #[cfg_attr(not(feature = "durable"), allow(dead_code))] // only a store asks
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
    /// Returns whether a table can continue from this.
    pub(crate) fn is_sound(&self) -> bool {
        self.version < BOUND && self.time.as_secs() < BOUND && self.forgotten <= self.version
    }
}

/// A stored file. A version, a time in seconds or a size of 2^62 or more is damage.
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
        self.life.is_sound() && self.version < BOUND && self.contents.numbytes() < BOUND
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
    pub(super) fn numbytes(&self) -> u64 {
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

/// Persistent storage of a table.
pub trait Store: fmt::Debug + Send + Sync {
    /// Calls `file` with each stored file, and `removal` with the version and the name of each
    /// remembered removal. Returns the head.
    ///
    /// # Errors
    /// If the data cannot be read or is damaged.
    fn load(
        &self,
        file: &mut dyn FnMut(Row),
        removal: &mut dyn FnMut(u64, Name),
    ) -> io::Result<Head>;

    /// Writes a batch, all of it or nothing. The batch is on disk when this returns.
    ///
    /// # Errors
    /// See [`CommitError`].
    fn commit(&self, batch: &[Mutation], head: &Head) -> Result<(), CommitError>;

    /// Returns the contents that were written at this version; `None` if they were replaced.
    ///
    /// # Errors
    /// If the disk fails.
    fn contents(&self, version: u64) -> io::Result<Option<Contents>>;

    /// Returns the store's size on disk and its limit, if it has one, in bytes.
    fn size(&self) -> (u64, Option<u64>);

    /// Releases the underlying storage, so that another process or store can use it. Nothing is
    /// committed after this, and reading contents may fail.
    fn close(&self) {}

    /// Returns the smallest size, in bytes, of contents that are [only stored](RowContents::Stored).
    /// Smaller contents are in memory as well.
    fn stored_from(&self) -> usize;
}
