//! `telefile create`: writes stdin to a new file, which the server names.

use crate::cli::failure::Outcome;
use crate::cli::json::{Format, Object};
use crate::cli::new_contents::NewContents;
use crate::cli::remote::{Remote, change_failed};
use crate::cli::streams::put_change;
use crate::cli::values;
use clap::Args;

/// Write stdin to a new file, named PREFIX and 20 digits, and print its version and name
#[derive(Args)]
#[command(after_help = "\
The digits are the new file's version, so byte order is the order in which the files were made.

Example:
  echo 'send a letter' | telefile create jobs/    # prints: 7 jobs/00000000000000000007")]
pub(crate) struct Settings {
    /// How the name begins
    #[arg(value_parser = values::TEXT)]
    prefix: String,
    #[command(flatten)]
    format: Format,
    #[command(flatten)]
    new: NewContents,
    #[command(flatten)]
    remote: Remote,
}

impl Settings {
    pub(crate) fn run(self) -> Outcome {
        let contents = self.new.read()?;
        let client = self.remote.connect(self.new.client())?;
        let created = client.create(&self.prefix, contents, self.new.exptime());
        let (version, name) = created.map_err(change_failed)?;
        put_change(&match self.format.json {
            true => Object::new().text("name", &name).number("version", version).line(),
            false => format!("{version} {name}\n"),
        })
    }
}
