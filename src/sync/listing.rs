//! Which entries the server has: listed once, then kept fresh by looking at the changes.

use super::entry::Entry;
use super::error::Error;
use super::path::RelPath;
use super::remote::{Names, Remote};
use crate::version::Version;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// The versions of all entries.
#[derive(Debug, Default)]
pub(super) struct Listing {
    /// The version of the table that this is; `None` before the first list.
    table: Option<Version>,
    versions: BTreeMap<RelPath, Version>,
    /// The paths of keys that are a hash, as far as they are known.
    long: BTreeMap<String, RelPath>,
    /// Keys that lead to no path.
    bad: BTreeSet<String>,
}

impl Listing {
    /// Brings it up to date. Returns the paths whose entries have changed, or `None` if any may have.
    pub(super) fn refresh(&mut self, remote: &Remote) -> Result<Option<BTreeSet<RelPath>>, Error> {
        let Some(mut table) = self.table else { return self.list(remote).map(|()| None) };
        let mut changed = BTreeSet::new();
        loop {
            let Some(news) = remote.watch("e/", table, Duration::ZERO)? else {
                return self.list(remote).map(|()| None);
            };
            if news.versions.is_empty() {
                self.table = Some(news.table);
                return Ok(Some(changed));
            }
            table = news.table;
            self.apply(remote, news, &mut changed)?;
        }
    }

    fn list(&mut self, remote: &Remote) -> Result<(), Error> {
        self.versions.clear();
        self.bad.clear();
        let names = remote.list("e/")?;
        self.table = Some(names.table);
        self.apply(remote, names, &mut BTreeSet::new())?;
        // Several pages are a snapshot each.
        self.refresh(remote).map(drop)
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
        for keys in unknown.chunks(64) {
            for (key, read) in keys.iter().zip(remote.read_entries(keys)?) {
                let path = read.and_then(|(_, text)| Entry::parse(&text)).map(|entry| entry.path);
                if let Some(path) = path.filter(|path| path.key() == *key) {
                    self.long.insert(key.clone(), path);
                }
            }
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
            changed.insert(path.clone());
            match version {
                Some(version) => drop(self.versions.insert(path, version)),
                None => drop(self.versions.remove(&path)),
            }
        }
        Ok(())
    }

    pub(super) fn versions(&self) -> &BTreeMap<RelPath, Version> {
        &self.versions
    }

    /// Returns the version of a path's entry.
    pub(super) fn version(&self, path: &RelPath) -> Version {
        self.versions.get(path).copied().unwrap_or_default()
    }

    /// Notes what became of an entry.
    pub(super) fn set(&mut self, path: &RelPath, version: Version) {
        match version {
            Version::ABSENT => drop(self.versions.remove(path)),
            version => drop(self.versions.insert(path.clone(), version)),
        }
    }

    /// Returns the keys that are of no path.
    pub(super) fn bad(&self) -> &BTreeSet<String> {
        &self.bad
    }
}
