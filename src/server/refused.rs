//! How often each limit has refused a request, for `stats`.

use crate::refusal::{Limit, Refusal};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// How often each limit has refused a request, and the largest contents received.
#[derive(Debug, Default)]
pub(super) struct Refused {
    contents: AtomicU64,
    memory: AtomicU64,
    data: AtomicU64,
    connections: AtomicU64,
    descriptors: AtomicU64,
    backups: AtomicU64,
    largest_contents: AtomicU64,
}

impl Refused {
    fn of(&self, limit: Limit) -> &AtomicU64 {
        match limit {
            Limit::Contents => &self.contents,
            Limit::Memory => &self.memory,
            Limit::Data => &self.data,
            Limit::Connections => &self.connections,
            Limit::Descriptors => &self.descriptors,
            Limit::Backups => &self.backups,
        }
    }

    /// Returns how many requests the limit has refused.
    pub(super) fn by(&self, limit: Limit) -> u64 {
        self.of(limit).load(Relaxed)
    }

    pub(super) fn largest_contents(&self) -> u64 {
        self.largest_contents.load(Relaxed)
    }

    /// Counts a refusal that is because of a limit.
    pub(super) fn count(&self, refusal: &Refusal) {
        if let Refusal::Limit(limit, _) = refusal {
            self.of(*limit).fetch_add(1, Relaxed);
        }
    }

    pub(super) fn saw_contents(&self, bytes: usize) {
        let bytes = bytes as u64;
        // Most are not the largest, and a load does not take the cache line from other threads.
        if bytes > self.largest_contents.load(Relaxed) {
            self.largest_contents.fetch_max(bytes, Relaxed);
        }
    }
}
