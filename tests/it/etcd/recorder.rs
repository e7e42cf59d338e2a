//! What all clients under load share, and how one of them goes on.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};
use telefile::Client;

/// More than any client sends.
pub(super) const MOST_REQUESTS: usize = 1_000_000_000;

/// The pause after an attempt to connect that has failed.
const PAUSE: Duration = Duration::from_millis(20);

pub(super) struct Shared {
    since: Instant,
    pub(super) ended: AtomicBool,
    /// When each client has sent the latest request that was answered.
    pub(super) answered: Vec<AtomicU64>,
    /// How many changes are made.
    pub(super) done: AtomicU64,
    /// How many requests have a file of [`searched`](super::searched).
    pub(super) tickets: AtomicU64,
    /// What no client should see.
    pub(super) wrong: Mutex<Vec<String>>,
}

impl Shared {
    pub(super) fn new(clients: usize) -> Shared {
        Shared {
            since: Instant::now(),
            ended: AtomicBool::new(false),
            answered: (0..clients).map(|_| AtomicU64::new(0)).collect(),
            done: AtomicU64::new(0),
            tickets: AtomicU64::new(0),
            wrong: Mutex::default(),
        }
    }

    pub(super) fn now(&self) -> u64 {
        self.since.elapsed().as_nanos() as u64
    }

    pub(super) fn all_answered_since(&self, time: u64) -> bool {
        self.answered.iter().all(|answered| answered.load(SeqCst) > time)
    }

    pub(super) fn complain(&self, what: String) {
        self.wrong.lock().unwrap().push(what);
    }
}

/// Connects again, to whichever server answers.
pub(super) fn reconnect(client: &mut Client, shared: &Shared) {
    while !shared.ended.load(SeqCst) {
        match client.reconnect() {
            Ok(connected) => {
                *client = connected;
                return;
            }
            Err(e) if e.is_retryable() => {}
            Err(e) => shared.complain(format!("reconnect: {e}")),
        }
        thread::sleep(PAUSE);
    }
}
