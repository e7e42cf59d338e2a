//! `telefile cas`: writes stdin to a file that is at a known version.

use crate::cli::failure::Outcome;
use crate::cli::json::{Format, Object};
use crate::cli::new_contents::NewContents;
use crate::cli::remote::{Table, change_failed};
use crate::cli::streams::put_change;
use crate::cli::values;
use crate::version::Version;
use clap::Args;

/// Write stdin to a file only if it is at VERSION, and print its new version
#[derive(Args)]
#[command(after_help = "\
Examples:
  telefile cas config 7 < app.toml    # exit status 7 if config is at another version
  telefile cas config 0 < app.toml    # creates config, unless it exists")]
pub(crate) struct Settings {
    /// The file's name
    #[arg(value_parser = values::TEXT)]
    name: String,
    /// The version that the file must have; 0 if it must not exist
    #[arg(value_parser = values::VERSION)]
    version: Version,
    #[command(flatten)]
    format: Format,
    #[command(flatten)]
    new: NewContents,
    #[command(flatten)]
    table: Table,
}

impl Settings {
    pub(crate) fn run(self) -> Outcome {
        let contents = self.new.read()?;
        let client = self.table.connect(self.new.client())?;
        let version = client.cas_expiring(&self.name, self.version, contents, self.new.exptime());
        let version = version.map_err(change_failed)?;
        put_change(&match self.format.json {
            true => Object::new().text("name", &self.name).number("version", version).line(),
            false => format!("{version}\n"),
        })
    }
}
