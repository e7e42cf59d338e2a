//! `telefile read`: prints a file's contents.

use crate::cli::failure::Outcome;
use crate::cli::json::{Format, Object};
use crate::cli::remote::{Remote, open_as};
use crate::cli::streams::put;
use crate::cli::values;
use crate::client::{Client, Error, Target};
use crate::exptime::Exptime;
use crate::refusal::Refusal;
use crate::version::Version;
use clap::Args;

/// Print a file's contents
#[derive(Args)]
#[command(after_help = "\
Examples:
  telefile read config > app.toml
  telefile read --default 8080 port
  telefile read --type TextFile notes/today")]
pub(crate) struct Settings {
    /// The file's name
    #[arg(value_parser = values::TEXT)]
    name: String,
    /// Print first the line of the reply: CONTENTS VERSION NUMBYTES EXPTIME
    #[arg(long, conflicts_with = "json")]
    head: bool,
    /// Print TEXT, with version 0, if the file does not exist
    #[arg(long, value_name = "TEXT", value_parser = values::TEXT)]
    default: Option<String>,
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
    format: Format,
    #[command(flatten)]
    remote: Remote,
}

impl Settings {
    pub(crate) fn run(self) -> Outcome {
        let client = self.remote.connect(Client::builder().max_contents(self.max_contents))?;
        let open = open_as(&client, &self.name, self.kind.as_deref())?;
        let file = open.as_ref().map_or(Target::from(&self.name), Target::from);
        match (client.read(file), &self.default) {
            (Err(Error::Refused { refusal: Refusal::NotFound, .. }), Some(default)) => {
                self.print(default.as_bytes(), Version::ABSENT, Exptime::Never)
            }
            (snapshot, _) => {
                let snapshot = snapshot?;
                self.print(&snapshot.contents, snapshot.version, snapshot.exptime)
            }
        }
    }

    fn print(&self, contents: &[u8], version: Version, exptime: Exptime) -> Outcome {
        let numbytes = contents.len();
        if self.format.json {
            let object = Object::new().text("name", &self.name).number("version", version);
            let object = object.number("numbytes", numbytes).number("exptime", exptime);
            return put(object.bytes("contents", contents).line());
        }
        if self.head {
            put(format!("CONTENTS {version} {numbytes} {exptime}\n"))?;
        }
        put(contents)
    }
}
