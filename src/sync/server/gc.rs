//! The collector: deletes chunks that no entry refers to.

use super::entry::{Body, Content, Entry};
use super::remote::Cas;
use crate::exptime::Exptime;
use crate::sync::error::Error;
use crate::sync::folder::Folder;
use crate::sync::hash::Hash;
use crate::sync::steps::step;
#[cfg(test)]
use crate::sync::steps::{Fault, has};
use crate::sync::time::Utc;
use crate::version::Version;
use std::collections::HashSet;

/// The collector runs this long after the last one of this folder, or after its first start.
const INTERVAL_SECONDS: u64 = 3600;

/// Exists while a collector runs; its contents are the name of the client.
pub(in crate::sync) const FLAG: &str = "gc";

/// How many entries are read, and how many chunks deleted, at once.
const GROUP: usize = 64;

/// What the collector did.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::sync) struct Collected {
    /// How many chunks it has deleted.
    pub(in crate::sync) deleted: usize,
    /// The key of an entry that it did not understand, so that it has deleted nothing.
    pub(in crate::sync) unknown: Option<String>,
}

impl Folder<'_> {
    /// Runs the collector if that is due. A lost connection only puts it off.
    pub(in crate::sync) fn collect_if_due(&mut self) -> Result<(), Error> {
        let now = Utc::now();
        let last = *self.collected.get_or_insert_with(|| {
            self.state.collected().unwrap_or_else(|| {
                self.state.set_collected(now);
                now
            })
        });
        // A time in the future is one from before the clock was set back.
        let is_recent = (last..last.seconds_after(INTERVAL_SECONDS)).contains(&now);
        // What a refused file has left takes the room of others.
        if is_recent && !std::mem::take(&mut self.refused.has_left_chunks) {
            return Ok(());
        }
        self.collected = Some(now);
        self.state.set_collected(now);
        self.empty_old_trash();
        match self.collect() {
            Ok(Collected { deleted, unknown }) => {
                if deleted > 0 {
                    self.state.log(&format!("{deleted} unused chunks were deleted"));
                }
                if let Some(key) = unknown.as_ref().filter(|_| self.unknown != unknown) {
                    let key = key.escape_debug();
                    self.notice(format!(
                        "unused contents stay on the server, because this release does not understand \
                         the entry {key}: update telefile, or if no release wrote it, delete the file \
                         s/<id>/e/{key} on the server"
                    ));
                }
                self.unknown = unknown;
            }
            Err(Error::Server(_)) => self.remote = None,
            Err(e) => return Err(e),
        }
        Ok(())
    }

    /// Deletes chunks that no entry has, unless an upload is under way or another collector is.
    /// All of it is on one connection: if that breaks, its flag is deleted, and nothing that it asked for
    /// is done afterwards.
    pub(in crate::sync) fn collect(&self) -> Result<Collected, Error> {
        let remote = self.remote()?;
        let name = self.client.as_bytes();
        let Cas::Done(flag) = remote.cas(FLAG, Version::ABSENT, name, Exptime::Connection)? else {
            return Ok(Collected::default());
        };
        step("the collector is announced")?;
        let is_idle = remote.list("w/")?.versions.is_empty();
        #[cfg(test)]
        let is_idle = is_idle || has(Fault::CollectAnyway);
        let collected = if is_idle { self.collect_now()? } else { Collected::default() };
        remote.delete(FLAG, Some(flag))?;
        Ok(collected)
    }

    fn collect_now(&self) -> Result<Collected, Error> {
        let remote = self.remote()?;
        let chunks = remote.list("c/")?.versions;
        if chunks.is_empty() {
            return Ok(Collected::default());
        }
        let mut used: HashSet<Hash> = HashSet::new();
        let keys: Vec<_> = remote.list("e/")?.versions.into_iter().map(|(key, _)| key).collect();
        let mut unknown = None;
        for keys in keys.chunks(GROUP) {
            self.check_stop()?;
            remote.each_entry(keys, |key, read| {
                let Some((_, text)) = read else { return };
                match Entry::parse(&text).map(|entry| entry.content) {
                    Some(Content::File { body: Body::Chunks(chunks), .. }) => {
                        used.extend(chunks.iter().map(|chunk| chunk.hash));
                    }
                    Some(_) => {}
                    None => unknown = Some(key.to_string()),
                }
            })?;
            // A later release may have written it: nobody here knows which chunks it has.
            if unknown.is_some() {
                return Ok(Collected { deleted: 0, unknown });
            }
        }
        step("the entries are read")?;
        let is_used = |name: &str| Hash::parse(name).is_some_and(|hash| used.contains(&hash));
        let unused = chunks.into_iter().filter(|(name, _)| !is_used(name));
        let unused: Vec<_> = unused.map(|(name, _)| format!("c/{name}")).collect();
        for names in unused.chunks(GROUP) {
            self.check_stop()?;
            remote.delete_all(names)?;
        }
        Ok(Collected { deleted: unused.len(), unknown: None })
    }
}
