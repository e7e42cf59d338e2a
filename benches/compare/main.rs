//! Telefile beside memcached, Redis and a server that does no work (`null`), driven by one loop;
//! with `--data` beside Redis that syncs always, etcd and what the disk allows; with `--etcd` several
//! servers of a table in etcd, beside etcd itself.
//!
//! `scenario` and `kept` define the measurements, and `measure` takes one sample: `process` starts
//! the server of a `peer`, an `engine` drives `client`s that speak its `dialect`, and `window` is
//! the time that counts. `report` makes the table. `etcd` has measurements of its own, with the same
//! engines. Not part of the package.

#[cfg(not(target_os = "linux"))]
compile_error!("the comparison reads Linux's /proc and uses epoll");

mod args;
mod checks;
mod client;
mod dialect;
mod engine;
mod etcd;
#[allow(dead_code, reason = "the measurements of watches use the rest")]
#[path = "../watch/figures.rs"]
mod figures;
mod folder;
mod kept;
mod load;
mod machine;
mod measure;
mod null;
mod peer;
mod process;
mod report;
mod scenario;
mod tally;
mod value;
mod window;

use args::{Settings, Task};
use peer::Peer;
use report::Results;
use scenario::Scenario;
use std::fs::File;
use std::io::{self, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::process::ExitCode;

/// Descriptors that do not belong to clients.
const OTHER_OPEN_FILES: u64 = 64;

fn main() -> ExitCode {
    let done = match args::parse() {
        Task::Check => checks::run().map(|()| true),
        Task::Null { port, size } => TcpListener::bind((Ipv4Addr::LOCALHOST, port))
            .map(|listener| null::serve(&listener, &value::Value::new(size)))
            .map(|()| true),
        Task::Measure(settings) => compare(&settings),
        Task::Etcd(settings) => checks::run().and_then(|()| etcd::run(&settings)),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(e) => {
            eprintln!("compare: {e}");
            ExitCode::FAILURE
        }
    }
}

/// Measures and prints. Returns false if a sample failed.
fn compare(settings: &Settings) -> io::Result<bool> {
    checks::run()?;
    process::end_on_signal()?;
    let mut json = match &settings.json {
        Some(path) => Some(File::options().create(true).append(true).open(path)?),
        None => None,
    };
    let open_files = machine::raise_open_files();
    let wanted =
        |s: &&Scenario| settings.only.is_empty() || settings.only.iter().any(|n| n == s.name);
    let mut lines = settings.table.head();
    let mut failed = false;
    for scenario in settings.table.scenarios.iter().filter(wanted) {
        if open_files < scenario.clients as u64 + OTHER_OPEN_FILES {
            loudly(&format!("{}: only {open_files} files may be open, LEFT OUT", scenario.name));
            failed = true;
            continue;
        }
        let (results, all_good) = take_samples(scenario, settings, json.as_mut())?;
        failed |= !all_good;
        lines += &results.lines();
    }
    let processors = std::thread::available_parallelism()?;
    let (seconds, reps) = (settings.time.as_secs_f64(), settings.reps);
    println!("{lines}\n{processors} processors; medians of {reps} samples of {seconds} s");
    if settings.table.is_on_disk {
        println!("files on {}", folder::file_system()?);
    }
    Ok(!failed)
}

/// Takes all samples of a scenario: in each round all servers, and in each round another one first.
fn take_samples<'a>(
    scenario: &'a Scenario,
    settings: &Settings,
    mut json: Option<&mut File>,
) -> io::Result<(Results<'a>, bool)> {
    let mut results = Results { table: settings.table, scenario, samples: Vec::new() };
    let mut all_good = true;
    let mut peers = scenario.peers.to_vec();
    peers.retain(|peer| {
        let here = peer.is_here();
        if !here {
            loudly(&format!("{}: {} is NOT INSTALLED, left out", scenario.name, peer.name()));
        }
        here
    });
    for rep in 0..settings.reps {
        for peer in &peers {
            all_good &= take_sample(&mut results, *peer, rep, settings, json.as_deref_mut())?;
        }
        peers.rotate_left(1);
    }
    Ok((results, all_good))
}

/// Takes a sample, and another one if that was disturbed. Returns false if it failed.
fn take_sample(
    results: &mut Results<'_>,
    peer: Peer,
    rep: usize,
    settings: &Settings,
    mut json: Option<&mut File>,
) -> io::Result<bool> {
    const TRIES: usize = 2;
    let scenario = results.scenario;
    for _ in 0..TRIES {
        match measure::measure(scenario, peer, settings.time, rep as u64) {
            Ok(sample) => {
                let line = report::json(scenario, peer, &sample);
                eprintln!("{line}");
                if let Some(json) = json.as_mut() {
                    writeln!(json, "{line}")?;
                }
                let disturbed = sample.window.is_disturbed();
                results.samples.push((peer, sample));
                if !disturbed {
                    break;
                }
            }
            Err(e) => {
                loudly(&format!("{}, {}: FAILED, {e}", scenario.name, peer.name()));
                return Ok(false);
            }
        }
    }
    Ok(true)
}

pub(crate) fn loudly(message: &str) {
    eprintln!("compare: *** {message} ***");
}
