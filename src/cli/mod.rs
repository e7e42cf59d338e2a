//! The command line: one file for each command.

#[cfg(feature = "durable")]
mod backup;
mod bench;
mod connect;
mod flags;
mod limits;
mod list;
mod lock;
mod log;
mod remote;
mod serve;
mod signals;
mod streams;
mod verbs;
mod wait;
mod watch;

pub use serve::serve;

use lexopt::Arg;
use std::ffi::OsStr;
use std::fmt;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use streams::put;

/// Why a command ends without success: its message for stderr, and its exit status.
#[derive(Debug)]
struct Failure {
    /// Empty if there is nothing to print.
    message: String,
    status: u8,
}

impl Failure {
    const USAGE: u8 = 2;
    const NO_CONNECTION: u8 = 3;

    /// The command failed: exit status 1.
    fn failed(message: impl fmt::Display) -> Self {
        Failure { message: message.to_string(), status: 1 }
    }

    /// The system cannot start a thread: exit status 1.
    fn no_thread(e: std::io::Error) -> Self {
        Failure::failed(format!("no thread can be started: {e}"))
    }

    /// The command line is wrong: exit status 2.
    fn usage(message: impl fmt::Display) -> Self {
        Failure { message: message.to_string(), status: Self::USAGE }
    }

    /// The server cannot be reached: exit status 3.
    fn no_connection(message: impl fmt::Display) -> Self {
        Failure { message: message.to_string(), status: Self::NO_CONNECTION }
    }

    /// The versions on the command line belong to another table: exit status 4.
    fn other_table(expected: u64, found: u64) -> Self {
        let message = format!(
            "the server has another table: its epoch is {found:016x}, and not {expected:016x}; \
             nothing was done"
        );
        Failure { message, status: 4 }
    }

    /// There is nothing more to print.
    fn silent(status: u8) -> Self {
        Failure { message: String::new(), status }
    }

    fn tell(&self) {
        if !self.message.is_empty() {
            let line = one_line(&format!("{}: {}", program(), self.message));
            let _ = writeln!(std::io::stderr(), "{line}");
        }
    }
}

type Outcome = Result<(), Failure>;

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

/// Prints what went wrong on stderr, in one line.
fn exit_status(outcome: Outcome) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.tell();
            ExitCode::from(failure.status)
        }
    }
}

/// Keeps panics that are caught and reported as damaged data from being reported as panics too.
#[cfg(feature = "durable")]
fn tell_damage_once() {
    let tell = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if !crate::store::is_guarded() {
            tell(panic);
        }
    }));
}

/// Returns the name that this program was started under.
fn program() -> String {
    let path = std::env::args_os().next().unwrap_or_default();
    let name = Path::new(&path).file_name().unwrap_or(OsStr::new("telefile"));
    name.to_string_lossy().into_owned()
}

/// Command-line input may contain line breaks and other control characters.
fn one_line(message: &str) -> String {
    let escape = |c: char| match c.is_control() {
        true => c.escape_default().to_string(),
        false => c.to_string(),
    };
    message.chars().map(escape).collect()
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
