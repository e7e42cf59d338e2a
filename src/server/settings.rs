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
use std::sync::atomic::AtomicU64;
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
    /// How often this server has become the active one of a table in etcd.
    #[cfg(feature = "etcd")]
    pub(super) terms: AtomicU64,
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
