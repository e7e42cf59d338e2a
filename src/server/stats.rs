//! The contents of `stats`.

use super::Shared;
use super::opens::MAX_OPENS;
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
        }
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

/// Returns names and values, in the order in which they are shown.
pub(super) fn report(server: &Shared) -> Vec<(String, String)> {
    let totals = server.table.totals();
    let mut report = Vec::new();
    for limit in Limit::ALL {
        let (value, max) = match limit {
            Limit::Contents => (server.refused.largest_contents.load(Relaxed), server.max_contents),
            Limit::Memory => (server.budget.used(), server.budget.max()),
            Limit::Data => match server.table.stored() {
                Some((used, max)) => (used, max.unwrap_or(0)),
                None => continue,
            },
            Limit::Descriptors => (totals.descriptors, MAX_OPENS),
            Limit::Connections => (server.live.count() as u64, server.max_connections as u64),
        };
        let word = limit.word();
        report.push((word.to_string(), value.to_string()));
        report.push((format!("{word}_max"), max.to_string()));
        report
            .push((format!("{word}_refused"), server.refused.of(limit).load(Relaxed).to_string()));
    }
    let mut add = |name: &str, value: String| report.push((name.to_string(), value));
    add("files", totals.files.to_string());
    add("bytes", totals.bytes.to_string());
    add("opens", totals.opens.to_string());
    add("watches", totals.watches.to_string());
    add("transit", (server.room.used() + server.buffers.used()).to_string());
    add("transit_max", (server.room.max() + server.buffers.max()).to_string());
    add("version", totals.version.to_string());
    add("uptime_seconds", server.started.elapsed().as_secs().to_string());
    let store = if server.table.stored().is_some() { "durable" } else { "memory" };
    add("store", store.to_string());
    report
}
