//! `telefile bench`: runs a closed loop of clients that check every reply.

mod client;

use super::flags::{self, Flag, Takes, number, seconds, size};
use super::remote::{self, HasRemote, Remote};
use super::streams;
use super::{Failure, Outcome};
use client::{Client, Counts};
use std::fmt::Write;
use std::io::{self, ErrorKind};
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

/// How long the loop runs before it measures.
const WARM_UP: Duration = Duration::from_millis(300);

/// The load to run.
struct Settings {
    remote: Remote,
    conns: usize,
    depth: usize,
    size: usize,
    mix: Mix,
    time: Duration,
    json: bool,
}

/// The shares of reads, writes and cas.
#[derive(Clone, Copy)]
struct Mix {
    read: u32,
    write: u32,
    cas: u32,
}

impl std::str::FromStr for Mix {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || format!("{text}: not three numbers up to 1000, such as 90/10/0");
        let shares: Result<Vec<u32>, _> = text.split('/').map(str::parse).collect();
        match shares.map_err(|_| bad())?[..] {
            [read, write, cas] if read.max(write).max(cas) <= 1000 && read + write + cas > 0 => {
                Ok(Mix { read, write, cas })
            }
            _ => Err(bad()),
        }
    }
}

impl HasRemote for Settings {
    fn remote(&mut self) -> &mut Remote {
        &mut self.remote
    }
}

const FLAGS: [Flag<Settings>; 8] = [
    remote::addr(),
    remote::token_file(),
    Flag {
        name: "conns",
        takes: Takes::One("N"),
        variable: "",
        help: "connections, a thread each (50); the files end with them",
        set: |s, text| put(&mut s.conns, number(text, 1)),
    },
    Flag {
        name: "depth",
        takes: Takes::One("D"),
        variable: "",
        help: "requests in flight on each, sent as one batch (1)",
        set: |s, text| put(&mut s.depth, number(text, 1)),
    },
    Flag {
        name: "size",
        takes: Takes::One("V"),
        variable: "",
        help: "bytes of each file (100)",
        set: |s, text| put(&mut s.size, size(text).map(|n| n as usize)),
    },
    Flag {
        name: "mix",
        takes: Takes::One("R/W/C"),
        variable: "",
        help: "shares of reads, writes and cas (90/10/0)",
        set: |s, text| put(&mut s.mix, text.parse()),
    },
    Flag {
        name: "secs",
        takes: Takes::One("S"),
        variable: "",
        help: "how long to measure, in seconds (3)",
        set: |s, text| put(&mut s.time, seconds(text)),
    },
    Flag {
        name: "json",
        takes: Takes::Nothing,
        variable: "",
        help: "one line of JSON instead of text",
        set: |s, _| put(&mut s.json, Ok::<_, String>(true)),
    },
];

fn put<V, E: ToString>(place: &mut V, value: Result<V, E>) -> Result<(), String> {
    *place = value.map_err(|e| e.to_string())?;
    Ok(())
}

/// The phases of a run.
mod phase {
    pub(super) const WARM_UP: u8 = 0;
    pub(super) const MEASURE: u8 = 1;
    pub(super) const STOP: u8 = 2;
}

pub(super) fn run(args: lexopt::Parser) -> Outcome {
    let mut settings = Settings {
        remote: Remote::default(),
        conns: 50,
        depth: 1,
        size: 100,
        mix: Mix { read: 90, write: 10, cas: 0 },
        time: Duration::from_secs(3),
        json: false,
    };
    let what = "load a server with requests, each after the reply to the one before";
    if !flags::parse("bench", what, &FLAGS, args, &mut settings)? {
        return Ok(());
    }
    if settings.depth > 1 && settings.depth.saturating_mul(settings.size) > client::MAX_BATCH_BYTES
    {
        // Otherwise both ends would wait for the other to read.
        let max = client::MAX_BATCH_BYTES >> 10;
        return Err(Failure::usage(format!("bench: --depth times --size is over {max} KiB")));
    }
    let load = client::Load::new(&settings, settings.remote.token()?);
    let load = load.map_err(|e| Failure::usage(format!("bench: {e}")))?;
    let mut clients = Vec::new();
    for i in 0..settings.conns {
        clients.push(Client::connect(&load, i as u64)?);
    }
    clients[0].write_all_files().map_err(failed)?;
    let (counts, seconds) = measure(&mut clients, settings.time);
    let tidied = clients[0].delete_all_files();
    let first_error = counts.first_error.clone().map(|(kind, why)| io::Error::new(kind, why));
    streams::put(report(&settings, &counts, seconds))?;
    first_error.map_or(tidied, Err).map_err(failed)
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
