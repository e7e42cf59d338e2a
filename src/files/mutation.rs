//! What a store keeps besides files, and the changes that it writes.

use crate::contents::Contents;
use crate::name::Name;
use crate::version::Epoch;
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
    pub(super) fn is_sound(self) -> bool {
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
    /// Returns whether its numbers can be [loaded](super::store::Store::load) again.
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
