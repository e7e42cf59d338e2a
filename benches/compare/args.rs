//! The command line.

use crate::kept::KEPT;
use crate::report::Table;
use crate::scenario::SCENARIOS;
use lexopt::{Arg, Parser, ValueExt};
use std::path::PathBuf;
use std::time::Duration;

pub(crate) enum Task {
    Help,
    /// Prove that wrong replies are detected.
    Check,
    /// Run the server that does no work.
    Null {
        port: u16,
        size: usize,
    },
    Measure(Settings),
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

pub(crate) fn help() -> String {
    let names =
        |table: &Table| table.scenarios.iter().map(|s| s.name).collect::<Vec<_>>().join(" ");
    format!(
        "Measures telefile beside memcached, redis-server and a server that does no work, in turn,
and prints one table. With --data it measures what keeping files costs: beside itself in memory,
redis-server that syncs always, etcd, and bare appends with fdatasync. Use the machine, and the disk, for
nothing else meanwhile.

usage: cargo bench --bench compare -- [OPTION]...

  --secs S          seconds of each sample (2)
  --reps N          samples of each server in each scenario (5)
  --data            measure telefile --data; the files are beside the program, in target
  --only NAME,...   these scenarios
  --json FILE       also append each sample to FILE as a line of JSON

scenarios: {}
with --data: {}

`cargo test --bench compare` proves that wrong replies are noticed, and measures nothing.
",
        names(&SCENARIOS),
        names(&KEPT)
    )
}

/// `cargo bench` adds `--bench`; without it, as in `cargo test --all-targets`, nothing is measured.
pub(crate) fn parse(mut args: Parser) -> Result<Task, lexopt::Error> {
    let (time, reps) = (Duration::from_secs(2), 5);
    let mut settings = Settings { time, reps, table: &SCENARIOS, only: Vec::new(), json: None };
    let mut bench = false;
    while let Some(arg) = args.next()? {
        match arg {
            Arg::Long("help") | Arg::Short('h') => return Ok(Task::Help),
            Arg::Long("bench") => bench = true,
            Arg::Long("secs") => {
                let text = args.value()?.string()?;
                let seconds = text.parse().ok().filter(|s| *s > 0.0);
                let time = seconds.and_then(|s| Duration::try_from_secs_f64(s).ok());
                settings.time = time.ok_or_else(|| format!("--secs {text}: no time to measure"))?;
            }
            Arg::Long("reps") => {
                settings.reps = args.value()?.parse()?;
                if settings.reps == 0 {
                    return Err("--reps 0: no sample to show".into());
                }
            }
            Arg::Long("only") => {
                let names = args.value()?.string()?;
                settings.only.extend(names.split(',').map(str::to_string));
            }
            Arg::Long("data") => settings.table = &KEPT,
            Arg::Long("json") => settings.json = Some(args.value()?.into()),
            Arg::Value(word) if word == "null" => {
                return Ok(Task::Null {
                    port: args.value()?.parse()?,
                    size: args.value()?.parse()?,
                });
            }
            other => return Err(other.unexpected()),
        }
    }
    let unknown = |name: &&String| settings.table.scenarios.iter().all(|s| s.name != **name);
    if let Some(name) = settings.only.iter().find(unknown) {
        return Err(format!("--only {name}: no such scenario").into());
    }
    Ok(if bench { Task::Measure(settings) } else { Task::Check })
}
