//! Uploads: sets entries on the server, and the chunks before them, all on one connection. If that
//! breaks, nothing of the upload can still be executed.

use super::read_ahead::read_ahead;
use super::sender::{Sender, Target};
use super::upload::Upload;
use crate::sync::error::Error;
use crate::sync::folder::Folder;
use crate::sync::report::Report;
use crate::sync::steps::step;
use std::thread;
use std::time::{Duration, Instant};

/// How many entries are deleted together.
pub(in crate::sync) const GROUP: usize = 512;

/// How long a collector may take before an upload gives up and leaves it to the next round.
#[cfg(not(test))]
const COLLECTOR_PATIENCE: Duration = Duration::from_secs(60);
/// In a schedule of the tests the collector may be waiting for this upload.
#[cfg(test)]
const COLLECTOR_PATIENCE: Duration = Duration::from_millis(100);

impl Folder<'_> {
    /// Pushes what is here. Each row is written after its entry is set.
    pub(in crate::sync) fn push(
        &mut self,
        mut uploads: Vec<Upload>,
        report: &mut Report,
    ) -> Result<(), Error> {
        let mut working = None;
        if uploads.iter().any(Upload::is_large) {
            working = self.raise_working()?;
            if working.is_none() {
                let large = uploads.extract_if(.., |upload| upload.is_large());
                report.again.extend(large.map(|upload| upload.path));
            }
        }
        let Folder { root, remote, index, listing, observer, client, .. } = self;
        let remote = remote.as_ref().ok_or(Error::Stopped)?;
        let to = Target { root, remote, index, listing, observer, client, report };
        let mut sender = Sender::new(&uploads, to);
        read_ahead(root, &uploads, |batch| sender.take(batch))?;
        if let Some(working) = working {
            remote.delete(&working, None)?;
        }
        step("entries are set")?;
        self.index.commit_found(&self.root)?;
        step("the rows of a push are written")
    }

    /// Says that chunks are being stored which no entry has yet. `None` if a collector does not end.
    fn raise_working(&mut self) -> Result<Option<String>, Error> {
        let since = Instant::now();
        loop {
            let remote = self.remote()?;
            let name = remote.raise("w/")?;
            step("an upload is announced")?;
            if !remote.has("gc")? {
                return Ok(Some(name));
            }
            remote.delete(&name, None)?;
            if since.elapsed() > COLLECTOR_PATIENCE {
                return Ok(None);
            }
            self.check_stop()?;
            thread::sleep(Duration::from_millis(50));
        }
    }
}
