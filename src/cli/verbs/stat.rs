//! `telefile stat`: prints what the server knows of a file.

use crate::cli::failure::Outcome;
use crate::cli::json::{Format, Object};
use crate::cli::remote::{Remote, open_as};
use crate::cli::streams::put;
use crate::cli::values;
use crate::client::{Client, Target};
use clap::Args;

/// Print a file's version, numbytes, exptime, type, opens and the epoch, a line each
#[derive(Args)]
pub(crate) struct Settings {
    /// The file's name
    #[arg(value_parser = values::TEXT)]
    name: String,
    /// Open the file as this type; required for a TextFile, which is a file on the server's disk,
    /// and empty if it is missing there
    #[arg(long = "type", value_name = "TYPE", value_parser = values::TEXT)]
    kind: Option<String>,
    #[command(flatten)]
    format: Format,
    #[command(flatten)]
    remote: Remote,
}

impl Settings {
    pub(crate) fn run(self) -> Outcome {
        let client = self.remote.connect(Client::builder())?;
        let open = open_as(&client, &self.name, self.kind.as_deref())?;
        let stat = client.stat(open.as_ref().map_or(Target::from(&self.name), Target::from))?;
        if self.format.json {
            let object = Object::new().text("name", &self.name).number("version", stat.version);
            let object = object.number("numbytes", stat.numbytes).number("exptime", stat.exptime);
            let object = object.text("type", &stat.kind).number("opens", stat.opens);
            return put(object.text("epoch", &client.epoch().to_string()).line());
        }
        let fields = [
            ("version", stat.version.to_string()),
            ("numbytes", stat.numbytes.to_string()),
            ("exptime", stat.exptime.to_string()),
            ("type", stat.kind),
            ("opens", stat.opens.to_string()),
            ("epoch", client.epoch().to_string()),
        ];
        put(fields.map(|(name, value)| format!("{name} {value}\n")).concat())
    }
}
