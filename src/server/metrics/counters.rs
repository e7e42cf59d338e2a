//! Counters of requests, refusals, connections and bytes.
//!
//! Counting is an addition to memory that hardly any other thread uses at that moment: no lock, and
//! no look at the clock.

use crate::files::ClientId;
use crate::net::Traffic;
use crate::refusal::{Refusal, WORDS};
use crate::wire::{Request, VERBS};
use std::array;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Connections are spread over this many shards, so that threads that count at the same time rarely
/// share a cache line.
const SHARDS: usize = 64;

/// What all connections have done since the server started.
#[derive(Debug)]
pub(in crate::server) struct Counters {
    shards: Box<[Shard]>,
    accepted: AtomicU64,
    timed_out: AtomicU64,
}

/// What some of the connections have done.
#[derive(Debug)]
#[repr(align(128))]
pub(in crate::server) struct Shard {
    /// By the place of their verb in [`VERBS`].
    requests: [AtomicU64; VERBS.len()],
    /// By the place of their word in [`WORDS`].
    refusals: [AtomicU64; WORDS.len()],
    traffic: Arc<Traffic>,
}

impl Default for Counters {
    fn default() -> Self {
        let shards = (0..SHARDS).map(|_| Shard::new()).collect();
        Counters { shards, accepted: AtomicU64::new(0), timed_out: AtomicU64::new(0) }
    }
}

impl Counters {
    /// Returns where to count what this client does.
    pub(in crate::server) fn of(&self, client: ClientId) -> &Shard {
        &self.shards[client.number() as usize % SHARDS]
    }

    /// Counts a connection that gets a session.
    pub(in crate::server) fn count_accepted(&self) {
        self.accepted.fetch_add(1, Relaxed);
    }

    /// Counts a connection that is refused for this reason, without a session.
    pub(in crate::server) fn count_turned_away(&self, refusal: &Refusal) {
        self.shards[0].count_refusal(refusal);
    }

    /// Counts a connection that the server ends: its client is silent, or does not read.
    pub(in crate::server) fn count_timed_out(&self) {
        self.timed_out.fetch_add(1, Relaxed);
    }

    /// Returns the names and values for `stats`.
    pub(in crate::server) fn lines(&self) -> Vec<(String, u64)> {
        let sum = |part: &dyn Fn(&Shard) -> u64| self.shards.iter().map(part).sum::<u64>();
        let mut lines = vec![
            ("connections_accepted".to_string(), self.accepted.load(Relaxed)),
            ("connections_timed_out".to_string(), self.timed_out.load(Relaxed)),
            ("received_bytes".to_string(), sum(&|shard| shard.traffic.received())),
            ("sent_bytes".to_string(), sum(&|shard| shard.traffic.sent())),
        ];
        for (at, verb) in VERBS.iter().enumerate() {
            let count = sum(&|shard| shard.requests[at].load(Relaxed));
            lines.push((format!("requests_{verb}"), count));
        }
        for (at, word) in WORDS.iter().enumerate() {
            let kind = word.trim_start_matches("ERR_").to_ascii_lowercase();
            let count = sum(&|shard| shard.refusals[at].load(Relaxed));
            lines.push((format!("refusals_{kind}"), count));
        }
        lines
    }
}

impl Shard {
    fn new() -> Self {
        Shard {
            requests: array::from_fn(|_| AtomicU64::new(0)),
            refusals: array::from_fn(|_| AtomicU64::new(0)),
            traffic: Arc::default(),
        }
    }

    /// Counts a request that has arrived, whatever becomes of it.
    pub(in crate::server) fn count_request(&self, request: &Request<'_>) {
        self.requests[request.verb_index()].fetch_add(1, Relaxed);
    }

    /// Counts a refusal that is sent.
    pub(in crate::server) fn count_refusal(&self, refusal: &Refusal) {
        let place = WORDS.iter().position(|word| *word == refusal.word());
        if let Some(count) = place.and_then(|place| self.refusals.get(place)) {
            count.fetch_add(1, Relaxed);
        }
    }

    /// Returns where streams count their bytes.
    pub(in crate::server) fn traffic(&self) -> Arc<Traffic> {
        self.traffic.clone()
    }
}
