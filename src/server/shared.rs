//! What the sessions of a table share.

use super::room::Room;
use super::settings::Settings;
use crate::budget::{Budget, Charge};
use crate::files::Table;
use crate::net::{Live, Stream};
use std::net::Shutdown;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

/// How long and how much a disconnected client may still send, so that it gets the last reply.
pub(super) const LINGER: Duration = Duration::from_secs(1);
pub(super) const LINGER_BYTES: usize = 1 << 20;

/// How long after `stop` clients may take to receive what they are owed; then they are cut off.
pub(super) const CUT_OFF: Duration = Duration::from_millis(1000);
/// How long after `stop` the server abandons what still hangs.
pub(super) const LET_GO: Duration = Duration::from_millis(1500);

/// A table that is served, and its sessions.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) settings: Arc<Settings>,
    pub(super) table: Table,
    pub(super) budget: Arc<Budget>,
    /// The part of the budget for the table's database.
    pub(super) _database: Charge,
    /// For lists and changes on their way to clients.
    pub(super) room: Room,
    /// Closed by a stop; each session checks that before each request.
    pub(super) live: Live<Arc<Stream>>,
    /// How many backups are on their way.
    pub(super) backups: AtomicU64,
}

impl Shared {
    /// Ends all sessions, so that each reply to an executed request is sent, and then the commits.
    pub(super) fn close_down(&self) {
        let since = Instant::now();
        // Stop: no session begins, and none begins another request.
        self.live.close();
        // Wake those who wait for a change, memory or a line.
        self.table.close();
        self.room.close();
        self.live.each(|stream| stream.shutdown(Shutdown::Read));
        // Drain: the sessions send what they owe.
        self.live.wait_empty(Some(since + CUT_OFF));
        self.live.each(|stream| stream.shutdown(Shutdown::Both));
        self.live.wait_empty(Some(since + LET_GO));
        // Join: the committer finishes, and the server waits for it.
        self.table.end_commits();
    }
}
