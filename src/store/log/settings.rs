//! How a log works: in a server, in a restore, and in tests.

/// How large the file of a segment is.
pub(in crate::store) const SEGMENT_BYTES: u64 = 8 << 20;
const MAX_NAMES: usize = 64 << 10;

/// How much of a segment is in memory when it is read, and how much of the buffer of a batch is kept for
/// the next one. A larger batch is in memory alone.
pub(super) const BUFFER_BYTES: usize = 64 << 10;

/// How the log works.
#[derive(Clone, Copy, Debug)]
pub(in crate::store) struct Settings {
    /// How large the file of a segment is.
    pub(in crate::store) segment_bytes: u64,
    /// A segment is sealed when it has this many bytes, or has changed `max_names` names: a checkpoint
    /// has them in memory, and the index has the names.
    pub(in crate::store) full_bytes: u64,
    pub(in crate::store) max_names: usize,
    /// A thread makes checkpoints. Without one, a commit does that when no segment is free.
    pub(in crate::store) has_checkpointer: bool,
    /// Nothing is written into files.
    pub(in crate::store) is_read_only: bool,
    /// The least that the reserve takes; 0 for none.
    pub(in crate::store) reserve_bytes: u64,
    /// The least that a compaction has to gain, in bytes.
    pub(in crate::store) compact_from: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            segment_bytes: SEGMENT_BYTES,
            full_bytes: SEGMENT_BYTES,
            max_names: MAX_NAMES,
            has_checkpointer: true,
            is_read_only: false,
            reserve_bytes: 16 << 20,
            compact_from: 64 << 20,
        }
    }
}

impl Settings {
    /// Returns settings with which the log takes memory in proportion to the cache of the database.
    pub(in crate::store) fn within(self, cache_bytes: usize) -> Self {
        let full_bytes = self.full_bytes.min((cache_bytes as u64).max(1 << 20));
        let max_names = self.max_names.min((cache_bytes / 512).max(1 << 10));
        Settings { full_bytes, max_names, ..self }
    }

    /// Returns those of a store whose files are left as they are.
    pub(in crate::store) fn read_only() -> Self {
        Settings {
            has_checkpointer: false,
            is_read_only: true,
            reserve_bytes: 0,
            ..Settings::default()
        }
    }
}
