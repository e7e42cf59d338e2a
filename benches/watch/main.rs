//! What watches cost: a write beside a thousand of them, how long a change takes to reach all of
//! them, a thousand that wait, and long lists beside a client that waits for its reply.
//!
//! `parts` has the measurements. They use `client`, a connection that sends a request and waits,
//! and `crowd`, many connections that watch. `figures` makes the table. The server runs as it does
//! for the comparison with others, whose `process` this is. Not part of the package.

#[cfg(not(target_os = "linux"))]
compile_error!("this reads Linux's /proc and uses epoll");

mod args;
mod client;
mod crowd;
#[allow(dead_code, reason = "the measurements of etcd use the rest")]
mod figures;
mod machine;
mod parts;
#[allow(dead_code, reason = "the comparison with others uses the rest")]
#[path = "../compare/process.rs"]
mod process;

use args::Settings;
use client::Client;
use figures::Figures;
use parts::PARTS;
use process::Process;
use std::io;
use std::process::{Command, ExitCode};
use std::{env, fs};

/// A server with the files that every part uses.
pub(crate) struct Bench {
    pub(crate) server: Process,
    pub(crate) settings: Settings,
}

fn main() -> ExitCode {
    match run(args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("watch: {e}");
            ExitCode::FAILURE
        }
    }
}

fn run(settings: Settings) -> io::Result<()> {
    process::end_on_signal()?;
    let server = Process::start(|port| command(&settings, port))?;
    Client::connect(server.address)?.fill(settings.files)?;
    let bench = Bench { server, settings };
    let Settings { reps, watchers, files, .. } = bench.settings;
    let mut figures = Figures::default();
    for rep in 1..=reps {
        for part in PARTS.iter().filter(|part| bench.settings.wants(part.name)) {
            eprintln!("watch: {rep} of {reps}, {}; load {}", part.name, load()?);
            (part.measure)(&bench, &mut figures)?;
        }
    }
    if bench.settings.measures {
        print!("{figures}");
        let processors = std::thread::available_parallelism()?;
        println!(
            "\n{watchers} watchers, {files} files; {processors} processors for all; {reps} times"
        );
    }
    Ok(())
}

fn command(settings: &Settings, port: u16) -> Command {
    const OTHERS: usize = 100;
    let mut command = match &settings.server {
        Some(program) => Command::new(program),
        None => Command::new(env!("CARGO_BIN_EXE_telefile")),
    };
    for (name, _) in env::vars_os().filter(|(n, _)| n.to_string_lossy().starts_with("TELEFILE_")) {
        command.env_remove(name);
    }
    command.env("RUST_LOG", "warn").args(["serve", "--listen", &format!("127.0.0.1:{port}")]);
    command.args(["--connections", &(settings.watchers + OTHERS).to_string()]);
    command
}

/// Returns how many threads of the machine were ready to run in the last minute, including ours.
fn load() -> io::Result<String> {
    let load = fs::read_to_string("/proc/loadavg")?;
    Ok(load.split(' ').next().unwrap_or_default().to_string())
}
