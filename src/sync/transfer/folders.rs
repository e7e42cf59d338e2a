//! Brings folders and modes: what changes without a file's contents.

use super::pull::Batch;
use crate::sync::decide::{Thing, Versioned};
use crate::sync::disk::apply::{Change, FEW};
use crate::sync::disk::root::sync_file;
use crate::sync::disk::scan::Found;
use crate::sync::disk::stat::{FileKind, Stat};
use crate::sync::error::{Error, Failure, is_gone};
use crate::sync::folder::Folder;
use crate::sync::path::RelPath;
use crate::sync::report::Report;
use crate::sync::state::index::Row;
use crate::sync::steps::step;
use std::io::ErrorKind;

impl Folder<'_> {
    /// Takes the mode alone: the contents are the same.
    pub(in crate::sync) fn pull_mode(
        &mut self,
        path: RelPath,
        found: Found,
        remote: Versioned,
        report: &mut Report,
    ) -> Result<(), Error> {
        let now = self.root.stat(&path).map_err(Error::at(&path))?;
        let is_dir = found.stat.kind == FileKind::Dir;
        if now.is_none_or(|now| now != found.stat && !(is_dir && is_same(&now, &found.stat))) {
            report.again.insert(path);
            return Ok(());
        }
        self.root.set_mode(&path, remote.thing.mode).map_err(Error::at(&path))?;
        step("a mode is set")?;
        match self.root.stat(&path).map_err(Error::at(&path))? {
            // With another mode, which a user has just set, the row would hide that mode for good.
            Some(stat) if is_same(&stat, &found.stat) && stat.mode == remote.thing.mode => {
                self.unflushed.push((path, stat, remote));
                report.pulled += 1;
                report.pulled_folders += u64::from(is_dir);
            }
            _ => drop(report.again.insert(path)),
        }
        Ok(())
    }

    pub(in crate::sync) fn pull_folder(
        &mut self,
        path: RelPath,
        old: Option<(Found, Thing)>,
        remote: Versioned,
        batch: &mut Batch,
        report: &mut Report,
    ) -> Result<(), Failure> {
        if let Some((found, thing)) = old {
            // A file that is a folder now: it goes to the trash before what is in the folder comes.
            let change = Change { path: path.clone(), old: Some((found.stat, thing)), new: None };
            let mut changes = std::mem::take(batch).changes;
            changes.push(change);
            self.apply(changes, report).map_err(Failure::Round)?;
            if report.again.contains(&path) {
                return Ok(());
            }
        }
        self.root.make_parents(&path).map_err(Error::at(&path))?;
        match self.root.make_dir(&path, remote.thing.mode) {
            // A folder may be there for the sake of what is in it.
            Err(e) if e.kind() == ErrorKind::AlreadyExists => {
                let stat = self.root.stat(&path).map_err(Error::at(&path))?;
                if stat.is_none_or(|stat| stat.kind != FileKind::Dir) {
                    report.again.insert(path);
                    return Ok(());
                }
                self.check_name(&path)?;
            }
            made => made.map_err(Error::at(&path))?,
        }
        step("a folder is made")?;
        self.new_folders.push((path, remote));
        Ok(())
    }

    /// Gives new folders their mode, once everything is in them, and flushes those and all new modes:
    /// a row that reached the disk before would make the old mode, or no folder, the user's wish.
    pub(in crate::sync) fn finish_folders(&mut self, report: &mut Report) -> Result<(), Error> {
        for (path, remote) in std::mem::take(&mut self.new_folders).into_iter().rev() {
            let set = self.root.set_mode(&path, remote.thing.mode);
            match set.and_then(|()| self.root.stat(&path)) {
                Ok(Some(stat)) if stat.kind == FileKind::Dir => {
                    self.unflushed.push((path, stat, remote));
                    report.pulled += 1;
                    report.pulled_folders += 1;
                }
                Ok(_) => drop(report.again.insert(path)),
                Err(e) if is_gone(&e) => drop(report.again.insert(path)),
                Err(e) => report.fail(path, e),
            }
        }
        step("the folders have their modes")?;
        let one_by_one = || {
            self.unflushed.iter().try_for_each(|(path, stat, _)| {
                self.root.sync_dir(path.parent().as_ref())?;
                match stat.kind {
                    FileKind::Dir => self.root.sync_dir(Some(path)),
                    _ => sync_file(&self.root.open_file(path)?),
                }
            })
        };
        // A file that its owner may not read is flushed with everything.
        if self.unflushed.len() > FEW || one_by_one().is_err() {
            self.root.sync_file_system().map_err(Error::about("the folder"))?;
        }
        for (path, stat, remote) in std::mem::take(&mut self.unflushed) {
            let Versioned { thing, version } = remote;
            self.index.set(path, Row { thing, version, stat });
        }
        Ok(())
    }
}

/// Returns whether a file is the same with the same contents, or a folder the same folder.
fn is_same(now: &Stat, then: &Stat) -> bool {
    match now.kind {
        FileKind::Dir => (now.device, now.inode) == (then.device, then.inode),
        _ => now.is_same_content(then),
    }
}
