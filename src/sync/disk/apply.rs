//! Changes the folder: puts files in place and removes files, a batch at a time, so that what a user
//! writes meanwhile is kept and a crash at any moment loses nothing.
//!
//! 1. New contents are in temporary files, and the batch's plan beside them; all of that is flushed.
//! 2. Each temporary file changes places with the old file, in one step. What came out is looked at:
//!    if it is not what the scan saw, a user has just written it, and it becomes a conflict copy.
//! 3. The renames are flushed. Only then are the rows written.
//! 4. What came out goes to the trash, and the plan is removed.
//!
//! After a crash the plan says what each temporary file may hold: see `recover.rs`.

use super::conflict::copy_of;
use super::marker::Marker;
use super::root::{Rename, Root, sync_file};
use super::stat::{FileKind, Stat};
use super::temporary::{Temporary, hash_of, out_name, swap_name};
use crate::sync::decide::{Kind, Thing};
use crate::sync::error::{Error, OTHER_NAME, is_full, is_gone};
use crate::sync::path::RelPath;
use crate::sync::state::index::{Index, Row};
use crate::sync::steps::step;
#[cfg(test)]
use crate::sync::steps::{Fault, has};
use crate::sync::time::Utc;
use crate::version::Version;
use std::collections::BTreeSet;
use std::io::{self, ErrorKind};

/// At most this many files are flushed one by one; for more, the whole file system is flushed.
pub(in crate::sync) const FEW: usize = 8;

/// One change of the folder.
#[derive(Debug)]
pub(in crate::sync) struct Change {
    pub(in crate::sync) path: RelPath,
    /// What is there, as the scan saw it.
    pub(in crate::sync) old: Option<(Stat, Thing)>,
    pub(in crate::sync) new: Option<New>,
}

#[derive(Debug)]
pub(in crate::sync) struct New {
    pub(in crate::sync) temporary: Temporary,
    pub(in crate::sync) thing: Thing,
    /// Of the entry.
    pub(in crate::sync) version: Version,
}

/// The outcome of a batch.
#[derive(Debug, Default)]
pub(in crate::sync) struct Applied {
    /// Paths that are as they should be.
    pub(in crate::sync) done: usize,
    /// Paths that changed meanwhile: another round decides about them.
    pub(in crate::sync) again: BTreeSet<RelPath>,
    /// Conflict copies that were made.
    pub(in crate::sync) copies: Vec<RelPath>,
    pub(in crate::sync) failed: Vec<(RelPath, Error)>,
}

/// The folder, and what changes of it need.
#[derive(Clone, Copy)]
pub(in crate::sync) struct Place<'a> {
    pub(in crate::sync) root: &'a Root,
    pub(in crate::sync) marker: &'a Marker,
    /// This client's name.
    pub(in crate::sync) client: &'a str,
    /// Whether two files can change places in one step here.
    pub(in crate::sync) exchanges: bool,
}

/// What a rename did with the old file.
enum Outcome {
    /// There was none. What is there now, if it is still there.
    New(Option<Stat>),
    /// The old file is in the marker's folder; `None` if it is in a conflict copy.
    Done(Option<RelPath>),
    Again,
}

impl Place<'_> {
    /// Makes a batch of changes.
    pub(in crate::sync) fn apply(
        &self,
        index: &mut Index,
        changes: Vec<Change>,
    ) -> Result<Applied, Error> {
        let mut applied = Applied::default();
        if changes.is_empty() {
            return Ok(applied);
        }
        #[cfg(test)]
        if has(Fault::RowFirst) {
            changes.iter().for_each(|change| write_row(index, change, None));
            index.commit()?;
        }
        // Of a large batch only some files are still open.
        let is_open = |c: &Change| c.new.as_ref().is_none_or(|n| n.temporary.file.is_some());
        let few = changes.len() <= FEW && changes.iter().all(is_open);
        self.write_plan(&changes)?;
        self.flush_new(&changes, few)?;
        step("the new files are flushed")?;
        let (mut rows, mut old) = (Vec::new(), Vec::new());
        for (n, change) in changes.into_iter().enumerate() {
            match self.rename(n, &change, &mut applied) {
                Ok(Outcome::New(after)) => rows.push((change, after)),
                Ok(Outcome::Done(out)) => {
                    old.extend(out.map(|name| (name, change.path.clone())));
                    // If its folder is another one by now, the next scan sees that.
                    let after = self.root.stat(&change.path).unwrap_or_default();
                    rows.push((change, after));
                }
                Ok(Outcome::Again) => {
                    self.discard(n, &change);
                    applied.again.insert(change.path);
                }
                Err(Error::Stopped) => return Err(Error::Stopped),
                Err(e) if e.is_of_one_path() => {
                    applied.failed.push((change.path, e));
                }
                Err(e) => return Err(e),
            }
            step("a file is in place")?;
        }
        self.flush_folders(rows.iter().map(|(change, _)| &change.path), few)?;
        step("the renames are flushed")?;
        for (change, after) in &rows {
            write_row(index, change, *after);
        }
        applied.done = rows.len();
        index.commit()?;
        step("the rows are written")?;
        self.throw_away(old)?;
        // A file that could not be put where it belongs may be what a user wrote.
        if !applied.failed.is_empty() {
            applied.copies.extend(self.look_at_leftovers(index)?);
        }
        self.remove_plan()?;
        Ok(applied)
    }

    fn rename(&self, n: usize, change: &Change, applied: &mut Applied) -> Result<Outcome, Error> {
        let Change { path, old, new } = change;
        let temporary = &self.marker.temporary;
        let at = Error::at(path);
        let Some((old, thing)) = old else {
            let Some(new) = new else { return Ok(Outcome::Again) };
            let put = || temporary.put(&new.temporary.name, self.root, path).map(Outcome::New);
            let mut renamed = put();
            if renamed.as_ref().is_err_and(is_gone) {
                self.root.make_parents(path).map_err(Error::at(path))?;
                renamed = put();
            }
            return match renamed {
                Err(e) if e.kind() == ErrorKind::AlreadyExists => self.why_taken(path),
                renamed => renamed.map_err(at),
            };
        };
        // It looks unchanged since the scan.
        if self.root.stat(path).map_err(Error::at(path))? != Some(*old) {
            return Ok(Outcome::Again);
        }
        step("the old file is looked at")?;
        let out = swap_name(n);
        let renamed = match new {
            Some(_) if self.exchanges => {
                temporary.rename(&out, self.root, path, Rename::Exchange).map(|()| out.clone())
            }
            // Also where files cannot be exchanged: for a moment there is no file at the path.
            _ => {
                let out = if new.is_some() { out_name(n) } else { out };
                self.root.rename(path, temporary, &out, Rename::ToFree).map(|()| out)
            }
        };
        let out = match renamed {
            Ok(out) => out,
            Err(e) if is_gone(&e) => return Ok(Outcome::Again),
            Err(e) => return Err(at(e)),
        };
        step("the old file is out")?;
        let came = temporary.stat(&out).map_err(Error::at(path))?;
        let expected = match came.filter(|came| came.is_same_content(old)) {
            // A later write may have left the same times.
            Some(came) if came.has_whole_seconds() => {
                hash_of(temporary, &out).is_ok_and(|hash| thing.kind == Kind::File(hash))
            }
            came => came.is_some(),
        };
        #[cfg(test)]
        let expected = expected || has(Fault::NoLook);
        if !expected {
            if new.is_none() {
                match temporary.rename(&out, self.root, path, Rename::ToFree) {
                    Ok(()) => return Ok(Outcome::Again),
                    Err(e) if e.kind() == ErrorKind::AlreadyExists => {}
                    Err(e) => return Err(at(e)),
                }
            }
            applied.copies.push(self.copy_aside(temporary, &out, path)?);
        }
        if let (Some(_), false) = (new, self.exchanges)
            && let Err(e) = temporary.rename(&swap_name(n), self.root, path, Rename::ToFree)
        {
            // The leftovers are looked at before the batch ends.
            return Err(at(e));
        }
        Ok(Outcome::Done(expected.then_some(out)))
    }

    /// Says why a file cannot be made at a path where the scan saw none.
    fn why_taken(&self, path: &RelPath) -> Result<Outcome, Error> {
        let names = self.root.names(path.parent().as_ref()).map_err(Error::at(path))?;
        if names.iter().any(|name| name == path.name()) {
            return Ok(Outcome::Again);
        }
        Err(Error::at(path)(std::io::Error::other(OTHER_NAME)))
    }

    /// Renames what is at `from` to the name of a conflict copy of `path`, and returns that name. If the
    /// folder of `path` is no longer an accessible folder, the copy goes to the top.
    pub(in crate::sync) fn copy_aside(
        &self,
        from_root: &Root,
        from: &RelPath,
        path: &RelPath,
    ) -> Result<RelPath, Error> {
        let copied = self.copy_beside(from_root, from, path);
        match (copied, RelPath::new(path.name())) {
            (Err(Error::System(what, e)), Some(top)) if top != *path && !is_full(&e) => {
                let at_top = self.copy_beside(from_root, from, &top);
                at_top.map_err(|_| Error::System(what, e))
            }
            (copied, _) => copied,
        }
    }

    fn copy_beside(
        &self,
        from_root: &Root,
        from: &RelPath,
        path: &RelPath,
    ) -> Result<RelPath, Error> {
        let hash = match from_root.stat(from).map_err(Error::at(path))?.map(|stat| stat.kind) {
            Some(FileKind::File) => hash_of(from_root, from).ok(),
            Some(_) => None,
            // So that no folder is made for it.
            None => return Err(Error::at(path)(ErrorKind::NotFound.into())),
        };
        let now = Utc::now();
        for n in 0.. {
            let copy = copy_of(path, self.client, now, hash, n);
            self.root.make_parents(&copy).map_err(Error::at(path))?;
            match from_root.rename(from, self.root, &copy, Rename::ToFree) {
                Ok(()) => return Ok(copy),
                Err(e) if e.kind() == ErrorKind::AlreadyExists => {}
                Err(e) => return Err(Error::at(path)(e)),
            }
        }
        Err(Error::at(path)(ErrorKind::AlreadyExists.into()))
    }

    fn flush_new(&self, changes: &[Change], few: bool) -> Result<(), Error> {
        #[cfg(test)]
        if has(Fault::ContentsUnflushed) {
            return Ok(());
        }
        self.flush(few, || {
            let new = changes.iter().filter_map(|change| change.new.as_ref());
            new.filter_map(|new| new.temporary.file.as_ref()).try_for_each(sync_file)?;
            self.marker.temporary.sync_dir(None)
        })
    }

    fn flush_folders<'a>(
        &self,
        paths: impl Iterator<Item = &'a RelPath>,
        few: bool,
    ) -> Result<(), Error> {
        #[cfg(test)]
        if has(Fault::RenamesUnflushed) {
            return Ok(());
        }
        self.flush(few, || {
            let folders: BTreeSet<_> = paths.map(RelPath::parent).collect();
            // A folder that was moved away meanwhile, or may not be read, is flushed with everything.
            let flushed = folders.iter().try_for_each(|path| self.root.sync_dir(path.as_ref()));
            flushed.or_else(|_| self.root.sync_file_system())
        })
    }

    /// Flushes a few things with `each`, or else everything.
    fn flush(&self, few: bool, each: impl FnOnce() -> io::Result<()>) -> Result<(), Error> {
        let flushed = if few { each() } else { self.root.sync_file_system() };
        flushed.map_err(Error::about("the folder"))
    }

    /// Removes the temporary file of a change that was not made, and has never left its place.
    fn discard(&self, n: usize, change: &Change) {
        if let Some(new) = &change.new {
            let name = change.old.map_or(new.temporary.name.clone(), |_| swap_name(n));
            let _ = self.marker.temporary.remove_file(&name);
        }
    }
}

fn write_row(index: &mut Index, change: &Change, after: Option<Stat>) {
    match &change.new {
        Some(New { temporary, thing, version }) => {
            // If the user has written it since, this is what it was before.
            let was = &temporary.stat;
            let is_same = |after: &Stat| after.is_same_content(was) && after.mode == was.mode;
            let stat = after.filter(is_same).unwrap_or(temporary.stat);
            let row = Row { thing: *thing, version: *version, stat };
            index.set(change.path.clone(), row);
        }
        None => index.remove(&change.path),
    }
}
