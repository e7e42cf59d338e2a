//! How a log works: in a server, in a restore, and in tests.

/// How the log works.
#[derive(Clone, Copy, Debug)]
pub(in crate::store) struct Settings {
    pub(in crate::store) segment_bytes: u64,
    /// A thread makes checkpoints. Without one, a commit does that when no segment is free.
    pub(in crate::store) has_checkpointer: bool,
    /// Nothing is written into files.
    pub(in crate::store) is_read_only: bool,
    /// The least that the reserve takes; 0 for none.
    pub(in crate::store) reserve_bytes: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            segment_bytes: 8 << 20,
            has_checkpointer: true,
            is_read_only: false,
            reserve_bytes: 16 << 20,
        }
    }
}

impl Settings {
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
