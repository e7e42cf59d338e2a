//! Reading what a file is: its contents, its version, its type.

use super::Table;
use crate::budget::Charge;
use crate::contents::Contents;
use crate::files::file::ClientId;
use crate::files::stat::{Looked, Stat};
use crate::files::state::files::entry::Body;
use crate::files::store::Backup;
use crate::name::{FileRef, Name};
use crate::refusal::Refusal;
use std::io;

/// How many bytes of contents a run of reads has, not counting the last.
const MAX_RUN_BYTES: usize = 64 << 10;

impl Table {
    /// Reads the first of `names` in one step: as many as need neither the store nor a type, and have
    /// not expired. A name without a file is `None`.
    ///
    /// All files are found before the first is looked at, because the processor then waits for memory
    /// once for several of them.
    pub(crate) fn read_run(&self, names: &[Name]) -> Vec<Option<Looked>> {
        let mut ids = Vec::with_capacity(names.len());
        let mut run = Vec::with_capacity(names.len());
        let mut bytes = 0;
        let mut table = self.lock();
        ids.extend(names.iter().map(|name| table.state.files.find_name(name.as_bytes())));
        for id in ids {
            let looked = match id.map(|id| table.current(id)) {
                None => None,
                Some(Err(_expired)) => break,
                Some(Ok((entry, now))) => {
                    let Body::Bytes(contents) = &entry.body else { break };
                    bytes += contents.len();
                    Some(Looked { stat: entry.stat(now), contents: contents.clone() })
                }
            };
            run.push(looked);
            if bytes >= MAX_RUN_BYTES {
                break;
            }
        }
        run
    }

    /// Returns the contents of a file, and their stat, for a client.
    ///
    /// # Errors
    /// [`Refusal::NotFound`], and those of the file's type. [`Refusal::Internal`] if the store
    /// cannot be read.
    pub(crate) fn read(
        &self,
        file: FileRef<'_>,
        by: ClientId,
    ) -> Result<(Stat, Contents), Refusal> {
        loop {
            let (table, found) = self.look(file, |e, now| (e.stat(now), e.body.clone()));
            drop(table);
            match found.ok_or(Refusal::NotFound)? {
                (stat, Body::Bytes(contents)) => return Ok((stat, contents)),
                (stat, Body::Stored(numbytes)) => {
                    if let Some(contents) = self.stored_contents(stat.version, numbytes)? {
                        return Ok((stat, contents));
                    }
                    // They were replaced meanwhile, and that may not be visible yet.
                    let table = self.lock_visible(file);
                    let version = table.state.files.entry(file).map(|entry| entry.version);
                    if version == Some(stat.version) {
                        log::error!("the store has no contents of version {}", stat.version);
                        return Err(Refusal::Internal);
                    }
                }
                (_, Body::Code(code, _)) => {
                    if let Some(done) = self.read_code(file, &code, by) {
                        return done;
                    }
                    self.wait_ended(file);
                }
            }
        }
    }

    /// Returns the store's size on disk and its limit, if there is a store.
    pub(crate) fn stored(&self) -> Option<(u64, Option<u64>)> {
        self.store.as_ref().map(|store| store.size())
    }

    /// Begins a backup of what is on disk; `None` if there is no store that makes one.
    pub(crate) fn begin_backup(&self) -> io::Result<Option<Backup>> {
        self.store.as_ref().map_or(Ok(None), |store| store.begin_backup())
    }

    /// Returns contents from the store; `None` if they have been replaced.
    pub(in crate::files) fn stored_contents(
        &self,
        version: u64,
        numbytes: u64,
    ) -> Result<Option<Contents>, Refusal> {
        let Some(store) = &self.store else { return Ok(None) };
        let mut charge = Charge::none(&self.budget);
        let cost = usize::try_from(numbytes).map_or(u64::MAX, Contents::cost);
        charge.grow(cost)?;
        let contents = store.contents(version).map_err(|e| {
            log::error!("contents of version {version}: {e}");
            Refusal::Internal
        })?;
        Ok(contents.map(|contents| contents.with_charge(charge)))
    }

    /// Returns what is known of a file without its contents, its type, and its number of opens.
    ///
    /// # Errors
    /// [`Refusal::NotFound`]
    pub(crate) fn stat(&self, file: FileRef<'_>) -> Result<(Stat, &'static str, u64), Refusal> {
        let (table, found) = self.look(file, |e, now| (e.stat(now), e.kind()));
        let (stat, kind) = found.ok_or(Refusal::NotFound)?;
        Ok((stat, kind, table.state.files.opens(file)))
    }
}
