//! The contents of `stats`: the limits, the totals of the table, and the counters.

use super::session::{MAX_BACKUPS, MAX_OPENS};
#[cfg(feature = "etcd")]
use super::settings::Settings;
use super::shared::Shared;
use crate::files::{Commits, Histogram};
use crate::refusal::Limit;
use std::sync::atomic::Ordering::Relaxed;

/// Returns names and values, in the order in which they are shown.
pub(super) fn report(server: &Shared) -> Vec<(String, String)> {
    let (settings, totals) = (&*server.settings, server.table.totals());
    let mut report = Vec::new();
    for &limit in Limit::ALL {
        let (value, max) = match limit {
            Limit::Contents => (settings.refused.largest_contents(), settings.max_contents),
            Limit::Memory => (server.budget.used(), server.budget.max()),
            Limit::Data => match server.table.stored() {
                Some((used, max)) => (used, max.unwrap_or(0)),
                None => continue,
            },
            // The value is of all connections, the maximum of each.
            Limit::Descriptors => (totals.descriptors, MAX_OPENS),
            Limit::Backups if server.table.stored().is_none() => continue,
            Limit::Backups => (server.backups.load(Relaxed), MAX_BACKUPS),
            Limit::Connections => (server.live.count() as u64, settings.max_connections as u64),
        };
        let word = limit.word();
        report.push((word.to_string(), value.to_string()));
        report.push((format!("{word}_max"), max.to_string()));
        report.push((format!("{word}_refused"), settings.refused.by(limit).to_string()));
    }
    let mut add = |name: &str, value: String| report.push((name.to_string(), value));
    add("files", totals.files.to_string());
    add("bytes", totals.bytes.to_string());
    add("sessions", totals.sessions.to_string());
    add("session_bytes", totals.session_bytes.to_string());
    add("opens", totals.opens.to_string());
    add("watches", totals.watches.to_string());
    add("transit", (server.room.used() + settings.buffers.used()).to_string());
    add("transit_max", (server.room.max() + settings.buffers.max()).to_string());
    add("version", totals.version.to_string());
    add("uptime_seconds", settings.started.elapsed().as_secs().to_string());
    let store = if server.table.stored().is_some() { "durable" } else { "memory" };
    #[cfg(feature = "etcd")]
    let store = if server.lead.is_some() { "etcd" } else { store };
    add("store", store.to_string());
    #[cfg(feature = "etcd")]
    if let Some(lead) = &server.lead {
        in_etcd("active", &lead.term.leader().address, settings, &mut add);
        add("last_commit_microseconds", lead.term.last_commit().as_micros().to_string());
    }
    let mut lines = settings.counters.lines();
    lines.push(("files_expired".to_string(), totals.expired));
    lines.push(("watches_woken".to_string(), totals.woken));
    if let Some(Commits { micros, files }) = server.table.commits() {
        lines.extend(histogram("commit_microseconds", micros));
        lines.extend(histogram("commit_files", files));
    }
    report.extend(lines.into_iter().map(|(name, value)| (name, value.to_string())));
    report
}

/// Adds which server of a table in etcd this one is.
#[cfg(feature = "etcd")]
fn in_etcd(role: &str, leader: &str, settings: &Settings, add: &mut impl FnMut(&str, String)) {
    add("role", role.to_string());
    add("leader", leader.to_string());
    add("failovers", settings.failovers.count().to_string());
}

/// Returns the lines of a server that has no table now, while another one or none has it: those of the
/// process.
#[cfg(feature = "etcd")]
pub(super) fn without_table(
    settings: &Settings,
    connections: u64,
    role: &str,
    leader: &str,
) -> Vec<(String, String)> {
    let mut report = Vec::new();
    let mut add = |name: &str, value: String| report.push((name.to_string(), value));
    add("connections", connections.to_string());
    add("connections_max", settings.max_connections.to_string());
    add("uptime_seconds", settings.started.elapsed().as_secs().to_string());
    add("store", "etcd".to_string());
    in_etcd(role, leader, settings, &mut add);
    let lines = settings.counters.lines().into_iter();
    report.extend(lines.map(|(name, value)| (name, value.to_string())));
    report
}

/// Returns for each bound how many values are at most that, then their sum and their count.
fn histogram(name: &str, histogram: &Histogram) -> Vec<(String, u64)> {
    let read = histogram.read();
    let bounds = read.up_to.into_iter().map(|(bound, count)| (format!("{name}_le_{bound}"), count));
    let rest = [(format!("{name}_sum"), read.sum), (format!("{name}_count"), read.count)];
    bounds.chain(rest).collect()
}
