//! The command line: one file for each command.

mod failure;
mod flags;
mod limits;
mod log;
#[cfg(feature = "durable")]
mod panics;
mod remote;
mod signals;
mod streams;
mod verbs;

pub use verbs::serve::serve;

use failure::{Failure, Outcome, exit_status};
use lexopt::Arg;
use std::process::ExitCode;
use streams::put;
#[cfg(feature = "durable")]
use verbs::backup;
use verbs::{bench, connect, list, lock, serve, wait, watch};

struct Command {
    name: &'static str,
    what: &'static str,
    run: fn(lexopt::Parser) -> Outcome,
}

const COMMANDS: &[Command] = &[
    Command { name: "serve", what: "share files with many clients", run: serve::run },
    Command { name: "read", what: verbs::READ.what, run: |args| verbs::READ.run(args) },
    Command { name: "write", what: verbs::WRITE.what, run: |args| verbs::WRITE.run(args) },
    Command { name: "cas", what: verbs::CAS.what, run: |args| verbs::CAS.run(args) },
    Command { name: "create", what: verbs::CREATE.what, run: |args| verbs::CREATE.run(args) },
    Command { name: "touch", what: verbs::TOUCH.what, run: |args| verbs::TOUCH.run(args) },
    Command { name: "delete", what: verbs::DELETE.what, run: |args| verbs::DELETE.run(args) },
    Command { name: "stat", what: verbs::STAT.what, run: |args| verbs::STAT.run(args) },
    Command { name: "hello", what: verbs::HELLO.what, run: |args| verbs::HELLO.run(args) },
    Command { name: "list", what: list::WHAT, run: list::run },
    Command { name: "wait", what: wait::WHAT, run: wait::run },
    Command { name: "watch", what: watch::WHAT, run: watch::run },
    Command { name: lock::NAME, what: lock::WHAT, run: lock::run },
    Command { name: "open", what: verbs::OPEN.what, run: |args| verbs::OPEN.run(args) },
    Command { name: "types", what: verbs::TYPES.what, run: |args| verbs::TYPES.run(args) },
    Command { name: "stats", what: verbs::STATS.what, run: |args| verbs::STATS.run(args) },
    Command { name: "connect", what: connect::WHAT, run: connect::run },
    Command { name: "bench", what: "load a server and check every reply", run: bench::run },
    #[cfg(feature = "durable")]
    Command { name: "backup", what: backup::BACKUP, run: backup::backup },
    #[cfg(feature = "durable")]
    Command { name: "restore", what: backup::RESTORE, run: backup::restore },
];

/// Runs the whole program `telefile`: reads the process's arguments and environment, runs the
/// command, and returns the exit status: 0 done, 1 failed or refused, 2 a wrong command line, 3 no
/// connection, 4 a table other than the one that `--epoch` names.
pub fn main() -> ExitCode {
    signals::end_first_process();
    exit_status(run(lexopt::Parser::from_env()))
}

fn run(mut args: lexopt::Parser) -> Outcome {
    let no_command = || Failure::usage("which command? see `telefile --help`");
    match args.next().map_err(Failure::usage)?.ok_or_else(no_command)? {
        Arg::Long("help") | Arg::Short('h') => put(help()),
        Arg::Long("version") | Arg::Short('V') => {
            put(format!("telefile {}\n", env!("CARGO_PKG_VERSION")))
        }
        Arg::Value(name) => match COMMANDS.iter().find(|c| name == c.name) {
            Some(command) => {
                // The command of `lock` inherits what was set before, and `lock` reaps by itself.
                if command.name != lock::NAME {
                    limits::refuse_large_files();
                    signals::reap_orphans();
                }
                (command.run)(args)
            }
            None if name == lock::WITNESS => lock::witness(),
            None => {
                let name = name.to_string_lossy();
                Err(Failure::usage(format!("no command `{name}`; see `telefile --help`")))
            }
        },
        other => Err(Failure::usage(other.unexpected())),
    }
}

fn help() -> String {
    let mut text = "Versioned files shared over a plain-text protocol.\n\n\
                    usage: telefile COMMAND [OPTION]...\n       telefile --help | --version\n\n"
        .to_string();
    for command in COMMANDS {
        text += &format!("  {:<8}{}\n", command.name, command.what);
    }
    text += "\n`telefile COMMAND --help` tells the options of a command.\n\
             Exit status: 0 done, 1 refused or failed (stderr says why), 2 a wrong command line,\n\
             3 no connection, 4 another table than --epoch asks for; `telefile lock` has its own.\n\
             Try it: `telefile serve`, and in another terminal `telnet localhost 8080`, then `help`.\n";
    text
}
