//! `telefile stats`: prints the server's limits and what is in use.

use crate::cli::failure::Outcome;
use crate::cli::remote::Remote;
use crate::cli::streams::put;
use crate::client::Client;
use clap::Args;

/// Print the server's limits, and what is in use
#[derive(Args)]
pub(crate) struct Settings {
    #[command(flatten)]
    remote: Remote,
}

impl Settings {
    pub(crate) fn run(self) -> Outcome {
        let stats = self.remote.connect(Client::builder())?.stats()?;
        let lines = stats.into_iter().map(|(name, value)| format!("{name} {value}\n"));
        put(lines.collect::<String>())
    }
}
