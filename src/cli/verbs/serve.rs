//! `telefile serve`: the server.

use crate::cli::failure::{Failure, Outcome, exit_status};
use crate::cli::flags::{self, Flag, Takes, number, seconds, size};
use crate::cli::log::Log;
use crate::cli::signals::{self, INTENTION};
use crate::cli::streams::say;
use crate::files::FileType;
use crate::net::Address;
use crate::server::{BindError, Builder, Handle, Server};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use std::io;
use std::path::PathBuf;
use std::process::{self, ExitCode};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

/// How long the process lasts at most after the first signal.
const LAST_CALL: Duration = Duration::from_millis(1800);

const FLAGS: &[Flag<Builder>] = &[
    Flag {
        name: "listen",
        takes: Takes::Many("ADDR"),
        variable: "TELEFILE_LISTEN",
        help: "HOST:PORT, [IPV6]:PORT or unix:PATH (127.0.0.1:8080); port 0: a free one",
        set: |b, text| change(b, text.parse::<Address>(), Builder::listen),
    },
    Flag {
        name: "connections",
        takes: Takes::One("N"),
        variable: "TELEFILE_CONNECTIONS",
        help: "clients at once (4096); Linux carries about 15,900 by default",
        set: |b, text| change(b, number(text, 1), Builder::connections),
    },
    Flag {
        name: "max-contents",
        takes: Takes::One("BYTES"),
        variable: "TELEFILE_MAX_CONTENTS",
        help: "bytes of one file (64M)",
        set: |b, text| change(b, size(text), Builder::max_contents),
    },
    Flag {
        name: "max-memory",
        takes: Takes::One("BYTES"),
        variable: "TELEFILE_MAX_MEMORY",
        help: "bytes of all files (half of the machine's, or of the cgroup's)",
        set: |b, text| change(b, size(text), Builder::max_memory),
    },
    Flag {
        name: "root",
        takes: Takes::One("DIR"),
        variable: "TELEFILE_ROOT",
        help: "the folder of TextFiles (./files), made by the first write to one",
        set: |b, text| change(b, path(text), Builder::root),
    },
    #[cfg(feature = "durable")]
    Flag {
        name: "data",
        takes: Takes::One("DIR"),
        variable: "TELEFILE_DATA",
        help: "keep the files in this folder, over restarts and crashes (in memory)",
        set: |b, text| change(b, path(text), Builder::data),
    },
    #[cfg(feature = "durable")]
    Flag {
        name: "max-data",
        takes: Takes::One("BYTES"),
        variable: "TELEFILE_MAX_DATA",
        help: "bytes of that folder, 4M at least (what the disk has)",
        set: |b, text| change(b, size(text), Builder::max_data),
    },
    Flag {
        name: "idle-timeout",
        takes: Takes::One("SECS"),
        variable: "TELEFILE_IDLE_TIMEOUT",
        help: "a client that is silent for so long is closed (never)",
        set: |b, text| change(b, seconds(text).map(Some), Builder::idle_timeout),
    },
    Flag {
        name: "write-timeout",
        takes: Takes::One("SECS"),
        variable: "TELEFILE_WRITE_TIMEOUT",
        help: "so is one that takes longer for a MiB of replies (30)",
        set: |b, text| change(b, seconds(text), Builder::write_timeout),
    },
    Flag {
        name: "token-file",
        takes: Takes::One("FILE"),
        variable: "TELEFILE_TOKEN_FILE",
        help: "clients have to show the token in it: hello TOKEN",
        set: |b, text| change(b, path(text), Builder::token_file),
    },
    Flag {
        name: "insecure",
        takes: Takes::Nothing,
        variable: "TELEFILE_INSECURE",
        help: "listen for other machines without a token",
        set: |b, _| change(b, Ok::<_, String>(true), Builder::insecure),
    },
    Flag {
        name: "dedicated",
        takes: Takes::Nothing,
        variable: "TELEFILE_DEDICATED",
        help: "this machine serves nothing else: more throughput, less for others",
        set: |b, _| change(b, Ok::<_, String>(true), Builder::dedicated),
    },
];

fn path(text: &str) -> Result<PathBuf, String> {
    if text.is_empty() { Err("is empty".to_string()) } else { Ok(text.into()) }
}

fn change<V, E: ToString>(
    builder: &mut Builder,
    value: Result<V, E>,
    with: fn(Builder, V) -> Builder,
) -> Result<(), String> {
    let value = value.map_err(|e| e.to_string())?;
    *builder = with(std::mem::take(builder), value);
    Ok(())
}

/// Runs the command line of `telefile serve` for a program with file types of its own: reads the
/// process's arguments and environment, serves until SIGINT or SIGTERM, and returns the exit status
/// for `main`: 0 done, 1 failed, 2 a wrong command line.
///
/// ```no_run
/// use telefile::{File, Name, Refusal, file_types};
///
/// struct MyFile;
/// impl File for MyFile {
///     fn create(_name: &Name, _: &()) -> Result<Self, Refusal> {
///         Ok(MyFile)
///     }
/// }
///
/// fn main() -> std::process::ExitCode {
///     telefile::serve(file_types![MyFile])
/// }
/// ```
pub fn serve(types: impl IntoIterator<Item = FileType>) -> ExitCode {
    crate::cli::limits::refuse_large_files();
    signals::end_first_process();
    exit_status(run_with("", types, lexopt::Parser::from_env()))
}

pub(crate) fn run(args: lexopt::Parser) -> Outcome {
    run_with("serve", [], args)
}

fn run_with(
    command: &str,
    types: impl IntoIterator<Item = FileType>,
    args: lexopt::Parser,
) -> Outcome {
    let mut builder = Server::builder().types(types);
    let what =
        "share files with many clients until SIGINT or SIGTERM; RUST_LOG=debug shows each command";
    if !flags::parse(command, what, FLAGS, args, &mut builder)? {
        return Ok(());
    }
    let _log = Log::start().map_err(Failure::no_thread)?;
    keep_freed_memory();
    #[cfg(feature = "durable")]
    crate::cli::panics::report_damage_once();
    let server = builder.bind().map_err(|e| match e {
        BindError::Exposed { .. } => {
            Failure::usage(format!("{e}: give --token-file, or --insecure to allow that"))
        }
        BindError::NoDataFolder => Failure::usage("--max-data is for a table with --data"),
        BindError::MaxDataTooSmall(_) => Failure::usage("--max-data is less than 4M"),
        BindError::FileType(_) => Failure::usage(e),
        _ => Failure::failed(e),
    })?;
    stop_on_signals(server.handle()).map_err(Failure::failed)?;
    let addresses: Vec<_> = server.addresses().iter().map(ToString::to_string).collect();
    let addresses = addresses.join(" ");
    let version = env!("CARGO_PKG_VERSION");
    server.warnings().iter().for_each(|warning| log::warn!("{warning}"));
    log::info!("telefile {version} on {addresses}, {}", server.limits());
    // Programs that read this line rely on it.
    let ready = || say(&format!("telefile {version} listening on {addresses}\n"));
    let served = server.run_then(ready).map_err(Failure::failed);
    log::info!("stopped");
    served
}

/// Makes SIGHUP, SIGINT and SIGTERM stop the server. Everything that a stop needs is created here,
/// so it also works when the system has no room for another thread.
fn stop_on_signals(handle: Handle) -> io::Result<()> {
    let (taken, signals) = mpsc::channel();
    let thread = thread::Builder::new().name("stop".to_string());
    thread.spawn(move || stop_once(&handle, &signals))?;
    signals::each(&[SIGHUP, SIGINT, SIGTERM], move |signal| {
        let _ = taken.send(signal);
    })
}

/// Stops the server at the first signal, and exits immediately at one that demands it.
fn stop_once(handle: &Handle, signals: &Receiver<i32>) {
    if signals.recv().is_err() {
        return;
    }
    let since = Instant::now();
    handle.stop();
    while let Some(left) = LAST_CALL.checked_sub(since.elapsed()) {
        if signals.recv_timeout(left).is_ok() && since.elapsed() > INTENTION {
            process::exit(130); // 128 + SIGINT, as a shell shows it
        }
    }
    // What cannot be ended, or takes long to free, ends with the process.
    process::exit(0);
}

/// Makes the allocator keep some of what large files leave behind, instead of returning every
/// mebibyte to the system and faulting it in again: a quarter more throughput for large writes.
///
/// At the end of each arena glibc keeps twice the size of the largest block with a mapping of its
/// own that was ever freed (mallopt(3), M_MMAP_THRESHOLD, "dynamic"). So this frees a block that is
/// never touched. Other allocators are not affected.
fn keep_freed_memory() {
    const BLOCK_BYTES: usize = (8 << 20) - 4096;
    drop(std::hint::black_box(Vec::<u8>::with_capacity(BLOCK_BYTES)));
}
