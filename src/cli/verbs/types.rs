//! `telefile types`: prints the types that a file can have.

use crate::cli::failure::Outcome;
use crate::cli::remote::Remote;
use crate::cli::streams::put;
use crate::client::Client;
use clap::Args;

/// Print the types that a file can have
#[derive(Args)]
pub(crate) struct Settings {
    #[command(flatten)]
    remote: Remote,
}

impl Settings {
    pub(crate) fn run(self) -> Outcome {
        let types = self.remote.connect(Client::builder())?.types()?;
        put(types.into_iter().map(|kind| kind + "\n").collect::<String>())
    }
}
