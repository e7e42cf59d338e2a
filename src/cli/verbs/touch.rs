//! `telefile touch`: changes when a file expires.

use crate::cli::failure::Outcome;
use crate::cli::remote::{Table, change_failed};
use crate::cli::values;
use crate::client::Client;
use crate::exptime::Exptime;
use crate::version::Version;
use clap::Args;

/// Delete a file after SECS seconds, only if it is at VERSION
#[derive(Args)]
#[command(after_help = "\
Examples:
  telefile touch session/ann 7 600    # ten more minutes, unless it has changed since version 7
  telefile touch session/ann 7 0      # it stays")]
pub(crate) struct Settings {
    /// The file's name
    #[arg(value_parser = values::TEXT)]
    name: String,
    /// The version that the file must have
    #[arg(value_parser = values::VERSION)]
    version: Version,
    /// How many seconds the file lasts from now on; 0 is forever
    #[arg(value_name = "SECS", value_parser = values::EXPTIME)]
    exptime: Exptime,
    #[command(flatten)]
    table: Table,
}

impl Settings {
    pub(crate) fn run(self) -> Outcome {
        let client = self.table.connect(Client::builder())?;
        let touched = client.touch(&self.name, self.version, self.exptime);
        touched.map(drop).map_err(change_failed)
    }
}
