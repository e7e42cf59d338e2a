//! `telefile update`: replaces a file's contents by what a command makes of them.

use crate::cli::compute::Change;
use crate::cli::failure::{Failure, Outcome};
use crate::cli::job::{Job, failed, own_status};
use crate::cli::json::{Format, Object};
use crate::cli::remote::Remote;
use crate::cli::streams::put_change;
use crate::cli::values;
use crate::client::Client;
use crate::exptime::Exptime;
use clap::Args;
use std::ffi::OsString;

/// The environment variables with the version of the contents, and with the epoch of that.
const VERSION: &str = "TELEFILE_VERSION";
const EPOCH: &str = "TELEFILE_EPOCH";

/// Replace a file's contents by what a command makes of them, and print the new version
#[derive(Args)]
#[command(after_help = "\
The command reads the contents on stdin and writes the new ones to stdout. If another client changes
the file meanwhile, the command runs again, with the contents of that client. If it fails, or writes
what it has read, nothing is written. The file expires as before, unless --exptime says otherwise.
TELEFILE_VERSION has the version of the contents, 0 if there is no file.

Exit status: that of the command if it fails, and those of `telefile lock` otherwise; 66 if the file
does not exist.

Examples:
  telefile update config -- sed 's/8080/80/'
  telefile update --default '[]' hosts -- jq -c \". + [\\\"$(hostname)\\\"]\"")]
pub(crate) struct Settings {
    /// The file's name
    #[arg(value_parser = values::TEXT)]
    name: String,
    /// The command and its arguments: everything after NAME and the options, or after --
    #[arg(required = true, num_args = 1.., trailing_var_arg = true)]
    command: Vec<OsString>,
    /// If the file does not exist, let the command read TEXT, and make the file
    #[arg(long, value_name = "TEXT", value_parser = values::TEXT)]
    default: Option<String>,
    #[command(flatten)]
    format: Format,
    /// Delete the file after SECS seconds; 0 is never [default: when it would be deleted anyway]
    #[arg(long, value_name = "SECS", value_parser = values::EXPTIME)]
    exptime: Option<Exptime>,
    /// Refuse contents of more bytes than this
    #[arg(long, value_name = "BYTES", default_value = "64M", value_parser = values::SIZE)]
    max_contents: u64,
    #[command(flatten)]
    remote: Remote,
}

/// Why there is no change.
enum Stop {
    /// The command has this status.
    Status(u8),
    Failed(Failure),
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Stop::Failed(own_status(failure))
    }
}

impl Settings {
    pub(crate) fn run(self) -> Outcome {
        match self.update() {
            Ok(()) => Ok(()),
            Err(Stop::Status(status)) => Err(Failure::silent(status)),
            Err(Stop::Failed(failure)) => Err(failure),
        }
    }

    fn update(&self) -> Result<(), Stop> {
        let client = self.remote.connect(Client::builder().max_contents(self.max_contents))?;
        // The command may take its time.
        client.keep_alive().map_err(Failure::from)?;
        let mut job = Job::new()?;
        job.prepare().map_err(|e| failed(format!("the command is not run: {e}")))?;
        let default = self.default.as_deref().map(str::as_bytes);
        let change = Change { name: &self.name, default, exptime: self.exptime };
        let changed = change.make(&client, |old| {
            let variables =
                [(VERSION, old.version.to_string()), (EPOCH, client.epoch().to_string())];
            let (status, output) = job
                .filter(&self.command, &variables, old.contents.clone(), self.max_contents)
                .map_err(Stop::Status)?;
            let output = output.map_err(|e| failed(format!("output of the command: {e}")))?;
            if output.len() as u64 > self.max_contents {
                let max = self.max_contents;
                let why = "the command wrote more than";
                return Err(failed(format!("{why} {max} bytes; --max-contents raises that")).into());
            }
            match status {
                0 => Ok((output != old.contents || old.is_absent()).then_some(output)),
                status => Err(Stop::Status(status)),
            }
        })?;
        let put = put_change(&match self.format.json {
            true => Object::new()
                .text("name", &self.name)
                .number("version", changed.version)
                .number("changed", changed.is_new)
                .line(),
            false => format!("{}\n", changed.version),
        });
        Ok(put?)
    }
}
