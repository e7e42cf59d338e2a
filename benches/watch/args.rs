//! The command line.

use crate::parts::PARTS;
use clap::builder::RangedU64ValueParser;
use clap::error::ErrorKind;
use clap::{CommandFactory, FromArgMatches, Parser};
use std::path::PathBuf;
use std::time::Duration;

pub(crate) struct Settings {
    /// Whether this is a measurement, and not a short run that shows that it works.
    pub(crate) measures: bool,
    pub(crate) watchers: usize,
    pub(crate) files: usize,
    /// The number of samples.
    pub(crate) reps: usize,
    /// Writes one after the other, for one figure.
    pub(crate) writes: usize,
    /// Writes with a pause before each, for one figure.
    pub(crate) rounds: usize,
    /// How long the cost of waiting is measured.
    pub(crate) idle: Duration,
    /// The names of the parts; empty means all.
    only: Vec<String>,
    /// The server's program, if not the one built with this benchmark.
    pub(crate) server: Option<PathBuf>,
}

const MEASURE: Settings = Settings {
    measures: true,
    watchers: 1000,
    files: 100_000,
    reps: 5,
    writes: 5000,
    rounds: 40,
    idle: Duration::from_secs(10),
    only: Vec::new(),
    server: None,
};

/// A short run, which only shows that it works.
const CHECK: Settings = Settings {
    measures: false,
    watchers: 20,
    files: 3000,
    reps: 1,
    writes: 50,
    rounds: 3,
    idle: Duration::from_millis(100),
    only: Vec::new(),
    server: None,
};

impl Settings {
    pub(crate) fn wants(&self, part: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|name| name == part)
    }
}

/// Measure what watches cost a telefile server, and print one table. Use the machine for nothing else
/// meanwhile
#[derive(Parser)]
#[command(bin_name = "cargo bench --bench watch --")]
struct Args {
    /// Let N clients watch [default: 1000]
    #[arg(long, value_name = "N", value_parser = count())]
    watchers: Option<usize>,
    /// Put N files under one prefix [default: 100000]
    #[arg(long, value_name = "N", value_parser = count())]
    files: Option<usize>,
    /// Take N samples of each figure [default: 5]
    #[arg(long, value_name = "N", value_parser = count())]
    reps: Option<usize>,
    /// Measure these parts [default: all]
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    only: Vec<String>,
    /// Measure this program instead of the one that was built
    #[arg(long, value_name = "FILE")]
    server: Option<PathBuf>,
    /// Measure: `cargo bench` adds this, and `cargo test --all-targets` does not
    #[arg(long, hide = true)]
    bench: bool,
}

fn count() -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(1..)
}

/// Parses the process's arguments. Ends the process after `--help`, and if they are wrong.
pub(crate) fn parse() -> Settings {
    let names: Vec<_> = PARTS.iter().map(|part| part.name).collect();
    let mut command = Args::command().after_help(format!(
        "Parts: {}\n\n`cargo test --bench watch` does a little of each and measures nothing.",
        names.join(" ")
    ));
    let matches = command.get_matches_mut();
    let args = Args::from_arg_matches(&matches).unwrap_or_else(|e| e.exit());
    let unknown = |name: &&String| PARTS.iter().all(|part| part.name != **name);
    if let Some(name) = args.only.iter().find(unknown) {
        command.error(ErrorKind::InvalidValue, format!("--only {name}: no such part")).exit();
    }
    let base = if args.bench { MEASURE } else { CHECK };
    Settings {
        watchers: args.watchers.unwrap_or(base.watchers),
        files: args.files.unwrap_or(base.files),
        reps: args.reps.unwrap_or(base.reps),
        only: args.only,
        server: args.server,
        ..base
    }
}
