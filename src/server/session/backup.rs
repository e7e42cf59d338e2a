//! A backup on its way to a client: one state of the store, which changes go on to leave behind.
//!
//! The store cannot use the room of that state again while it is on its way, so its client has to
//! keep up.

use super::Session;
use super::answer::{Answer, Outcome};
use super::outgoing::{Outgoing, Turn};
use crate::refusal::Refusal;
use crate::store::Backup;
use crate::wire::Reply;
use std::io::{self, BufRead, ErrorKind};
use std::time::{Duration, Instant};

/// What a client has to receive in each second, on average over the whole backup.
const BYTES_PER_SECOND: u64 = 1 << 20;

impl<'a> Session<'a> {
    /// Begins a backup of what is on disk.
    pub(super) fn backup(&self) -> Result<Outcome<'a>, Refusal> {
        let is_local = self.connection.stream().peer().is_none();
        #[cfg(feature = "etcd")]
        let is_local = is_local && !self.is_relayed;
        if !(is_local || self.server.settings.allow_backup) {
            return Err(Refusal::Denied);
        }
        let turn = Turn::take(&self.server.backups)?;
        match self.server.table.begin_backup() {
            Ok(Some(backup)) => Ok(Outcome::Answer(Answer::Backup(Outgoing::new(backup, turn)))),
            Ok(None) => Err(Refusal::Denied),
            Err(e) => {
                log::error!("no backup: {e}");
                Err(Refusal::Internal)
            }
        }
    }

    /// Sends a backup.
    ///
    /// # Errors
    /// Those of the stream and of the store, and [`ErrorKind::TimedOut`] if the client is too slow.
    /// The client has only a part of the backup then, so its connection has to end.
    pub(super) fn write_backup(&mut self, outgoing: Outgoing<'a>) -> io::Result<()> {
        let Outgoing { backup: Backup { version, numbytes, mut bytes }, .. } = outgoing;
        Reply::Backup { rev: version, numbytes }.write_to(self.connection.output());
        let (began, mut sent) = (Instant::now(), 0);
        loop {
            let piece = bytes.fill_buf().map_err(broken)?;
            let count = piece.len();
            if count == 0 {
                break;
            }
            sent += count as u64;
            if sent > numbytes {
                return Err(broken("it is longer than announced"));
            }
            let time =
                self.server.settings.write_timeout + Duration::from_secs(sent / BYTES_PER_SECOND);
            self.connection.set_deadline(began.checked_add(time));
            self.connection.send(piece).inspect_err(|e| {
                if e.kind() == ErrorKind::TimedOut {
                    log::warn!("a backup ended after {sent} of {numbytes} bytes: {e}");
                }
            })?;
            bytes.consume(count);
        }
        if sent < numbytes {
            return Err(broken("it is shorter than announced"));
        }
        self.connection.set_deadline(None);
        self.connection.output().extend_from_slice(b"\r\n");
        Ok(())
    }
}

/// Returns the error of a backup that cannot be continued. Its kind is none that the session knows.
fn broken(why: impl ToString) -> io::Error {
    let why = why.to_string();
    log::error!("a backup ended: {why}");
    io::Error::other(why)
}
