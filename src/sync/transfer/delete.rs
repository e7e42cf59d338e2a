//! Deletes in the folder what was deleted on the server, and the other way round.

use super::pull::BATCH;
use super::push::GROUP;
use super::upload::doubt;
use crate::sync::decide::Thing;
use crate::sync::disk::apply::Change;
use crate::sync::disk::scan::Found;
use crate::sync::disk::stat::FileKind;
use crate::sync::error::{Error, is_gone};
use crate::sync::folder::Folder;
use crate::sync::path::RelPath;
use crate::sync::report::Report;
use crate::sync::server::remote::Cas;
use crate::sync::steps::step;
#[cfg(test)]
use crate::sync::steps::{Fault, has};
use crate::version::Version;
use std::io::ErrorKind;

impl Folder<'_> {
    /// Moves to the trash what was deleted on the server and is unchanged here: files first, then the
    /// folders, the deepest first.
    pub(in crate::sync) fn delete_local(
        &mut self,
        paths: Vec<(RelPath, Found, Thing)>,
        report: &mut Report,
    ) -> Result<(), Error> {
        let is_dir = |found: &Found| found.stat.kind == FileKind::Dir;
        let (folders, files): (Vec<_>, Vec<_>) =
            paths.into_iter().partition(|(_, found, _)| is_dir(found));
        let mut changes = Vec::new();
        for (path, found, thing) in files {
            changes.push(Change { path, old: Some((found.stat, thing)), new: None });
            if changes.len() >= BATCH {
                self.apply(std::mem::take(&mut changes), report)?;
            }
        }
        self.apply(changes, report)?;
        for (path, ..) in folders.into_iter().rev() {
            match self.root.remove_dir(&path) {
                Ok(()) => report.deleted_here += 1,
                Err(e) if is_gone(&e) => {}
                // Something new is in it, so it is a new folder.
                Err(e) if e.kind() == ErrorKind::DirectoryNotEmpty => {
                    report.again.insert(path.clone());
                }
                Err(e) => {
                    report.fail(path, e);
                    continue;
                }
            }
            step("a folder is removed")?;
            self.index.remove(&path);
        }
        Ok(())
    }

    /// Deletes entries of what is not here any more.
    pub(in crate::sync) fn delete_remote(
        &mut self,
        paths: Vec<(RelPath, Version)>,
        report: &mut Report,
    ) -> Result<(), Error> {
        for paths in paths.chunks(GROUP) {
            self.check_stop()?;
            #[cfg(test)]
            if has(Fault::RowFirst) {
                paths.iter().for_each(|(path, _)| self.index.remove(path));
                self.index.commit()?;
            }
            let before = doubt(&mut self.index, paths.iter().map(|(path, _)| path))?;
            let Folder { remote, index, listing, .. } = self;
            let remote = remote.as_ref().ok_or(Error::Stopped)?;
            step("entries are about to be deleted")?;
            remote.delete_entries(paths, |n, done| {
                step("an entry is deleted")?;
                let (path, _) = &paths[n];
                match done {
                    // Also if somebody else has deleted it.
                    Ok(Cas::Done(_) | Cas::Version(Version::ABSENT)) => {
                        index.remove(path);
                        listing.set(path, Version::ABSENT);
                        report.deleted_there += 1;
                    }
                    Ok(Cas::Version(_)) => {
                        before[n].into_iter().for_each(|row| index.set(path.clone(), row));
                        report.again.insert(path.clone());
                    }
                    Err(e) if e.is_of_one_path() => {
                        before[n].into_iter().for_each(|row| index.set(path.clone(), row));
                        report.fail(path.clone(), e);
                    }
                    Err(e) => return Err(e),
                }
                Ok(())
            })?;
        }
        self.index.commit()
    }
}
