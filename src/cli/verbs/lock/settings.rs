//! The command line of `telefile lock`.

use crate::cli::remote::Remote;
use crate::cli::values;
use clap::Args;
use std::ffi::OsString;
use std::time::Duration;

/// Run a command while holding a lock
#[derive(Args)]
#[command(after_help = "\
TELEFILE_TOKEN has a number for the command that is greater than that of every earlier holder, so
that what the lock protects can refuse a late one: the fencing token. Tokens can be compared only
if TELEFILE_EPOCH is the same.

Exit status: that of the command, or
   64  wrong usage
   69  no server, or it is full
   75  another client holds the lock; see -E
   77  denied: a wrong token
  125  the lock was lost, or something else failed
  126  the command cannot be run
  127  the command is not found

Examples:
  telefile lock backup ./backup.sh               # one at a time, on however many machines
  telefile lock --wait 0 -E 0 nightly ./job.sh   # skips the job if another machine runs it")]
pub(crate) struct Settings {
    /// The lock: the name of a file that exists while somebody holds it
    #[arg(value_parser = values::TEXT)]
    pub(super) name: String,
    /// The command and its arguments: everything after NAME and the options, or after --
    #[arg(required = true, num_args = 1.., trailing_var_arg = true)]
    pub(super) command: Vec<OsString>,
    /// Wait at most SECS seconds for the lock; 0 does not wait [default: no limit]
    #[arg(
        long,
        value_name = "SECS",
        value_parser = values::WHOLE_SECONDS
    )]
    pub(super) wait: Option<u64>,
    /// Let the lock outlive a lost connection by at most SECS seconds [default: it
    /// is free when the connection closes]
    #[arg(
        long,
        value_name = "SECS",
        value_parser = values::LEAST_ONE_SECOND
    )]
    pub(super) ttl: Option<u64>,
    /// Ask the server every SECS seconds whether the lock is still held, and wait as long for its
    /// answer
    #[arg(
        long,
        value_name = "SECS",
        default_value = "10",
        value_parser = values::SECONDS
    )]
    pub(super) check: Duration,
    /// If the lock is lost, send the command SIGTERM, and SIGKILL after SECS seconds, but send
    /// nothing to what it started
    #[arg(
        long,
        value_name = "SECS",
        default_value = "5",
        value_parser = values::SECONDS
    )]
    pub(super) kill_after: Duration,
    /// Exit with status N if another client holds the lock
    #[arg(
        short = 'E',
        long = "conflict-exit-code",
        value_name = "N",
        default_value = "75", // EX_TEMPFAIL
        value_parser = values::EXIT_STATUS
    )]
    pub(super) held: u8,
    /// Say on stderr who holds the lock, how long this has waited, and when it has the lock or
    /// gives up
    #[arg(long, short)]
    pub(super) verbose: bool,
    #[command(flatten)]
    pub(super) remote: Remote,
}
