//! Uploads: sets entries on the server, and the chunks before them, all on one connection. If that
//! breaks, nothing of the upload can still be executed.

use super::read_ahead::read_ahead;
use super::sender::{Sender, Target};
use super::upload::{MAX_INLINE_BYTES, Upload};
use crate::sync::error::Error;
use crate::sync::folder::Folder;
use crate::sync::report::Report;
use crate::sync::server::entry::is_client;
use crate::sync::server::gc::FLAG;
use crate::sync::steps::step;
use crate::sync::time::Utc;
use std::thread;
use std::time::{Duration, Instant};

/// How many entries are deleted together.
pub(in crate::sync) const GROUP: usize = 512;

/// How long a round waits for a collector before it leaves large files to a later one...
const COLLECTOR_PATIENCE: Duration =
    if cfg!(test) { Duration::from_millis(100) } else { Duration::from_secs(5) };
/// ...and the only round of a command.
const PATIENCE_OF_ONCE: Duration =
    if cfg!(test) { COLLECTOR_PATIENCE } else { Duration::from_secs(60) };

impl Folder<'_> {
    /// Pushes what is here, the largest files last: one for which the server has no room leaves none to
    /// those behind it. Each row is written after its entry is set.
    pub(in crate::sync) fn push(
        &mut self,
        uploads: Vec<Upload>,
        report: &mut Report,
    ) -> Result<(), Error> {
        // What needs no chunks waits for nobody.
        let (mut large, small): (Vec<_>, Vec<_>) = uploads.into_iter().partition(Upload::is_large);
        self.send(&small, report)?;
        self.refused.hold_back(&mut large, report);
        large.sort_by_key(|upload| upload.found.stat.size);
        if !large.is_empty() {
            match self.raise_working() {
                Ok(Some(working)) => {
                    self.send(&large, report)?;
                    self.remote()?.delete(&working, None)?;
                }
                Ok(None) => report.again.extend(large.into_iter().map(|upload| upload.path)),
                Err(e) if e.is_of_one_path() => {
                    large.into_iter().for_each(|upload| report.fail(upload.path, &e));
                }
                Err(e) => return Err(e),
            }
        }
        step("entries are set")?;
        self.index.commit_found(&self.root)?;
        step("the rows of a push are written")
    }

    fn send(&mut self, uploads: &[Upload], report: &mut Report) -> Result<(), Error> {
        let Folder { root, remote, index, listing, observer, client, refused, .. } = self;
        let remote = remote.as_ref().ok_or(Error::Stopped)?;
        let to = Target { root, remote, index, listing, observer, client, refused, report };
        let mut sender = Sender::new(uploads, to);
        read_ahead(root, uploads, |batch| sender.take(batch))
    }

    /// Says that chunks are being stored which no entry has yet. `None` if a collector does not end.
    fn raise_working(&mut self) -> Result<Option<String>, Error> {
        let since = Instant::now();
        let patience = match self.settings.once {
            true => PATIENCE_OF_ONCE,
            false => COLLECTOR_PATIENCE,
        };
        loop {
            let remote = self.remote()?;
            let name = remote.raise("w/")?;
            step("an upload is announced")?;
            let Some(holder) = remote.small(FLAG)? else {
                self.held = None;
                return Ok(Some(name));
            };
            remote.delete(&name, None)?;
            // One that an earlier round has waited for may be suspended.
            if self.held.is_some() {
                return Ok(None);
            }
            if since.elapsed() > patience {
                self.note_holder(&holder, patience);
                return Ok(None);
            }
            self.check_stop()?;
            thread::sleep(Duration::from_millis(50));
        }
    }

    fn note_holder(&mut self, holder: &str, patience: Duration) {
        let holder = if is_client(holder) { holder } else { "another client" };
        let seconds = patience.as_secs();
        self.notice(format!(
            "files above {} KiB wait for the collector of {holder}, which has not ended in {seconds} s: \
             is that process suspended?",
            MAX_INLINE_BYTES >> 10
        ));
        self.held = Some(format!("for the collector of {holder} since {}", Utc::now()));
    }
}
