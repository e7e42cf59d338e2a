//! `telefile stats`: prints the server's limits and counters, once or again and again.

mod every;

use crate::cli::failure::{Failure, Outcome};
use crate::cli::json::Object;
use crate::cli::remote::Remote;
use crate::cli::streams::put;
use crate::cli::values;
use crate::client::Client;
use crate::server::metrics::prometheus;
use clap::{Args, ValueEnum};
use std::time::Duration;

/// Print the server's limits and counters, and what is in use
#[derive(Args)]
#[command(after_help = "\
With --every the columns are: connections, files, the memory that they take; each second, requests,
refusals, bytes received and sent, watches woken and commits; and the mean milliseconds of a commit.
Sizes are in bytes, or with K, M, G or T for 1024 and its powers. If the connection is lost, stderr
says so, and the lines go on once the server is there again.

Examples:
  telefile stats --every 5
  telefile stats --format prometheus > /var/lib/node_exporter/telefile.prom")]
pub(crate) struct Settings {
    /// Print lines of a name and a value, one JSON object, or the text that Prometheus reads
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    /// The same as --format json
    #[arg(long, conflicts_with = "format")]
    json: bool,
    /// Print a line every SECS seconds, until stdout is closed
    #[arg(long, value_name = "SECS", value_parser = values::SECONDS)]
    every: Option<Duration>,
    #[command(flatten)]
    remote: Remote,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    Json,
    Prometheus,
}

impl Settings {
    pub(crate) fn run(self) -> Outcome {
        let format = if self.json { Format::Json } else { self.format };
        match self.every {
            Some(_) if format == Format::Prometheus => {
                Err(Failure::usage("--every prints no text for Prometheus, which asks by itself"))
            }
            Some(pause) => every::print(&self.remote, pause, format == Format::Json),
            None => {
                let stats = self.remote.connect(Client::builder())?.stats()?;
                put(shown(stats, format))
            }
        }
    }
}

fn shown(stats: Vec<(String, String)>, format: Format) -> String {
    match format {
        Format::Text => {
            stats.into_iter().map(|(name, value)| format!("{name} {value}\n")).collect()
        }
        Format::Prometheus => prometheus::text(&stats),
        Format::Json => {
            let add = |object: Object, (name, value): (String, String)| {
                // A larger number, or one with zeros in front, is none of JSON.
                match value.parse::<i64>().is_ok_and(|number| number.to_string() == value) {
                    true => object.number(&name, value),
                    false => object.text(&name, &value),
                }
            };
            stats.into_iter().fold(Object::new(), add).line()
        }
    }
}
