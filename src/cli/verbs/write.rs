//! `telefile write`: writes stdin to a file.

use crate::cli::failure::Outcome;
use crate::cli::json::{Format, Object};
use crate::cli::new_contents::NewContents;
use crate::cli::remote::{Remote, change_failed, open_as};
use crate::cli::streams::put_change;
use crate::cli::values;
use crate::client::Target;
use clap::Args;

/// Write stdin to a file, and print its new version
#[derive(Args)]
#[command(after_help = "\
Examples:
  telefile write config < app.toml
  telefile write config < /dev/null                        # empties the file
  echo milk | telefile write --type TextFile notes/today   # a file on the server's disk")]
pub(crate) struct Settings {
    /// The file's name
    #[arg(value_parser = values::TEXT)]
    name: String,
    /// Open the file as this type. A TextFile is a file on the server's disk; any other type but
    /// MemoryFile lasts only while some client has the file open
    #[arg(long = "type", value_name = "TYPE", value_parser = values::TEXT)]
    kind: Option<String>,
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
        let open = open_as(&client, &self.name, self.kind.as_deref())?;
        let file = open.as_ref().map_or(Target::from(&self.name), Target::from);
        let written = client.write_expiring(file, contents, self.new.exptime());
        drop(open); // closed before the version is printed
        let version = written.map_err(change_failed)?;
        put_change(&match self.format.json {
            true => Object::new().text("name", &self.name).number("version", version).line(),
            false => format!("{version}\n"),
        })
    }
}
