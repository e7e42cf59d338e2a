//! `telefile types`: prints the types that a file can have.

use crate::cli::failure::Outcome;
use crate::cli::json::{Format, Object};
use crate::cli::remote::Remote;
use crate::cli::streams::put;
use crate::client::Client;
use clap::Args;

/// Print the types that a file can have
#[derive(Args)]
pub(crate) struct Settings {
    #[command(flatten)]
    format: Format,
    #[command(flatten)]
    remote: Remote,
}

impl Settings {
    pub(crate) fn run(self) -> Outcome {
        let types = self.remote.connect(Client::builder())?.types()?;
        let line = |kind: String| match self.format.json {
            true => Object::new().text("type", &kind).line(),
            false => kind + "\n",
        };
        put(types.into_iter().map(line).collect::<String>())
    }
}
