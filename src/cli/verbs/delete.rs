//! `telefile delete`: deletes a file.

use crate::cli::failure::Outcome;
use crate::cli::remote::{Table, change_failed};
use crate::cli::values;
use crate::client::Client;
use crate::version::Version;
use clap::Args;

/// Delete a file; with VERSION, only if it is at that version
#[derive(Args)]
pub(crate) struct Settings {
    /// The file's name
    #[arg(value_parser = values::TEXT)]
    name: String,
    /// The version that the file must have [default: any]
    #[arg(value_parser = values::VERSION)]
    version: Option<Version>,
    #[command(flatten)]
    table: Table,
}

impl Settings {
    pub(crate) fn run(self) -> Outcome {
        let client = self.table.connect(Client::builder())?;
        client.delete(&self.name, self.version).map_err(change_failed)
    }
}
