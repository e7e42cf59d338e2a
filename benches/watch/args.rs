//! The command line.

use crate::parts::PARTS;
use lexopt::{Arg, Parser, ValueExt};
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

pub(crate) fn help() -> String {
    let names: Vec<_> = PARTS.iter().map(|part| part.name).collect();
    format!(
        "Measures what watches cost a telefile server, and prints one table. Use the machine for
nothing else meanwhile.

usage: cargo bench --bench watch -- [OPTION]...

  --watchers N      ({})
  --files N         under one prefix ({})
  --reps N          samples of each figure ({})
  --only NAME,...   these parts
  --server FILE     this program instead of the one that was built

parts: {}

`cargo test --bench watch` does a little of each and measures nothing.
",
        MEASURE.watchers,
        MEASURE.files,
        MEASURE.reps,
        names.join(" ")
    )
}

/// Returns `None` if only help is requested. `cargo bench` adds `--bench`; without it, as in `cargo
/// test
/// --all-targets`, nothing is measured.
pub(crate) fn parse(args: Parser) -> Result<Option<Settings>, lexopt::Error> {
    let args: Vec<_> = { args }.raw_args()?.collect();
    let mut settings = if args.iter().any(|arg| arg == "--bench") { MEASURE } else { CHECK };
    let mut args = Parser::from_args(args);
    while let Some(arg) = args.next()? {
        match arg {
            Arg::Long("help") | Arg::Short('h') => return Ok(None),
            Arg::Long("bench") => {}
            Arg::Long("watchers") => settings.watchers = at_least_one(&mut args)?,
            Arg::Long("files") => settings.files = at_least_one(&mut args)?,
            Arg::Long("reps") => settings.reps = at_least_one(&mut args)?,
            Arg::Long("only") => {
                let names = args.value()?.string()?;
                settings.only.extend(names.split(',').map(str::to_string));
            }
            Arg::Long("server") => settings.server = Some(args.value()?.into()),
            other => return Err(other.unexpected()),
        }
    }
    let unknown = |name: &&String| PARTS.iter().all(|part| part.name != **name);
    match settings.only.iter().find(unknown) {
        Some(name) => Err(format!("--only {name}: no such part").into()),
        None => Ok(Some(settings)),
    }
}

fn at_least_one(args: &mut Parser) -> Result<usize, lexopt::Error> {
    match args.value()?.parse()? {
        0 => Err("0 is not enough".into()),
        n => Ok(n),
    }
}
