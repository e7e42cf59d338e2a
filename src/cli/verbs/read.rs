//! `telefile read`: prints a file's contents.

use crate::cli::failure::Outcome;
use crate::cli::remote::{Remote, open_as};
use crate::cli::streams::put;
use crate::cli::values;
use crate::client::{Client, Target};
use clap::Args;

/// Print a file's contents
#[derive(Args)]
#[command(after_help = "\
Examples:
  telefile read config > app.toml
  telefile read --type TextFile notes/today")]
pub(crate) struct Settings {
    /// The file's name
    #[arg(value_parser = values::TEXT)]
    name: String,
    /// Print first the line of the reply: CONTENTS VERSION NUMBYTES EXPTIME
    #[arg(long)]
    head: bool,
    /// Open the file as this type; required for a TextFile, which is a file on the server's disk,
    /// and empty if it is missing there
    #[arg(long = "type", value_name = "TYPE", value_parser = values::TEXT)]
    kind: Option<String>,
    /// Refuse contents of more bytes than this
    #[arg(
        long,
        value_name = "BYTES",
        default_value = "64M",
        value_parser = values::SIZE
    )]
    max_contents: u64,
    #[command(flatten)]
    remote: Remote,
}

impl Settings {
    pub(crate) fn run(self) -> Outcome {
        let client = self.remote.connect(Client::builder().max_contents(self.max_contents))?;
        let open = open_as(&client, &self.name, self.kind.as_deref())?;
        let file = open.as_ref().map_or(Target::from(&self.name), Target::from);
        let snapshot = client.read(file)?;
        if self.head {
            let (numbytes, exptime) = (snapshot.contents.len(), snapshot.exptime);
            put(format!("CONTENTS {} {numbytes} {exptime}\n", snapshot.version))?;
        }
        put(&*snapshot.contents)
    }
}
