//! What all sessions share.

use super::current_token::CurrentToken;
use super::metrics::counters::Counters;
use super::refused::Refused;
use super::room::Room;
use crate::budget::{Budget, Charge};
use crate::files::Table;
use crate::net::{BufferedStream, Live, Stream};
use crate::refusal::{Limit, Refusal};
use crate::wire::MAX_LINE_BYTES;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

/// How long and how much a disconnected client may still send, so that it gets the last reply.
pub(super) const LINGER: Duration = Duration::from_secs(1);
pub(super) const LINGER_BYTES: usize = 1 << 20;

/// The state and the settings of a server.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) table: Table,
    pub(super) budget: Arc<Budget>,
    /// The part of the budget for the table's database.
    pub(super) _database: Charge,
    /// For lists and changes on their way to clients.
    pub(super) room: Room,
    /// For the buffers of connections.
    pub(super) buffers: Arc<Budget>,
    /// Closed by a stop; each session checks that before each request.
    pub(super) live: Live<Arc<Stream>>,
    pub(super) refused: Refused,
    pub(super) counters: Counters,
    pub(super) max_contents: u64,
    pub(super) max_connections: usize,
    pub(super) idle_timeout: Option<Duration>,
    pub(super) write_timeout: Duration,
    pub(super) token: CurrentToken,
    /// Whether clients over TCP may have backups.
    pub(super) allow_backup: bool,
    /// How many backups are on their way.
    pub(super) backups: AtomicU64,
    pub(super) dedicated: bool,
    pub(super) stack_bytes: usize,
    pub(super) started: Instant,
}

impl Shared {
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
