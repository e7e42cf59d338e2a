//! `telefile hello`: prints the table's epoch and revision.

use crate::cli::failure::Outcome;
use crate::cli::json::{Format, Object};
use crate::cli::remote::Remote;
use crate::cli::streams::put;
use crate::client::Client;
use clap::Args;

/// Print the table's epoch and its latest version: EPOCH REV
#[derive(Args)]
#[command(after_help = "\
The table is all files of a server, and the epoch is its random name. A server without --data has
another epoch after a restart, and versions of two epochs cannot be compared.

A script that keeps a version from one command to the next keeps the epoch too:
  epoch=$(telefile hello) && epoch=${epoch% *}
  telefile cas --epoch \"$epoch\" config 7 < app.toml    # exit status 4 from another table")]
pub(crate) struct Settings {
    #[command(flatten)]
    format: Format,
    #[command(flatten)]
    remote: Remote,
}

impl Settings {
    pub(crate) fn run(self) -> Outcome {
        let client = self.remote.connect(Client::builder())?;
        let (epoch, rev) = (client.epoch(), client.latest_version()?);
        put(match self.format.json {
            true => Object::new().text("epoch", &epoch.to_string()).number("rev", rev).line(),
            false => format!("{epoch} {rev}\n"),
        })
    }
}
