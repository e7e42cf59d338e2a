//! Brings what has changed on the server into the folder.

use super::fetch::{Fetched, fetch};
use crate::sync::decide::{Action, Kind, Thing, Versioned, decide};
use crate::sync::disk::apply::{Applied, Change, FEW, New, Place};
use crate::sync::disk::scan::Found;
use crate::sync::disk::stat::FileKind;
use crate::sync::error::{Error, Failure, is_gone};
use crate::sync::folder::Folder;
use crate::sync::hash::Hash;
use crate::sync::path::RelPath;
use crate::sync::report::{Event, Report};
use crate::sync::server::entry::{Content, Entry};
use crate::sync::server::reads::next_size;
use crate::sync::state::index::Row;
use crate::sync::steps::step;
use crate::version::Version;
use std::collections::HashMap;
use std::io::ErrorKind;

/// How many entries are read at once.
const GROUP: usize = 256;

/// How many files, and about how many bytes, are put in place together.
pub(in crate::sync) const BATCH: usize = 4000;
const BATCH_BYTES: u64 = 64 << 20;

/// Why a path is reported at whose key nobody honest has written.
const NO_ENTRY: &str = "the server has something else at this path's key";

/// A file on the server that has to wait until a folder at its path is empty.
pub(in crate::sync) struct Waiting {
    path: RelPath,
    change: Change,
}

/// Changes of the folder that are made together.
#[derive(Default)]
pub(in crate::sync) struct Batch {
    pub(in crate::sync) changes: Vec<Change>,
    bytes: u64,
}

impl Folder<'_> {
    /// Pulls entries that have changed. Returns the files that are folders here.
    pub(in crate::sync) fn pull(
        &mut self,
        paths: Vec<(RelPath, Option<Found>)>,
        report: &mut Report,
    ) -> Result<Vec<Waiting>, Error> {
        let (mut batch, mut waiting) = (Batch::default(), Vec::new());
        let is_wrong = |(path, _): &(RelPath, _)| self.listing.is_wrong(path);
        let (wrong, paths): (Vec<_>, Vec<_>) = paths.into_iter().partition(is_wrong);
        wrong.into_iter().for_each(|(path, _)| report.fail(path, NO_ENTRY));
        let mut same = None;
        let (mut rest, mut size) = (&paths[..], GROUP);
        while !rest.is_empty() {
            self.check_stop()?;
            let group = &rest[..rest.len().min(size)];
            let keys: Vec<_> = group.iter().map(|(path, _)| path.key()).collect();
            let read = self.remote()?.read_entries(&keys)?;
            size = next_size(group.len(), read.len(), GROUP);
            rest = &rest[read.len()..];
            for ((path, found), read) in group.iter().cloned().zip(read) {
                let Some((version, text)) = read else {
                    report.again.insert(path);
                    continue;
                };
                let Some(entry) = Entry::parse(&text).filter(|entry| entry.path == path) else {
                    self.listing.set_wrong(&path);
                    report.fail(path, NO_ENTRY);
                    continue;
                };
                let same = same.get_or_insert_with(|| self.contents());
                let pulled = self.pull_one(entry, version, found, same, &mut batch, report);
                match pulled {
                    Ok(more) => waiting.extend(more),
                    Err(Failure::Path(e)) => report.fail(path, e),
                    Err(Failure::Round(e)) => return Err(e),
                }
                if batch.changes.len() >= BATCH || batch.bytes >= BATCH_BYTES {
                    self.apply(std::mem::take(&mut batch).changes, report)?;
                }
            }
        }
        self.apply(batch.changes, report)?;
        Ok(waiting)
    }

    /// Returns where each content is in this folder, as far as rows say.
    fn contents(&self) -> HashMap<Hash, RelPath> {
        let file = |(path, row): (&RelPath, &Row)| match row.thing.kind {
            Kind::File(hash) if row.stat.size > 0 => Some((hash, path.clone())),
            _ => None,
        };
        self.index.rows().iter().filter_map(file).collect()
    }

    fn pull_one(
        &mut self,
        entry: Entry,
        version: Version,
        mut found: Option<Found>,
        same: &HashMap<Hash, RelPath>,
        batch: &mut Batch,
        report: &mut Report,
    ) -> Result<Option<Waiting>, Failure> {
        let path = entry.path.clone();
        let kind = entry.content.kind();
        if kind == Kind::Dir && self.ignored.has(&path, true) {
            return Ok(None);
        }
        let Some(local) = self.resolve(&path, &mut found, report)? else { return Ok(None) };
        let remote = Versioned { thing: Thing { kind, mode: entry.mode }, version };
        let base = self.index.get(&path).map(Row::base);
        step("an entry is read")?;
        let mut old = found.zip(local);
        match decide(base, local, Some(remote)) {
            Action::Adopt => {
                found.into_iter().for_each(|found| self.adopt(path.clone(), found, remote));
                return Ok(None);
            }
            Action::PullMode => {
                let Some(found) = found else { return Ok(None) };
                self.pull_mode(path, found, remote, report)?;
                return Ok(None);
            }
            Action::Conflict => {
                // What is there when it is renamed is what is kept, whatever it is by then.
                let copy = match self.place().copy_aside(&self.root, &path, &path) {
                    Err(Error::System(_, e)) if is_gone(&e) => {
                        report.again.insert(path);
                        return Ok(None);
                    }
                    copied => copied?,
                };
                step("the local file is aside")?;
                self.notice(format!("{path}: changed on both sides; this one is {copy} now"));
                report.conflicts += 1;
                report.again.insert(copy);
                old = None;
            }
            Action::Pull => {}
            // The listing was older than the entry.
            _ => {
                self.listing.set(&path, version);
                report.again.insert(path);
                return Ok(None);
            }
        }
        if found.is_none() {
            self.check_spelling(&path)?;
        }
        if kind == Kind::Dir {
            self.pull_folder(path, old, remote, batch, report)?;
            return Ok(None);
        }
        let Some(new) = self.fetch_one(&entry, remote, old, same, batch, report)? else {
            return Ok(None);
        };
        let is_dir = old.is_some_and(|(found, _)| found.stat.kind == FileKind::Dir);
        let old = old.filter(|_| !is_dir).map(|(found, thing)| (found.stat, thing));
        let change = Change { path: path.clone(), old, new: Some(new) };
        if is_dir {
            return Ok(Some(Waiting { path, change }));
        }
        batch.changes.push(change);
        Ok(None)
    }

    fn fetch_one(
        &mut self,
        entry: &Entry,
        remote: Versioned,
        old: Option<(Found, Thing)>,
        same: &HashMap<Hash, RelPath>,
        batch: &mut Batch,
        report: &mut Report,
    ) -> Result<Option<New>, Error> {
        let Content::File { hash, size, .. } = &entry.content else { return Ok(None) };
        let open = |path: &RelPath| self.root.open_file(path).ok();
        let same = same.get(hash).and_then(open);
        let old = old.filter(|(found, _)| found.stat.kind == FileKind::File);
        let old = old.and_then(|_| open(&entry.path));
        self.temporaries += 1;
        let number = self.temporaries;
        let Folder { remote: connection, marker, observer, .. } = self;
        observer.say(Event::Planned { files: 0, bytes: *size });
        let connection = connection.as_ref().ok_or(Error::Stopped)?;
        let mut moved = |bytes| observer.moved(bytes);
        match fetch(connection, marker, number, entry, same, old, &mut moved)? {
            Fetched::Complete(mut temporary) => {
                if batch.changes.len() >= FEW {
                    temporary.file = None;
                }
                batch.bytes += size;
                self.damaged.remove(&entry.path);
                step("a new file is complete")?;
                Ok(Some(New { temporary, thing: remote.thing, version: remote.version }))
            }
            Fetched::Missing => {
                // The collector may have been faster than the first read of an entry.
                let known = self.damaged.insert(entry.path.clone(), remote.version);
                match known == Some(remote.version) {
                    true => report.fail(entry.path.clone(), "parts of it are missing or damaged"),
                    false => drop(report.again.insert(entry.path.clone())),
                }
                Ok(None)
            }
        }
    }

    /// Pulls files to where folders were, which should be empty by now.
    pub(in crate::sync) fn pull_over_folders(
        &mut self,
        waiting: Vec<Waiting>,
        report: &mut Report,
    ) -> Result<(), Error> {
        let mut changes = Vec::new();
        for Waiting { path, change } in waiting {
            match self.root.remove_dir(&path) {
                Ok(()) => {}
                Err(e) if is_gone(&e) => {}
                Err(e) if e.kind() == ErrorKind::DirectoryNotEmpty => {
                    let copy = match self.place().copy_aside(&self.root, &path, &path) {
                        Err(e) if e.is_of_one_path() => {
                            report.fail(path, e);
                            continue;
                        }
                        copied => copied?,
                    };
                    self.notice(format!("{path}: is a file now; what was in it is in {copy}"));
                    report.conflicts += 1;
                    report.again.insert(copy);
                }
                Err(e) => {
                    report.fail(path, e);
                    continue;
                }
            }
            changes.push(change);
        }
        self.apply(changes, report)
    }

    /// Makes changes of the folder, and reports them.
    pub(in crate::sync) fn apply(
        &mut self,
        changes: Vec<Change>,
        report: &mut Report,
    ) -> Result<(), Error> {
        let puts: Vec<_> = changes.iter().map(|c| (c.path.clone(), c.new.is_some())).collect();
        let Folder { root, marker, client, exchanges, index, .. } = self;
        let place = Place { root, marker, client, exchanges: *exchanges };
        let Applied { again, copies, failed, .. } = place.apply(index, changes)?;
        let is_done =
            |path: &RelPath| !again.contains(path) && !failed.iter().any(|f| f.0 == *path);
        for (path, is_put) in puts.iter().filter(|(path, _)| is_done(path)) {
            match is_put {
                true => report.pulled += 1,
                false => report.deleted_here += 1,
            }
            self.observer.finished(path)?;
        }
        for copy in copies {
            self.notice(format!("{copy}: written while another version came"));
            report.conflicts += 1;
            report.again.insert(copy);
        }
        report.again.extend(again);
        failed.into_iter().for_each(|(path, e)| report.fail(path, e));
        Ok(())
    }
}
