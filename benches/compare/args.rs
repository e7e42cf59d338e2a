//! The command line.

use crate::etcd;
use crate::kept::KEPT;
use crate::report::Table;
use crate::scenario::SCENARIOS;
use crate::window::seconds;
use clap::builder::RangedU64ValueParser;
use clap::error::ErrorKind;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use std::path::PathBuf;
use std::time::Duration;

/// What to do.
pub(crate) enum Task {
    /// Prove that wrong replies are detected.
    Check,
    /// Run the server that does no work.
    Null {
        port: u16,
        size: usize,
    },
    Measure(Settings),
    /// Measure a table in etcd.
    Etcd(etcd::Settings),
}

pub(crate) struct Settings {
    pub(crate) time: Duration,
    pub(crate) reps: usize,
    /// What is measured.
    pub(crate) table: &'static Table,
    /// The names of the scenarios; empty means all.
    pub(crate) only: Vec<String>,
    pub(crate) json: Option<PathBuf>,
}

/// Measure telefile beside memcached, redis-server and a server that does no work, in turn, and print
/// one table. Use the machine, and the disk, for nothing else meanwhile
#[derive(Parser)]
#[command(bin_name = "cargo bench --bench compare --")]
struct Args {
    /// Measure each sample for SECS seconds
    #[arg(long, value_name = "SECS", default_value = "2", value_parser = seconds)]
    secs: Duration,
    /// Take N samples of each server in each scenario
    #[arg(long, value_name = "N", default_value = "5")]
    #[arg(value_parser = RangedU64ValueParser::<usize>::new().range(1..))]
    reps: usize,
    /// Measure what keeping files costs: telefile --data beside itself in memory, redis-server that
    /// syncs always, etcd, and bare appends with fdatasync. The files are in target
    #[arg(long)]
    data: bool,
    /// Measure servers of a table in etcd: beside transactions sent straight to etcd, and beside a server
    /// in memory. Needs etcd, and `--features etcd`. The data of etcd is in target
    #[arg(long, conflicts_with_all = ["data", "json"])]
    etcd: bool,
    /// With --etcd: measure this program instead of the one that was built
    #[arg(long, value_name = "FILE", requires = "etcd")]
    server: Option<PathBuf>,
    /// Measure these scenarios [default: all]
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    only: Vec<String>,
    /// Append each sample to FILE too, as a line of JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Measure: `cargo bench` adds this, and `cargo test --all-targets` does not
    #[arg(long, hide = true)]
    bench: bool,
    #[command(subcommand)]
    null: Option<Server>,
}

#[derive(Subcommand)]
enum Server {
    #[command(hide = true)]
    Null { port: u16, size: usize },
}

/// Parses the process's arguments. Ends the process after `--help`, and if they are wrong.
pub(crate) fn parse() -> Task {
    let names =
        |table: &Table| table.scenarios.iter().map(|s| s.name).collect::<Vec<_>>().join(" ");
    let mut command = Args::command().after_help(format!(
        "Scenarios: {}\nWith --data: {}\nWith --etcd: {}\n\n`cargo test --bench compare` proves that \
         wrong replies are detected, and measures nothing.",
        names(&SCENARIOS),
        names(&KEPT),
        etcd::names().join(" ")
    ));
    let matches = command.get_matches_mut();
    let args = Args::from_arg_matches(&matches).unwrap_or_else(|e| e.exit());
    if let Some(Server::Null { port, size }) = args.null {
        return Task::Null { port, size };
    }
    let table = if args.data { &KEPT } else { &SCENARIOS };
    let known: Vec<_> = match args.etcd {
        true => etcd::names(),
        false => table.scenarios.iter().map(|s| s.name).collect(),
    };
    if let Some(name) = args.only.iter().find(|name| !known.contains(&name.as_str())) {
        command.error(ErrorKind::InvalidValue, format!("--only {name}: no such scenario")).exit();
    }
    let Args { secs: time, reps, only, json, bench, .. } = args;
    match (bench, args.etcd) {
        (false, _) => Task::Check,
        (true, false) => Task::Measure(Settings { time, reps, table, only, json }),
        (true, true) => Task::Etcd(etcd::Settings {
            time,
            reps,
            only,
            program: args.server.unwrap_or_else(built),
        }),
    }
}

/// Returns the program that was built with this one.
fn built() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_telefile"))
}
