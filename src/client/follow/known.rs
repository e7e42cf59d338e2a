//! The files that were reported, and the events that lead from them to others.

use super::event::Event;
use crate::client::{Change, Page};
use crate::version::Version;
use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;

/// The reported files, each at the version that was reported last.
#[derive(Debug, Default)]
pub(super) struct Known(BTreeMap<String, Version>);

impl Known {
    pub(super) fn files(&self) -> impl Iterator<Item = (&str, Version)> {
        self.0.iter().map(|(name, version)| (name.as_str(), *version))
    }

    /// Makes every file differ from what a list shows: those are versions of another table.
    pub(super) fn forget_versions(&mut self) {
        self.0.values_mut().for_each(|version| *version = Version::ABSENT);
    }

    /// Adds the events that a page of a list leads to. The page has all files behind the name
    /// `after`, up to its own last one if there are more.
    pub(super) fn list(&mut self, after: &str, page: Page, events: &mut VecDeque<Event>) {
        let end = match page.files.last() {
            Some(last) if page.more => Bound::Included(last.name.as_str()),
            _ => Bound::Unbounded,
        };
        let is_listed = |name: &str| page.files.binary_search_by(|f| f.name.as_str().cmp(name));
        let known = self.0.range::<str, _>((Bound::Excluded(after), end));
        let missing: Vec<_> = known.filter(|(name, _)| is_listed(name).is_err()).collect();
        let missing: Vec<_> = missing.into_iter().map(|(name, _)| name.clone()).collect();
        for name in missing {
            self.delete(name, page.version, events);
        }
        for file in page.files {
            self.put(file.name, file.version, file.numbytes, events);
        }
    }

    /// Adds the events that changes lead to. After a list of several pages they begin with some that
    /// the list has shown already.
    pub(super) fn change(&mut self, changes: Vec<Change>, events: &mut VecDeque<Event>) {
        for Change { name, version, numbytes } in changes {
            match numbytes {
                Some(numbytes) => self.put(name, version, numbytes, events),
                None => self.delete(name, version, events),
            }
        }
    }

    fn put(&mut self, name: String, version: Version, bytes: u64, events: &mut VecDeque<Event>) {
        let is_new = match self.0.get_mut(&name) {
            Some(known) if *known >= version => return,
            Some(known) => {
                *known = version;
                false
            }
            None => self.0.insert(name.clone(), version).is_none(),
        };
        events.push_back(Event::Put { name, version, numbytes: bytes, is_new });
    }

    fn delete(&mut self, name: String, version: Version, events: &mut VecDeque<Event>) {
        if self.0.remove(&name).is_some() {
            events.push_back(Event::Deleted { name, version });
        }
    }
}
