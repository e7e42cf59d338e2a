//! `telefile open`: keeps a file open until stdin ends.

use crate::cli::failure::{Failure, Outcome};
use crate::cli::json::{Format, Object};
use crate::cli::remote::{Remote, closed, lost_at};
use crate::cli::streams::{put, stdin};
use crate::cli::values;
use crate::client::Client;
use clap::Args;
use std::fs::File;
use std::io;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

/// Hold a file open until stdin ends, and print FD DESCRIPTOR VERSION TYPE first
#[derive(Args)]
#[command(after_help = "\
A file of a type such as Counter exists only while somebody has it open. DESCRIPTOR is of use only
on the connection that opened it: see `telefile connect`.

Example:
  sleep 60 | telefile open visitors Counter    # a Counter for a minute; others can write to it")]
pub(crate) struct Settings {
    /// The file's name
    #[arg(value_parser = values::TEXT)]
    name: String,
    /// The file's type, one of those that `telefile types` prints [default: the type that it has,
    /// or File]
    #[arg(value_name = "TYPE", value_parser = values::TEXT)]
    kind: Option<String>,
    #[command(flatten)]
    format: Format,
    #[command(flatten)]
    remote: Remote,
}

impl Settings {
    pub(crate) fn run(self) -> Outcome {
        let stdin = stdin()?;
        let client = Arc::new(self.remote.connect(Client::builder())?);
        let file = client.open(&self.name, self.kind.as_deref())?;
        let (fd, version, kind) = (file.descriptor(), file.version(), file.kind());
        put(match self.format.json {
            true => {
                let object = Object::new().text("name", &self.name).number("fd", fd);
                object.number("version", version).text("type", kind).line()
            }
            false => format!("FD {fd} {version} {kind}\n"),
        })?;
        wait_ended(stdin, client, self.remote.place.address)?;
        Ok(file.close()?)
    }
}

/// Waits for the end of stdin; if the connection ends first, that is a failure. The thread of the
/// one that did not end lasts until the process exits.
fn wait_ended(mut stdin: File, client: Arc<Client>, address: String) -> Result<(), Failure> {
    let (ended, first) = mpsc::channel();
    let stdin_ended = ended.clone();
    let started = thread::Builder::new().spawn(move || {
        let read = io::copy(&mut stdin, &mut io::sink());
        stdin_ended.send(read.map(drop).map_err(|e| Failure::failed(format!("stdin: {e}"))))
    });
    started.map_err(Failure::no_thread)?;
    let started = thread::Builder::new().spawn(move || {
        while let Ok(false) = client.wait_lost(Duration::MAX) {}
        ended.send(Err(lost_at(&address, &closed())))
    });
    started.map_err(Failure::no_thread)?;
    first.recv().unwrap_or(Ok(()))
}
