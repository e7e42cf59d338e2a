//! Counts what a plan deletes, and stops at too much.

use super::decide::Kind;
use super::disk::unchanged::read_thing;
use super::error::Error;
use super::folder::Folder;
use super::guard::{self, TooMany};
use super::hash::Hash;
use super::path::RelPath;
use super::round::Plan;
use super::server::entry::{Content, Entry};
use super::state::index::Row;
use std::collections::HashSet;
use std::time::{Duration, Instant};

/// Deletions within this time, or within the interval between two rounds, count together.
const MIN_INTERVAL: Duration = Duration::from_secs(10);

impl Folder<'_> {
    /// Checks that neither side loses more than a user is likely to want.
    pub(super) fn guard(&mut self, plan: &Plan) -> Result<(), Error> {
        if self.settings.force {
            return Ok(());
        }
        let now = Instant::now();
        let since = now.checked_sub(self.settings.interval.max(MIN_INTERVAL)).unwrap_or(now);
        let stop = |side: &'static str| {
            move |TooMany { deletions, files }| {
                Error::Guard(format!(
                    "{deletions} of {files} files would be deleted {side}; --force deletes \
                     them, and the id with --new brings them back"
                ))
            }
        };
        let there: Vec<_> = plan.delete_remote.iter().map(|(path, _)| path).collect();
        let before = self.recent.there.since(since);
        let count =
            self.count_deletions(&there, before, |hashes| self.appearing_here(plan, hashes))?;
        self.recent.there.add(now, count.map_err(stop("on the server"))?);
        let here: Vec<_> = plan.delete_local.iter().map(|(path, ..)| path).collect();
        let before = self.recent.here.since(since);
        let count = self.count_deletions(&here, before, |_| self.appearing_there(plan))?;
        self.recent.here.add(now, count.map_err(stop("in this folder"))?);
        Ok(())
    }

    /// Counts the deletions of some paths, unless they are too many. Where contents `appear` is only asked if it matters.
    fn count_deletions(
        &self,
        paths: &[&RelPath],
        before: usize,
        appearing: impl FnOnce(&[Hash]) -> Result<Vec<Hash>, Error>,
    ) -> Result<Result<usize, TooMany>, Error> {
        let rows = self.index.rows();
        let file = |row: &Row| match row.thing.kind {
            Kind::File(hash) => Some(hash),
            Kind::Dir => None,
        };
        let files = rows.values().filter_map(file).count();
        let mut deleted: Vec<_> = paths.iter().filter_map(|path| file(rows.get(*path)?)).collect();
        let quick = guard::check(files, before, deleted.iter().copied(), [].into_iter());
        if quick.is_ok() {
            return Ok(quick);
        }
        // What is also elsewhere is not lost: an earlier round may have brought it there.
        let paths: HashSet<_> = paths.iter().copied().collect();
        let stays = rows.iter().filter(|(path, row)| !paths.contains(path) && row.stat.size > 0);
        let stays: HashSet<_> = stays.filter_map(|(_, row)| file(row)).collect();
        deleted.retain(|hash| !stays.contains(hash));
        let appearing = appearing(&deleted)?;
        Ok(guard::check(files, before, deleted.into_iter(), appearing.into_iter()))
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
        self.remote()?.each_entry(&keys, |_, read| {
            let entry = read.and_then(|(_, text)| Entry::parse(&text));
            if let Some(Content::File { hash, .. }) = entry.map(|entry| entry.content) {
                appearing.push(hash);
            }
        })?;
        Ok(appearing)
    }
}
