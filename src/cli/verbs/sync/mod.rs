//! `telefile sync`: keeps a folder equal to those of other machines.

mod progress;

use crate::cli::failure::{Failure, Outcome};
use crate::cli::json::Object;
use crate::cli::panics::report_once;
use crate::cli::remote::{Patience, TokenFile};
use crate::cli::signals;
use crate::cli::streams::put;
use crate::cli::values;
use crate::net::Address;
use crate::sync::{self, Error, Stop};
use clap::Args;
use progress::Progress;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use std::net::Ipv6Addr;
use std::path::PathBuf;
use std::time::Duration;

/// A guard rail stopped it.
const GUARD: u8 = 5;

/// Keep a folder equal to those of other machines, through a server
#[derive(Args)]
#[command(after_help = "\
Without ID a folder is pushed to a new one, which is printed first; with it the folder joins in.
A folder that was synchronised before needs no ID. What a change on another machine replaces or
deletes stays in .telefile-sync/trash for 7 days. Without --once it goes on until it is stopped,
also while there is no server.

Exit status: 0 done or stopped, 1 something was refused, or with --once left out, 2 usage,
3 no connection (--once), 5 a guard rail stopped it: nothing was deleted, 8 a wrong token.

Examples:
  telefile sync server 8080 ~/notes 10                  # prints id: ...
  TELEFILE_SYNC_ID=... telefile sync server 8080 ~/notes 10
  telefile sync --forget server 8080 ID                 # remove it from the server
  telefile sync --status                                # the folders of this machine")]
pub(crate) struct Settings {
    /// The server's host; of several, with commas, one that answers. HOST:PORT or unix:PATH does not
    /// use the port that follows, which may be 0 then
    #[arg(required_unless_present = "status")]
    host: Option<String>,
    /// The server's port
    #[arg(required_unless_present = "status")]
    port: Option<u16>,
    /// The folder; with --forget the id
    #[arg(required_unless_present_any = ["status", "forget"])]
    path: Option<PathBuf>,
    /// Seconds between two rounds
    #[arg(required_unless_present_any = ["status", "forget"], value_parser = values::SECONDS)]
    time: Option<Duration>,
    /// The id that the folders share; a secret
    #[arg(env = "TELEFILE_SYNC_ID", hide_env_values = true)]
    id: Option<String>,
    /// End after one round
    #[arg(long)]
    once: bool,
    /// Print what a round would do, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// Start over: with another id, or without regard to earlier rounds; deletes nothing
    #[arg(long)]
    new: bool,
    /// Delete however many files were deleted on the other side
    #[arg(long)]
    force: bool,
    /// Do not watch the folder; scan it each time
    #[arg(long)]
    no_watch: bool,
    /// Leave paths alone that match PATTERN, as in .gitignore; kept for later starts without --ignore
    #[arg(long, value_name = "PATTERN")]
    ignore: Vec<String>,
    /// Remove an id and all its files from the server: --forget HOST PORT ID
    #[arg(
        long,
        conflicts_with_all = ["once", "dry_run", "new", "force", "no_watch", "ignore", "status"]
    )]
    forget: bool,
    /// Print the folders of this machine and how they are
    #[arg(
        long,
        conflicts_with_all = ["host", "once", "dry_run", "new", "force", "no_watch", "ignore"]
    )]
    status: bool,
    /// With --status, print JSON, one object a line
    #[arg(long, requires = "status", conflicts_with = "host")]
    json: bool,
    #[command(flatten)]
    token: TokenFile,
    #[command(flatten)]
    patience: Patience,
}

impl Settings {
    pub(crate) fn run(self) -> Outcome {
        if self.status {
            return print_status(self.json);
        }
        // One that is on the command line too is no worse as a default.
        let is_default_id = self.id.is_some() && self.id == std::env::var("TELEFILE_SYNC_ID").ok();
        let missing = |what| Failure::usage(format!("{what} is missing; try `sync --help`"));
        let host = self.host.as_ref().ok_or_else(|| missing("HOST"))?;
        let port = self.port.ok_or_else(|| missing("PORT"))?;
        let address = addresses(host, port);
        let path = self.path.clone().unwrap_or_default();
        let mut settings =
            sync::Settings::new(address, path, self.time.unwrap_or(Duration::from_secs(1)));
        settings.token = self.token.read()?;
        settings.timeout = self.patience.timeout;
        settings.retry = self.patience.retry.unwrap_or_default();
        if self.forget {
            let id = self.path.map(|id| id.to_string_lossy().into_owned()).or(self.id);
            let id = id_in(&id.ok_or_else(|| missing("ID"))?);
            let count = self.patience.retrying(|| match sync::forget(&settings, &id) {
                Err(Error::Server(e)) => Err(e),
                done => Ok(done),
            });
            return put(format!("files removed: {}\n", count?.map_err(failed)?));
        }
        settings.id = self.id.as_deref().map(id_in);
        settings.is_default_id = is_default_id;
        settings.once = self.once;
        settings.dry_run = self.dry_run;
        settings.new = self.new;
        settings.force = self.force;
        settings.watch = !self.no_watch;
        settings.ignore = self.ignore;
        report_once(sync::is_guarded);
        let stop = Stop::new();
        let stopped = stop.clone();
        signals::each(&[SIGHUP, SIGINT, SIGTERM], move |_| stopped.stop())
            .map_err(Failure::no_thread)?;
        let summary = match sync::run(&settings, &mut Progress::new(), &stop) {
            Err(Error::Stopped) => return Ok(()),
            ended => ended.map_err(failed)?,
        };
        match (self.once || self.dry_run) && !summary.left_out.is_empty() {
            // Each was said already.
            true => Err(Failure::silent(1)),
            false => Ok(()),
        }
    }
}

/// Returns the addresses of one host or of several.
fn addresses(hosts: &str, port: u16) -> String {
    let address = |host: &str| match host.parse::<Ipv6Addr>() {
        Ok(host) => format!("[{host}]:{port}"),
        Err(_) if host.is_empty() || host.parse::<Address>().is_ok() => host.to_string(),
        Err(_) => format!("{host}:{port}"),
    };
    hosts.split(',').map(address).collect::<Vec<_>>().join(",")
}

/// Returns the id in what a user has typed or pasted, such as the line that `sync` prints.
fn id_in(text: &str) -> String {
    let text = text.trim();
    text.strip_prefix("id:").unwrap_or(text).trim_start().to_ascii_lowercase()
}

fn failed(error: Error) -> Failure {
    match error {
        Error::Server(e) => e.into(),
        Error::Guard(message) => Failure { message, status: GUARD },
        e => Failure::failed(e),
    }
}

fn print_status(is_json: bool) -> Outcome {
    let folders = sync::status().map_err(failed)?;
    if is_json {
        return put(folders.iter().map(object).collect::<String>());
    }
    let mut text = String::new();
    for status in folders {
        text += &format!(
            "{}\n  last round: {}: {}\n  pending {}, conflict copies {}, left out {}\n",
            status.folder,
            status.last_round,
            status.did,
            status.pending,
            status.conflicts,
            status.left_out
        );
        if !status.waiting.is_empty() {
            text += &format!("  large files wait {}\n", status.waiting);
        }
        text += &match status.process {
            Some(process) => format!(
                "  process: {process}\n  watcher: {}\n  server: {}\n",
                status.watcher, status.server
            ),
            None => "  process: none\n".to_string(),
        };
    }
    put(if text.is_empty() { "no folders\n".to_string() } else { text })
}

/// Returns what `--json` prints about a folder.
fn object(status: &sync::Status) -> String {
    let object = Object::new()
        .text("folder", &status.folder)
        .text("last_round", &status.last_round)
        .text("did", &status.did)
        .number("pending", status.pending)
        .number("conflicts", status.conflicts)
        .number("left_out", status.left_out)
        .text("waiting", &status.waiting);
    match status.process {
        Some(process) => object
            .number("process", process)
            .text("watcher", &status.watcher)
            .text("server", &status.server)
            .line(),
        None => object.line(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_gets_the_port_unless_it_has_one() {
        for (hosts, expected) in [
            ("a", "a:80"),
            ("::1", "[::1]:80"),
            ("unix:/x", "unix:/x"),
            ("a,b:81,unix:/x,::1", "a:80,b:81,unix:/x,[::1]:80"),
            ("a,,b", "a:80,,b:80"),
            ("a,", "a:80,"),
        ] {
            assert_eq!(addresses(hosts, 80), expected);
        }
    }
}
