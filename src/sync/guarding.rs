//! Counts what a plan deletes, and stops at too much.

use super::decide::Kind;
use super::entry::{Content, Entry};
use super::error::Error;
use super::folder::Folder;
use super::guard::{self, TooMany};
use super::hash::Hash;
use super::path::RelPath;
use super::round::Plan;
use super::scan::read_thing;
use std::collections::HashSet;

/// So many entries are read at once.
const GROUP: usize = 64;

impl Folder<'_> {
    /// Checks that neither side loses more than anybody is likely to want.
    pub(super) fn guard(&self, plan: &Plan) -> Result<(), Error> {
        if self.settings.force {
            return Ok(());
        }
        let rows = self.index.rows();
        let files = rows.values().filter(|row| matches!(row.thing.kind, Kind::File(_))).count();
        let content = |path: &RelPath| match rows.get(path)?.thing.kind {
            Kind::File(hash) => Some(hash),
            // A folder counts if it is all that says that it was there.
            Kind::Dir => None,
        };
        let check = |deleted: &[Hash], appearing: Vec<Hash>| {
            guard::check(files, deleted.iter().copied(), appearing.into_iter())
        };
        let stop = |side: &'static str| {
            move |TooMany { deletions, files }| {
                Error::Guard(format!(
                    "{deletions} of {files} files would be deleted {side}; --force deletes them"
                ))
            }
        };
        let there: Vec<_> =
            plan.delete_remote.iter().filter_map(|(path, _)| content(path)).collect();
        if check(&there, Vec::new()).is_err() {
            check(&there, self.appearing_here(plan, &there)?).map_err(stop("on the server"))?;
        }
        let here: Vec<_> =
            plan.delete_local.iter().filter_map(|(path, ..)| content(path)).collect();
        if check(&here, Vec::new()).is_err() {
            check(&here, self.appearing_there(plan)?).map_err(stop("in this folder"))?;
        }
        Ok(())
    }

    /// Returns the contents of new files here, as far as they have the size of a deleted one.
    fn appearing_here(&self, plan: &Plan, deleted: &[Hash]) -> Result<Vec<Hash>, Error> {
        let deleted: HashSet<_> = deleted.iter().copied().collect();
        let is_deleted = |kind: Kind| matches!(kind, Kind::File(hash) if deleted.contains(&hash));
        let sizes = self.index.rows().values().filter(|row| is_deleted(row.thing.kind));
        let sizes: HashSet<_> = sizes.map(|row| row.stat.size).collect();
        let mut appearing = Vec::new();
        for upload in plan.push.iter().filter(|upload| sizes.contains(&upload.found.stat.size)) {
            if let Ok(Ok(thing)) = read_thing(&self.root, &upload.path, &upload.found)
                && let Kind::File(hash) = thing.kind
            {
                appearing.push(hash);
            }
        }
        Ok(appearing)
    }

    /// Returns the contents of entries that are new to this folder.
    fn appearing_there(&self, plan: &Plan) -> Result<Vec<Hash>, Error> {
        let keys: Vec<_> = plan.fetch.iter().map(|(path, _)| path.key()).collect();
        let mut appearing = Vec::new();
        for keys in keys.chunks(GROUP) {
            for (_, text) in self.remote()?.read_entries(keys)?.into_iter().flatten() {
                if let Some(Content::File { hash, .. }) = Entry::parse(&text).map(|e| e.content) {
                    appearing.push(hash);
                }
            }
        }
        Ok(appearing)
    }
}
