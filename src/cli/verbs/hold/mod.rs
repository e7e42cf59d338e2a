//! `telefile hold`: runs a command while a file on the server shows that it runs.

mod registration;

use crate::cli::failure::{Failure, Outcome};
use crate::cli::job::{FAILED, Job, failed, own_status};
use crate::cli::remote::Remote;
use crate::cli::values;
use clap::Args;
use registration::{Refused, Registration, Terms};
use std::ffi::OsString;
use std::time::Duration;

/// Run a command while a file shows that it runs
#[derive(Args)]
#[command(after_help = "\
The file is ephemeral: the server deletes it when the command ends, or when this program or its
connection does. If the connection is lost, the command goes on, and the file is made again as soon
as there is a server. Nobody else may have the file; with --type several clients have it open
together.

Exit status: that of the command, or those of `telefile lock`.

Examples:
  telefile hold --contents 10.0.0.5:80 svc/web/5 -- ./web
  telefile watch --follow svc/web/                # which there are
  telefile hold --type Counter online -- ./chat   # telefile stat shows how often it is open")]
pub(crate) struct Settings {
    /// The file's name
    #[arg(value_parser = values::TEXT)]
    name: String,
    /// The command and its arguments: everything after NAME and the options, or after --
    #[arg(required = true, num_args = 1.., trailing_var_arg = true)]
    command: Vec<OsString>,
    /// Hold the file open as this type, instead of making an ephemeral one
    #[arg(long = "type", value_name = "TYPE", value_parser = values::TEXT)]
    kind: Option<String>,
    /// Write TEXT to the file [default: the host and the process id]
    #[arg(long, value_name = "TEXT", value_parser = values::TEXT, conflicts_with = "kind")]
    contents: Option<String>,
    /// Take an ephemeral file over from the client that has it
    #[arg(long, conflicts_with = "kind")]
    replace: bool,
    /// Ask the server every SECS seconds whether the file still exists, and wait as long for its
    /// answer
    #[arg(
        long,
        value_name = "SECS",
        default_value = "10",
        value_parser = values::SECONDS
    )]
    check: Duration,
    /// Exit with status N if another client has the file
    #[arg(
        short = 'E',
        long = "conflict-exit-code",
        value_name = "N",
        default_value = "75", // EX_TEMPFAIL
        value_parser = values::EXIT_STATUS
    )]
    held: u8,
    #[command(flatten)]
    remote: Remote,
}

impl Settings {
    pub(crate) fn run(self) -> Outcome {
        match self.hold()? {
            0 => Ok(()),
            status => Err(Failure::silent(status)),
        }
    }

    /// Runs the command and returns the exit status.
    fn hold(self) -> Result<u8, Failure> {
        let Settings { name, command, kind, contents, replace, check, held, mut remote } = self;
        remote.patience.timeout = remote.patience.timeout.min(check);
        let mut job = Job::new()?;
        let terms = Terms::new(remote, name, kind, contents, check).map_err(own_status)?;
        let registration = match Registration::make(terms, replace) {
            Ok(registration) => registration,
            Err(Refused::Held(why)) => {
                return Err(Failure { status: held, ..Failure::failed(why) });
            }
            Err(Refused::Failed(failure)) => return Err(own_status(failure)),
        };
        if let Err(e) = job.prepare().and_then(|()| registration.keep()) {
            failed(format!("the command is not run: {e}")).report();
            registration.end();
            return Ok(FAILED);
        }
        let status = match job.start(&command, &[]) {
            Ok(running) => job.wait(&running, None).unwrap_or(FAILED),
            Err(status) => status,
        };
        registration.end();
        Ok(status)
    }
}
