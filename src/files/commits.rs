//! What commits have cost, for those who watch a server.

use super::histogram::Histogram;

/// What commits have cost: those that have succeeded.
#[derive(Debug)]
pub(crate) struct Commits {
    /// How many microseconds each took, from its start until its changes were visible.
    pub(crate) micros: Histogram,
    /// How many files each changed.
    pub(crate) files: Histogram,
}

impl Default for Commits {
    fn default() -> Self {
        const MICROS: &[u64] = &[
            100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000,
            1_000_000, 2_500_000,
        ];
        const FILES: &[u64] = &[1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000];
        Commits { micros: Histogram::new(MICROS), files: Histogram::new(FILES) }
    }
}
