//! What the log has that the tree does not have yet: which version each name is at, and where large
//! contents are.

use super::checkpoint::{Bytes, Checkpoint, To};
use super::segment::Location;
use crate::files::store::Mutation;
use crate::name::Name;
use std::collections::HashMap;

#[derive(Debug, Default)]
pub(super) struct Index {
    names: HashMap<Name, Known>,
    /// Large contents, by version.
    contents: HashMap<u64, Location>,
    /// Versions whose large contents were replaced or removed, and the segment that says so. The tree
    /// may still have them.
    replaced: HashMap<u64, u64>,
}

/// The file of a name, after the log.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known {
    /// `None`: there is none.
    pub(super) version: Option<u64>,
    pub(super) is_large: bool,
    /// The last segment that changed it.
    segment: u64,
}

/// Where the contents of a version are, as far as the log knows.
#[derive(Debug)]
pub(super) enum Looked {
    InLog(Location),
    Replaced,
    Unknown,
}

impl Index {
    pub(super) fn file(&self, name: &Name) -> Option<Known> {
        self.names.get(name).copied()
    }

    pub(super) fn contents(&self, version: u64) -> Looked {
        match self.contents.get(&version) {
            Some(location) => Looked::InLog(location.clone()),
            None if self.replaced.contains_key(&version) => Looked::Replaced,
            None => Looked::Unknown,
        }
    }

    /// Creates the index of what a start found in the log, whose last segment has this number.
    pub(super) fn recovered(found: &Checkpoint, last: u64) -> Self {
        let mut index = Index::default();
        for (name, change) in &found.names {
            let (version, large) = match &change.to {
                To::File { version, bytes: Bytes::Large(at), .. } => (Some(*version), Some(at)),
                To::File { version, .. } => (Some(*version), None),
                To::Removal(_) => (None, None),
                To::Life(_) => continue,
            };
            let known = Known { version, is_large: large.is_some(), segment: last };
            index.names.insert(name.clone(), known);
            index.contents.extend(version.zip(large.cloned()));
        }
        index
    }

    /// Adds a batch that is on disk. `replaced` are versions whose large contents end with it.
    pub(super) fn add(
        &mut self,
        batch: &[Mutation],
        segment: u64,
        large: impl Iterator<Item = Location>,
        replaced: &[u64],
    ) {
        let before = self.contents.len();
        for location in large {
            self.contents.insert(location.large.version, location);
        }
        let has_large = self.contents.len() > before;
        for change in batch {
            let (name, version) = match change {
                Mutation::Put { name, version, .. } => (name, Some(*version)),
                Mutation::Remove { name, .. } | Mutation::Pass { name, .. } => (name, None),
                Mutation::Touch { .. } | Mutation::Unnamed { .. } => continue,
            };
            let is_large =
                has_large && version.is_some_and(|version| self.contents.contains_key(&version));
            let known = Known { version, is_large, segment };
            match self.names.get_mut(name) {
                Some(last) => *last = known,
                None => drop(self.names.insert(name.clone(), known)),
            }
        }
        for version in replaced {
            self.contents.remove(version);
            self.replaced.insert(*version, segment);
        }
    }

    /// Forgets what the tree has: the segments up to number `last`.
    pub(super) fn forget(&mut self, last: u64) {
        self.names.retain(|_, known| known.segment > last);
        self.contents.retain(|_, location| location.segment.number > last);
        self.replaced.retain(|_, segment| *segment > last);
    }

    pub(super) fn names(&self) -> usize {
        self.names.len()
    }
}
