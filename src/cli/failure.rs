//! How a command ends without success: one line on stderr, and an exit status.

use crate::version::Epoch;
use std::ffi::OsStr;
use std::fmt;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

/// Why a command ends without success: its message for stderr, and its exit status.
#[derive(Debug)]
pub(super) struct Failure {
    /// Empty if there is nothing to print.
    pub(super) message: String,
    pub(super) status: u8,
}

impl Failure {
    pub(super) const FAILED: u8 = 1;
    pub(super) const USAGE: u8 = 2;
    pub(super) const NO_CONNECTION: u8 = 3;
    pub(super) const OTHER_TABLE: u8 = 4;
    // 5: see `telefile sync`.
    pub(super) const NOT_FOUND: u8 = 6;
    pub(super) const OTHER_VERSION: u8 = 7;
    pub(super) const DENIED: u8 = 8;
    pub(super) const FULL: u8 = 9;

    /// The command failed: exit status 1.
    pub(super) fn failed(message: impl fmt::Display) -> Self {
        Failure { message: message.to_string(), status: Self::FAILED }
    }

    /// The system cannot start a thread: exit status 1.
    pub(super) fn no_thread(e: std::io::Error) -> Self {
        Failure::failed(format!("cannot start a thread: {e}"))
    }

    /// The command line is wrong: exit status 2.
    pub(super) fn usage(message: impl fmt::Display) -> Self {
        Failure { message: message.to_string(), status: Self::USAGE }
    }

    /// The server cannot be reached: exit status 3.
    pub(super) fn no_connection(message: impl fmt::Display) -> Self {
        Failure { message: message.to_string(), status: Self::NO_CONNECTION }
    }

    /// The versions on the command line belong to another table: exit status 4.
    pub(super) fn other_table(expected: Epoch, found: Epoch) -> Self {
        let message = format!(
            "the server has another table: its epoch is {found}, not {expected}; \
             nothing was done, so read the versions again"
        );
        Failure { message, status: Self::OTHER_TABLE }
    }

    /// There is nothing more to print.
    pub(super) fn silent(status: u8) -> Self {
        Failure { message: String::new(), status }
    }

    /// Prints the message on stderr, in one line.
    pub(super) fn report(&self) {
        if !self.message.is_empty() {
            let line = one_line(&format!("{}: {}", program(), self.message));
            let _ = writeln!(std::io::stderr(), "{line}");
        }
    }
}

/// What a command returns.
pub(super) type Outcome = Result<(), Failure>;

/// Reports a failure, and returns the exit status.
pub(super) fn exit_status(outcome: Outcome) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.report();
            ExitCode::from(failure.status)
        }
    }
}

/// Returns the name that this program was started under.
pub(super) fn program() -> String {
    let path = std::env::args_os().next().unwrap_or_default();
    let name = Path::new(&path).file_name().unwrap_or(OsStr::new("telefile"));
    name.to_string_lossy().into_owned()
}

/// Escapes control characters: what a message quotes of the command line may contain line breaks.
pub(super) fn one_line(message: &str) -> String {
    let escape = |c: char| match c.is_control() {
        true => c.escape_default().to_string(),
        false => c.to_string(),
    };
    message.chars().map(escape).collect()
}
