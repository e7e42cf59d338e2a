//! Which entries the server has: listed once, then kept fresh by looking at the changes.

use super::entry::Entry;
use super::remote::{Names, Remote, wrong};
use crate::sync::error::Error;
use crate::sync::path::RelPath;
use crate::version::Version;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// After this many lists and changes in a row the rest waits for the next round: a hostile server
/// could go on forever.
const MAX_STEPS: usize = 100;

/// The most paths of a session.
const MAX_PATHS: usize = 4_000_000;

/// The versions of all entries.
#[derive(Debug, Default)]
pub(in crate::sync) struct Listing {
    /// The version of the table that this is; `None` before the first list.
    table: Option<Version>,
    versions: BTreeMap<RelPath, Version>,
    /// The paths of keys that are a hash, as far as they are known.
    long: BTreeMap<String, RelPath>,
    /// Keys that lead to no path.
    bad: BTreeSet<String>,
    /// Paths whose entries are none, at these versions: they are not read again.
    wrong: BTreeMap<RelPath, Version>,
}

impl Listing {
    /// Brings it up to date. Returns the paths whose entries have changed, or `None` if any may have.
    pub(in crate::sync) fn refresh(
        &mut self,
        remote: &Remote,
    ) -> Result<Option<BTreeSet<RelPath>>, Error> {
        // Should this fail, the next attempt begins with a list, which is of all paths.
        let (mut table, mut changed, mut is_any) = (self.table.take(), BTreeSet::new(), false);
        for _ in 0..MAX_STEPS {
            let Some(since) = table else {
                table = Some(self.list(remote)?);
                is_any = true;
                // Several pages are a snapshot each.
                continue;
            };
            match remote.watch("e/", since, Duration::ZERO)? {
                None => table = None,
                Some(news) => {
                    let is_last = news.versions.is_empty();
                    table = Some(news.table);
                    self.apply(remote, news, &mut changed)?;
                    if is_last {
                        break;
                    }
                }
            }
        }
        self.table = table;
        match table {
            Some(_) => Ok(if is_any { None } else { Some(changed) }),
            None => Err(wrong("nothing that it can say the changes of".to_string())),
        }
    }

    fn list(&mut self, remote: &Remote) -> Result<Version, Error> {
        self.versions.clear();
        self.bad.clear();
        self.long.clear();
        let names = remote.list("e/")?;
        let table = names.table;
        self.apply(remote, names, &mut BTreeSet::new())?;
        Ok(table)
    }

    fn apply(
        &mut self,
        remote: &Remote,
        names: Names,
        changed: &mut BTreeSet<RelPath>,
    ) -> Result<(), Error> {
        let is_unknown = |key: &String| key.starts_with('~') && !self.long.contains_key(key);
        let unknown = names.versions.iter().filter(|(_, version)| version.is_some());
        let unknown: Vec<_> =
            unknown.map(|(key, _)| key).filter(|k| is_unknown(k)).cloned().collect();
        remote.each_entry(&unknown, |key, read| {
            let path = read.and_then(|(_, text)| Entry::parse(&text)).map(|entry| entry.path);
            if let Some(path) = path.filter(|path| path.key() == *key) {
                self.long.insert(key.clone(), path);
            }
        })?;
        if self.versions.len() + self.bad.len() + names.versions.len() > MAX_PATHS {
            return Err(wrong(format!("more than {MAX_PATHS} entries")));
        }
        for (key, version) in names.versions {
            let path = self.long.get(&key).cloned().or_else(|| RelPath::from_key(&key));
            let Some(path) = path else {
                if version.is_none() {
                    self.bad.remove(&key);
                } else {
                    self.bad.insert(key);
                }
                continue;
            };
            self.bad.remove(&key);
            changed.insert(path.clone());
            match version {
                Some(version) => drop(self.versions.insert(path, version)),
                None => {
                    self.versions.remove(&path);
                    self.wrong.remove(&path);
                }
            }
        }
        Ok(())
    }

    pub(in crate::sync) fn versions(&self) -> &BTreeMap<RelPath, Version> {
        &self.versions
    }

    /// Returns the version of a path's entry.
    pub(in crate::sync) fn version(&self, path: &RelPath) -> Version {
        self.versions.get(path).copied().unwrap_or_default()
    }

    /// Notes what became of an entry.
    pub(in crate::sync) fn set(&mut self, path: &RelPath, version: Version) {
        match version {
            Version::ABSENT => drop(self.versions.remove(path)),
            version => drop(self.versions.insert(path.clone(), version)),
        }
    }

    /// Notes that what was read at a path's key is no entry of that path.
    pub(in crate::sync) fn set_wrong(&mut self, path: &RelPath) {
        // If it has changed since it was listed, it is read once more.
        self.wrong.insert(path.clone(), self.version(path));
    }

    /// Returns whether what is at a path's key is known to be no entry of that path.
    pub(in crate::sync) fn is_wrong(&self, path: &RelPath) -> bool {
        self.wrong.get(path).is_some_and(|version| *version == self.version(path))
    }

    /// Returns the keys that are of no path.
    pub(in crate::sync) fn bad(&self) -> &BTreeSet<String> {
        &self.bad
    }
}
