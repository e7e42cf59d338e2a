//! `telefile watch`: prints each change as it comes, one a line, until stdout has no reader.

mod follow;

use crate::cli::failure::{Failure, Outcome};
use crate::cli::json::{Format, Object};
use crate::cli::remote::Table;
use crate::cli::streams::{end_when_unread, put_some};
use crate::cli::values;
use crate::client::{Change, Client, Error};
use crate::name::ForLog;
use crate::refusal::Refusal;
use crate::version::Version;
use clap::Args;
use std::time::{Duration, Instant};

/// A server that vanished silently is noticed after this and the time-out.
const SIGN_OF_LIFE: Duration = Duration::from_secs(60);

/// Print changes of files as they come: put VERSION NUMBYTES NAME, or del VERSION 0 NAME
#[derive(Args)]
#[command(after_help = "\
Examples:
  telefile watch svc/ 0 | while read -r what version numbytes name; do echo \"$what $name\"; done
  telefile watch --once config        # until config, or a name that begins so, changes
  telefile watch --follow svc/ | while read -r what version numbytes name; do
    case $what in join) echo \"$name is up\" ;; leave) echo \"$name is down\" ;; esac
  done

With --follow, until it is ended:
  table EPOCH                  the table that the versions are of: first, and whenever it is another
  join VERSION NUMBYTES NAME   a file exists that did not, as far as it was known
  put VERSION NUMBYTES NAME    a file has changed
  leave VERSION 0 NAME         a file is deleted
  current VERSION              the lines so far are true at this version
  stale                        the connection is lost; the files may change unseen until a current")]
pub(crate) struct Settings {
    /// Watch the files whose names begin with PREFIX; an empty one is every file
    #[arg(value_parser = values::TEXT)]
    prefix: String,
    /// Begin after this version: the last one printed, or the REV of a list; 0 is the beginning
    /// [default: from now on]
    #[arg(value_parser = values::VERSION)]
    rev: Option<Version>,
    /// End after SECS seconds; 0 prints what has changed already [default: never]
    #[arg(
        long = "for",
        value_name = "SECS",
        value_parser = values::WHOLE_SECONDS
    )]
    time: Option<u64>,
    /// End as soon as something has changed
    #[arg(long)]
    once: bool,
    /// Print the files that exist first, and go on whatever happens to the server
    #[arg(long, conflicts_with_all = ["rev", "once"])]
    follow: bool,
    #[command(flatten)]
    format: Format,
    #[command(flatten)]
    table: Table,
}

impl Settings {
    pub(crate) fn run(self) -> Outcome {
        end_when_unread()?;
        let time = self.time.map(Duration::from_secs);
        let deadline = time.and_then(|time| Instant::now().checked_add(time));
        if self.follow {
            let follow = self.table.connect_always(Client::builder())?.follow(&self.prefix)?;
            return follow::follow(follow, deadline, self.format.json);
        }
        let client = self.table.connect(Client::builder())?;
        let mut rev = match self.rev {
            Some(rev) => rev,
            None => client.latest_version()?,
        };
        // The version up to which to print everything, once enough is printed.
        let mut end = None;
        loop {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            let time = left.unwrap_or(SIGN_OF_LIFE).min(SIGN_OF_LIFE);
            let time = if end.is_some() { Duration::ZERO } else { time };
            let news = client.watch(&self.prefix, rev, time);
            let news = news.map_err(|e| failed(e, &self.prefix, rev))?;
            rev = news.version;
            let line = |change| line(change, self.format.json);
            let text: String = news.changes.iter().map(line).collect();
            if !put_some(text.as_bytes())? {
                return Ok(());
            }
            let is_over = deadline.is_some_and(|deadline| deadline <= Instant::now());
            if end.is_none() && (is_over || self.once && !news.changes.is_empty()) {
                // An answer that ends with a change may be only the first part.
                let is_part = news.changes.last().is_some_and(|last| last.version == rev);
                end = Some(if is_part { client.latest_version()? } else { rev });
            }
            if end.is_some_and(|end| rev >= end) {
                return Ok(());
            }
        }
    }
}

fn failed(error: Error, prefix: &str, rev: Version) -> Failure {
    let prefix = ForLog(prefix);
    match error.refusal() {
        Some(Refusal::Compacted(current)) if *current < rev => Failure::failed(format!(
            "{prefix}: the table is at {current}, so {rev} is of another table or yet to come \
             (ERR_COMPACTED {current}); list again, and see --epoch"
        )),
        Some(Refusal::Compacted(current)) => Failure::failed(format!(
            "{prefix}: too much was deleted since {rev} (ERR_COMPACTED {current}); list again"
        )),
        _ => error.into(),
    }
}

fn line(change: &Change, json: bool) -> String {
    let Change { name, version, numbytes, .. } = change;
    let word = if numbytes.is_some() { "put" } else { "del" };
    if json {
        let object = Object::new().text("event", word).text("name", name);
        let object = object.number("version", version);
        return match numbytes {
            Some(numbytes) => object.number("numbytes", numbytes).line(),
            None => object.line(),
        };
    }
    format!("{word} {version} {} {name}\n", numbytes.unwrap_or(0))
}
