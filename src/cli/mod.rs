//! The command line. `command` is the tree of all commands, `verbs` has one file for each, `values`
//! parses what they take, and the other files are what several verbs need.

#[cfg(any(feature = "durable", feature = "sync"))]
mod bar;
mod command;
mod compute;
mod config;
mod etcd;
mod failure;
#[cfg(feature = "durable")]
mod half_made;
mod job;
mod json;
mod limits;
mod log;
mod manager;
mod new_contents;
#[cfg(any(feature = "durable", feature = "sync"))]
mod panics;
mod precedence;
mod remote;
mod signals;
mod streams;
mod values;
mod verbs;

use crate::files::FileType;
use command::Telefile;
use failure::{Outcome, exit_status};
use std::env;
use std::ffi::OsString;
use std::process::ExitCode;
use verbs::serve;

/// Runs the whole program `telefile`: reads the process's arguments and environment, runs the
/// command, and returns the exit status: 0 done, 1 failed or refused, 2 a wrong command line, 3 no
/// connection, and others that the reference of the command line lists.
pub fn main() -> ExitCode {
    signals::end_first_process();
    let args: Vec<_> = env::args_os().collect();
    exit_status(run(&args))
}

fn run(args: &[OsString]) -> Outcome {
    let parsed = command::parse::<Telefile>(args).map_err(|failure| match args.get(1) {
        Some(verb) if job::VERBS.iter().any(|job| verb == job) => job::own_status(failure),
        _ => failure,
    });
    let Some(Telefile { verb }) = parsed? else { return Ok(()) };
    // The command of a job inherits what was set before, and a job reaps by itself.
    if !verb.runs_a_command() {
        limits::refuse_large_files();
        signals::reap_orphans();
    }
    verb.run(command::tree::<Telefile>)
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
    limits::refuse_large_files();
    signals::end_first_process();
    let args: Vec<_> = env::args_os().collect();
    exit_status(command::parse::<serve::Program>(&args).and_then(|parsed| match parsed {
        Some(program) => program.settings.run(types),
        None => Ok(()),
    }))
}
