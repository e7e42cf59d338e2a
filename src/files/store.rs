//! Where the table is kept beyond the life of the process: what a store has to do.
//!
//! The table decides, the store writes down: a batch of changes is on disk, whole, before anybody
//! sees one of them. A table without a store lives in memory.

use crate::contents::Contents;
use crate::name::Name;
use std::fmt;
use std::io;
use std::time::Duration;

/// So many removals are remembered, for watches that ask what has changed.
pub const MAX_GONE: usize = 100_000;

/// What a store keeps of a table beside its files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The number of the table. It belongs to the data.
    pub epoch: u64,
    /// The latest version that was taken. It may be that of no file.
    pub version: u64,
    /// The table's time: deadlines are in it, and it stands still while the table is not loaded.
    pub time: Duration,
    /// Removals up to this version may be forgotten.
    pub forgotten: u64,
}

/// How long a file lives, as it is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    /// Until it is deleted.
    Unlimited,
    /// Until this time of the table.
    Until(Duration),
    /// Until a connection ends: not over a restart.
    Connection,
}

/// A change, as it is kept. Those of a batch are in the order of their versions, and a name is in a
/// batch once at most.
#[derive(Clone, Debug)]
pub enum Change {
    /// A name gets a file, or its file new contents.
    Put {
        /// Whose.
        name: Name,
        /// What the change took.
        version: u64,
        /// The version that the file had; what is kept of it goes. `None` for a new file.
        old: Option<u64>,
        /// The removal of an earlier file of this name that is remembered. It is forgotten now.
        removed: Option<u64>,
        /// What ends the file.
        life: Life,
        /// `None` for a file of code: its name is taken, and there is nothing that could be loaded.
        contents: Option<Contents>,
    },
    /// A file lives on otherwise, at the version that it has.
    Touch {
        /// Whose.
        name: Name,
        /// What ends the file now.
        life: Life,
    },
    /// A name loses its file.
    Remove {
        /// Whose.
        name: Name,
        /// What the change took.
        version: u64,
        /// The version that the file had.
        old: u64,
    },
    /// A name got a file and has lost it again, all in this batch. It had none before.
    Pass {
        /// Whose.
        name: Name,
        /// What the removal took.
        version: u64,
        /// The removal of an earlier file of this name that is remembered. It is forgotten now.
        removed: Option<u64>,
    },
    /// A file without a name has changed: nothing but the version is taken.
    Unnamed {
        /// What the change took.
        version: u64,
    },
}

impl Change {
    /// How many bytes it puts into the store; `None` if it puts nothing.
    pub fn adds(&self) -> Option<u64> {
        match self {
            Change::Put { name, contents, .. } => {
                Some((name.as_str().len() + contents.as_ref().map_or(0, |c| c.len())) as u64)
            }
            // It has nothing to give up for the removal that is remembered.
            Change::Pass { name, .. } => Some(name.as_str().len() as u64),
            Change::Touch { .. } | Change::Remove { .. } | Change::Unnamed { .. } => None,
        }
    }
}

/// A file that was kept.
#[derive(Debug)]
pub struct Row {
    /// Its name.
    pub name: Name,
    /// The change that made it what it is.
    pub version: u64,
    /// What ends it.
    pub life: Life,
    /// Its contents, or how long they are.
    pub contents: Kept,
}

/// Contents that were kept.
#[derive(Debug)]
pub enum Kept {
    /// None: a file of code.
    Code,
    /// Small ones.
    Here(Contents),
    /// So many bytes, to be read with [`Store::contents`].
    Stored(u64),
}

/// Why a batch is not on disk. Nothing of it is, then.
#[derive(Debug)]
pub enum CommitError {
    /// There is no room for it: the store may have so many bytes. Later batches may be kept.
    Full(u64),
    /// The disk refused in any other way. What is on it is not known any more, so the process has
    /// to end.
    Failed(io::Error),
}

/// Keeps a table.
pub trait Store: fmt::Debug + Send + Sync {
    /// Tells all that is kept: files, and the removals that are remembered by their versions.
    ///
    /// # Errors
    /// What is there cannot be read, or is damaged.
    fn load(
        &self,
        file: &mut dyn FnMut(Row),
        removal: &mut dyn FnMut(u64, Name),
    ) -> io::Result<Head>;

    /// Keeps a batch, all of it or nothing. It is on disk when this returns.
    ///
    /// # Errors
    /// See [`CommitError`].
    fn commit(&self, batch: &[Change], head: &Head) -> Result<(), CommitError>;

    /// The contents that were put with this version; `None` if they are not kept any more.
    ///
    /// # Errors
    /// Those of the disk.
    fn contents(&self, version: u64) -> io::Result<Option<Contents>>;

    /// How many bytes it takes on the disk, and how many it may take, if that is limited.
    fn size(&self) -> (u64, Option<u64>);

    /// Ends the use of what it is kept in, so that another process or store may begin. Nothing is
    /// committed after this, and contents may fail to be read.
    fn close(&self) {}

    /// The least size of contents that are [stored](Kept::Stored) and not kept in memory, in bytes.
    fn stored_from(&self) -> usize;
}
