//! What the sessions of a table share.

#[cfg(feature = "etcd")]
use super::member::Lead;
use super::room::Room;
use super::settings::Settings;
use crate::budget::{Budget, Charge};
use crate::files::Table;
#[cfg(feature = "etcd")]
use crate::net::Gate;
use crate::net::{Live, Stream};
use std::io;
#[cfg(feature = "etcd")]
use std::io::ErrorKind;
use std::net::Shutdown;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

/// How long and how much a disconnected client may still send, so that it gets the last reply.
pub(super) const LINGER: Duration = Duration::from_secs(1);
pub(super) const LINGER_BYTES: usize = 1 << 20;

/// How long a client may keep sending after a stop and still receive its replies.
pub(super) const STOP_LINGER: Duration = Duration::from_millis(200);

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
    /// In etcd: the term in which this server has the table.
    #[cfg(feature = "etcd")]
    pub(super) lead: Option<Arc<Lead>>,
}

/// Lists and changes on their way to clients may take the memory of all files divided by this, and
/// so may the buffers of connections; but each at least what the longest list needs, with names.
const ON_ITS_WAY_PART: u64 = 16;
const MIN_ON_ITS_WAY_BYTES: u64 = 8 << 20;

/// Returns how many bytes of lists and changes may be on their way to clients, where this many bytes
/// of files are in memory.
pub(super) fn on_its_way(max_memory: u64) -> u64 {
    (max_memory / ON_ITS_WAY_PART).max(MIN_ON_ITS_WAY_BYTES)
}

impl Shared {
    pub(super) fn new(
        settings: Arc<Settings>,
        table: Table,
        budget: Arc<Budget>,
        database: Charge,
        #[cfg(feature = "etcd")] lead: Option<Arc<Lead>>,
    ) -> Arc<Self> {
        Arc::new(Shared {
            room: Room::new(on_its_way(budget.max())),
            settings,
            table,
            budget,
            _database: database,
            live: Live::default(),
            backups: AtomicU64::new(0),
            #[cfg(feature = "etcd")]
            lead,
        })
    }

    /// Makes sure that clients may be answered: in etcd, another server may be active by now.
    ///
    /// # Errors
    /// [`ErrorKind::ConnectionAborted`] if they may not, ever again. The connection ends without a reply
    /// to what is under way.
    pub(super) fn expect_active(&self) -> io::Result<()> {
        #[cfg(feature = "etcd")]
        if self.lead.as_ref().is_some_and(|lead| !lead.is_open()) {
            let why = "this server is no longer the active one";
            return Err(io::Error::new(ErrorKind::ConnectionAborted, why));
        }
        Ok(())
    }

    /// Ends all sessions without a reply to what is under way. Waits for nobody: a commit may hang.
    #[cfg(feature = "etcd")]
    pub(super) fn abandon(&self) {
        if let Some(lead) = &self.lead {
            lead.end(); // before sessions see that they have to end: they would still reply
        }
        self.live.close();
        self.live.each(|stream| stream.shutdown(Shutdown::Both));
        self.table.close();
        self.room.close();
        self.table.end_commits();
    }

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
