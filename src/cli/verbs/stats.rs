//! `telefile stats`: prints the server's limits and what is in use.

use crate::cli::failure::Outcome;
use crate::cli::json::{Format, Object};
use crate::cli::remote::Remote;
use crate::cli::streams::put;
use crate::client::Client;
use clap::Args;

/// Print the server's limits, and what is in use
#[derive(Args)]
pub(crate) struct Settings {
    #[command(flatten)]
    format: Format,
    #[command(flatten)]
    remote: Remote,
}

impl Settings {
    pub(crate) fn run(self) -> Outcome {
        let stats = self.remote.connect(Client::builder())?.stats()?;
        if self.format.json {
            let add = |object: Object, (name, value): (String, String)| {
                // A larger number, or one with zeros in front, is none of JSON.
                match value.parse::<i64>().is_ok_and(|number| number.to_string() == value) {
                    true => object.number(&name, value),
                    false => object.text(&name, &value),
                }
            };
            return put(stats.into_iter().fold(Object::new(), add).line());
        }
        let lines = stats.into_iter().map(|(name, value)| format!("{name} {value}\n"));
        put(lines.collect::<String>())
    }
}
