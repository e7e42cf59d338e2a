//! How many bytes streams have received and sent.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// How many bytes have come and gone, over one or more [`BufferedStream`](super::BufferedStream)s.
/// Two of these share no cache line, so that threads that count in different ones do not slow each
/// other down.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct Traffic {
    received: AtomicU64,
    sent: AtomicU64,
}

impl Traffic {
    /// Returns how many bytes were received.
    pub fn received(&self) -> u64 {
        self.received.load(Relaxed)
    }

    /// Returns how many bytes were sent: the system has taken them.
    pub fn sent(&self) -> u64 {
        self.sent.load(Relaxed)
    }

    pub(super) fn count_received(&self, bytes: usize) {
        self.received.fetch_add(bytes as u64, Relaxed);
    }

    pub(super) fn count_sent(&self, bytes: usize) {
        self.sent.fetch_add(bytes as u64, Relaxed);
    }
}
