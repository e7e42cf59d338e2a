//! `telefile wait`: waits until a file is at another version.

use crate::cli::failure::Outcome;
use crate::cli::json::{Format, Object};
use crate::cli::remote::Table;
use crate::cli::streams::put;
use crate::cli::values;
use crate::client::Client;
use crate::version::Version;
use clap::Args;
use std::time::{Duration, Instant};

/// A server that vanished silently is noticed after this and the time-out.
const SIGN_OF_LIFE: Duration = Duration::from_secs(60);

/// Wait until a file is not at VERSION, and print the version that it is at
#[derive(Args)]
#[command(after_help = "\
Examples:
  telefile wait config 7           # until config is changed or deleted
  telefile wait config 0 60        # until config exists, at most a minute")]
pub(crate) struct Settings {
    /// The file's name
    #[arg(value_parser = values::TEXT)]
    name: String,
    /// The version that is known already; 0 is no file
    #[arg(value_parser = values::VERSION)]
    version: Version,
    /// Wait at most SECS seconds, then print VERSION again and exit with 0 [default: no limit]
    #[arg(
        value_name = "SECS",
        value_parser = values::WHOLE_SECONDS
    )]
    time: Option<u64>,
    #[command(flatten)]
    format: Format,
    #[command(flatten)]
    table: Table,
}

impl Settings {
    pub(crate) fn run(self) -> Outcome {
        let time = self.time.map(Duration::from_secs);
        let deadline = time.and_then(|time| Instant::now().checked_add(time));
        let client = self.table.connect(Client::builder())?;
        loop {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            let time = left.unwrap_or(SIGN_OF_LIFE).min(SIGN_OF_LIFE);
            let current = client.wait(&self.name, self.version, time)?;
            let is_over = deadline.is_some_and(|deadline| deadline <= Instant::now());
            if current != self.version || is_over {
                return put(match self.format.json {
                    true => {
                        Object::new().text("name", &self.name).number("version", current).line()
                    }
                    false => format!("{current}\n"),
                });
            }
        }
    }
}
