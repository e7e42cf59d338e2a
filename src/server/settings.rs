//! What all sessions of a server share, whichever table they serve.

use super::current_token::CurrentToken;
use super::metrics::counters::Counters;
use super::refused::Refused;
use crate::budget::Budget;
use crate::net::{BufferedStream, Stream};
use crate::refusal::{Limit, Refusal};
use crate::wire::MAX_LINE_BYTES;
use std::sync::Arc;
#[cfg(feature = "etcd")]
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// The settings of a server, and what it counts.
#[derive(Debug)]
pub(super) struct Settings {
    /// For the buffers of connections.
    pub(super) buffers: Arc<Budget>,
    pub(super) refused: Refused,
    pub(super) counters: Counters,
    pub(super) max_contents: u64,
    /// The most bytes of memory for files.
    pub(super) max_memory: u64,
    pub(super) max_connections: usize,
    pub(super) idle_timeout: Option<Duration>,
    pub(super) write_timeout: Duration,
    pub(super) token: CurrentToken,
    /// Whether clients over TCP may have backups.
    pub(super) allow_backup: bool,
    pub(super) dedicated: bool,
    pub(super) stack_bytes: usize,
    pub(super) started: Instant,
    #[cfg(feature = "etcd")]
    pub(super) failovers: Failovers,
}

/// How often the active server of a table in etcd has changed, as this server has seen that.
#[cfg(feature = "etcd")]
#[derive(Debug, Default)]
pub(super) struct Failovers {
    /// The latest term that was seen; 0: none.
    term: AtomicI64,
    count: AtomicU64,
}

#[cfg(feature = "etcd")]
impl Failovers {
    /// Counts a term, unless it is the first that is seen, or that was seen last.
    pub(super) fn see(&self, term: i64) {
        let before = self.term.swap(term, Relaxed);
        if before != 0 && before != term {
            self.count.fetch_add(1, Relaxed);
        }
    }

    pub(super) fn count(&self) -> u64 {
        self.count.load(Relaxed)
    }
}

impl Settings {
    /// Returns the buffered connection of a client.
    pub(super) fn connection(&self, stream: &Arc<Stream>) -> BufferedStream {
        let mut connection =
            BufferedStream::new(stream.clone(), MAX_LINE_BYTES, self.write_timeout);
        connection.set_budget(&self.buffers);
        connection.set_telnet();
        connection
    }

    pub(super) fn too_many_connections(&self) -> Refusal {
        Refusal::Limit(Limit::Connections, self.max_connections as u64)
    }
}
