//! `telefile bench`: runs a closed loop of clients that check every reply.

mod client;
mod phase;
mod settings;

pub(crate) use settings::Settings;

use crate::cli::failure::{Failure, Outcome};
use crate::cli::streams;
use client::{Client, Counts};
use settings::Mix;
use std::fmt::Write;
use std::io::{self, ErrorKind};
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

/// How long the loop runs before it measures.
const WARM_UP: Duration = Duration::from_millis(300);

impl Settings {
    pub(crate) fn run(self) -> Outcome {
        let batch = (self.depth as u64).saturating_mul(self.size);
        if self.depth > 1 && batch > client::MAX_BATCH_BYTES {
            // Otherwise both ends would wait for the other to read.
            let max = client::MAX_BATCH_BYTES >> 10;
            let why = format!("bench: --depth times --size is over {max} KiB; lower one of them");
            return Err(Failure::usage(why));
        }
        let load = client::Load::new(&self, self.remote.place.token()?);
        let load = load.map_err(|e| Failure::usage(format!("bench: {e}")))?;
        let connect = || (0..self.conns).map(|i| Client::connect(&load, i as u64)).collect();
        let mut clients: Vec<_> = self.remote.patience.retrying(connect)?;
        clients[0].write_all_files().map_err(failed)?;
        let (counts, seconds) = measure(&mut clients, self.secs);
        let tidied = clients[0].delete_all_files();
        let first_error = counts.first_error.clone().map(|(kind, why)| io::Error::new(kind, why));
        streams::put(report(&self, &counts, seconds))?;
        first_error.map_or(tidied, Err).map_err(failed)
    }
}

/// An invalid answer or a refusal is `InvalidData`; anything else is about the connection.
fn failed(e: io::Error) -> Failure {
    match e.kind() {
        ErrorKind::InvalidData => Failure::failed(format!("bench: {e}")),
        _ => Failure::no_connection(format!("bench: {e}")),
    }
}

/// Runs all clients. Returns what they did, and in how many seconds.
fn measure(clients: &mut [Client<'_>], time: Duration) -> (Counts, f64) {
    let phase = AtomicU8::new(phase::WARM_UP);
    thread::scope(|scope| {
        let phase = &phase;
        let mut running = Vec::new();
        let mut total = Counts::default();
        for client in clients {
            let thread = thread::Builder::new().stack_size(256 << 10);
            match thread.spawn_scoped(scope, move || client.run(phase)) {
                Ok(handle) => running.push(handle),
                Err(e) => total.fail(&e),
            }
        }
        thread::sleep(WARM_UP);
        let start = Instant::now();
        phase.store(phase::MEASURE, Relaxed);
        thread::sleep(time);
        phase.store(phase::STOP, Relaxed);
        let seconds = start.elapsed().as_secs_f64();
        for handle in running {
            match handle.join() {
                Ok(counts) => total.add(&counts),
                Err(_) => total.fail(&io::Error::other("a client panicked")),
            }
        }
        (total, seconds)
    })
}

fn report(settings: &Settings, counts: &Counts, seconds: f64) -> String {
    let rate = |n: u64| format!("{:.0}", n as f64 / seconds);
    let quantile = |q: f64| format!("{:.1}", counts.nanoseconds.value_at_quantile(q) as f64 / 1e3);
    let Mix { read, write, cas } = settings.mix;
    let megabytes = counts.operations() as f64 * settings.size as f64 / 1e6 / seconds;
    let fields = [
        ("conns", settings.conns.to_string()),
        ("depth", settings.depth.to_string()),
        ("size", settings.size.to_string()),
        ("mix", format!("\"{read}/{write}/{cas}\"")),
        ("secs", format!("{seconds:.3}")),
        ("ops_per_s", rate(counts.operations())),
        ("reads_per_s", rate(counts.reads)),
        ("writes_per_s", rate(counts.writes)),
        ("cas_ok_per_s", rate(counts.cas_ok)),
        ("cas_refused_per_s", rate(counts.cas_refused)),
        ("mb_per_s", format!("{megabytes:.1}")),
        ("p50_us", quantile(0.5)),
        ("p99_us", quantile(0.99)),
        ("p999_us", quantile(0.999)),
        ("errors", counts.errors.to_string()),
    ];
    let mut text = String::new();
    if settings.json {
        let fields = fields.map(|(name, value)| format!("\"{name}\":{value}"));
        let _ = writeln!(text, "{{{}}}", fields.join(","));
    } else {
        for (name, value) in fields {
            let _ = writeln!(text, "{name:<18}{}", value.trim_matches('"'));
        }
    }
    text
}
