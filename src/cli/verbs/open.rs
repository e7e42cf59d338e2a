//! `telefile open`: keeps a file open until stdin ends.

use super::Verb;
use crate::cli::failure::Failure;
use crate::cli::remote::{addr, closed, lost_at, timeout, token_file};
use crate::cli::streams::{put, stdin};
use crate::client::Client;
use std::fs::File;
use std::io;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

pub(crate) const OPEN: Verb = Verb {
    name: "open",
    operands: "NAME [TYPE]",
    what: "hold a file open until stdin ends",
    flags: &[addr(), token_file(), timeout()],
    run: |settings, operands| {
        let stdin = stdin()?;
        let client = Arc::new(settings.connect()?);
        let file = client.open(&operands[0], operands.get(1).map(String::as_str))?;
        let (fd, version, kind) = (file.descriptor(), file.version(), file.kind());
        put(format!("FD {fd} {version} {kind}\n"))?;
        wait_ended(stdin, client, settings.remote.address.clone())?;
        Ok(file.close()?)
    },
};

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
