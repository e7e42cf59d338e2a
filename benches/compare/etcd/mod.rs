//! What a table in etcd costs: several servers on a cluster, beside transactions that are sent straight
//! to it, and beside a server in memory.
//!
//! `site` starts the members and the servers, and `parts` has the measurements.

mod parts;
mod site;

use crate::figures::Figures;
use crate::peer::Peer;
use crate::{loudly, process};
use parts::{Bench, PARTS};
use std::fs;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

pub(crate) struct Settings {
    /// How long each sample of a rate takes.
    pub(crate) time: Duration,
    pub(crate) reps: usize,
    /// The names of the parts; empty means all.
    pub(crate) only: Vec<String>,
    /// The server's program.
    pub(crate) program: PathBuf,
}

/// Returns the names of the parts.
pub(crate) fn names() -> Vec<&'static str> {
    PARTS.iter().map(|part| part.name).collect()
}

/// Measures and prints. Returns false if it cannot.
pub(crate) fn run(settings: &Settings) -> io::Result<bool> {
    if !cfg!(feature = "etcd") {
        loudly("NOT MEASURED: it needs `cargo bench --features etcd`");
        return Ok(false);
    }
    if !Peer::Etcd.is_here() {
        loudly("NOT MEASURED: etcd is not installed. On Debian: apt install etcd-server");
        return Ok(true);
    }
    process::end_on_signal()?;
    let mut figures = Figures::default();
    let wants = |name: &str| settings.only.is_empty() || settings.only.iter().any(|n| n == name);
    let mut loads = Vec::new();
    for rep in 0..settings.reps {
        for part in PARTS.iter().filter(|part| wants(part.name)) {
            loads.push(load()?);
            eprintln!("etcd: {} of {}, {}; load {}", rep + 1, settings.reps, part.name, load()?);
            let mut bench = Bench { settings, figures: &mut figures, seed: rep as u64 };
            (part.measure)(&mut bench)?;
        }
    }
    let processors = std::thread::available_parallelism()?;
    let reps = settings.reps;
    let (least, most) = loads.iter().fold((f64::MAX, 0f64), |(a, b), l| (a.min(*l), b.max(*l)));
    println!(
        "{figures}\n{processors} processors for all; {reps} times; load average {least} to {most}"
    );
    Ok(true)
}

/// Returns how many threads of the machine were ready to run in the last minute, including ours.
fn load() -> io::Result<f64> {
    let load = fs::read_to_string("/proc/loadavg")?;
    Ok(load.split(' ').next().and_then(|load| load.parse().ok()).unwrap_or_default())
}
