//! Takes away from the folder what was deleted on the server.

use super::apply::Change;
use super::decide::Thing;
use super::error::Error;
use super::folder::Folder;
use super::path::RelPath;
use super::pull::BATCH;
use super::report::Report;
use super::scan::{Found, is_gone};
use super::stat::FileKind;
use super::steps::step;
use std::io::ErrorKind;

impl Folder<'_> {
    /// Moves to the trash what was deleted on the server and is unchanged here: files first, then the
    /// folders, the deepest first.
    pub(super) fn delete_local(
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
}
