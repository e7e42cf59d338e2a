//! The contents of `stats`.

use super::opens::MAX_OPENS;
use super::outgoing::MAX_BACKUPS;
use super::shared::Shared;
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
    add("store", store.to_string());
    report
}
