//! What the log has that the tree does not have yet: which version each name is at, and where large
//! contents are.

use super::checkpoint::{Bytes, Checkpoint, To};
use super::segment::Location;
use crate::files::store::Mutation;
use crate::name::Name;
use std::collections::{HashMap, HashSet};

/// A part for each segment, in the order of their numbers. What a later part says counts.
#[derive(Debug, Default)]
pub(super) struct Index(Vec<Part>);

/// What the batches of one segment changed.
#[derive(Debug, Default)]
struct Part {
    segment: u64,
    names: HashMap<Name, Known>,
    /// Large contents, by version.
    contents: HashMap<u64, Location>,
    /// Versions whose large contents were replaced or removed. The tree may still have them.
    replaced: HashSet<u64>,
}

/// The file of a name, after the log.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known {
    /// 0: there is none.
    version: u64,
    is_large: bool,
}

/// Where the contents of a version are, as far as the log knows.
#[derive(Debug)]
pub(super) enum Looked {
    InLog(Location),
    Replaced,
    Unknown,
}

impl Known {
    /// Returns the version, and whether the contents are large; `None` if there is no file.
    pub(super) fn file(self) -> Option<(u64, bool)> {
        (self.version > 0).then_some((self.version, self.is_large))
    }
}

impl Index {
    pub(super) fn file(&self, name: &Name) -> Option<Known> {
        self.0.iter().rev().find_map(|part| part.names.get(name)).copied()
    }

    pub(super) fn contents(&self, version: u64) -> Looked {
        let known = |part: &Part| match part.contents.get(&version) {
            Some(location) => Some(Looked::InLog(location.clone())),
            None => part.replaced.contains(&version).then_some(Looked::Replaced),
        };
        self.0.iter().rev().find_map(known).unwrap_or(Looked::Unknown)
    }

    /// Creates the index of what a start found in the log, whose last segment has this number.
    pub(super) fn recovered(found: &Checkpoint, last: u64) -> Self {
        let mut part = Part { segment: last, ..Part::default() };
        part.names.reserve(found.names.len());
        for (name, change) in &found.names {
            let (version, large) = match &change.to {
                To::File { version, bytes: Bytes::Large(at), .. } => {
                    (*version, found.large.get(*at as usize))
                }
                To::File { version, .. } => (*version, None),
                To::Removal(_) => (0, None),
                To::Life(_) => continue,
            };
            part.names.insert(name.clone(), Known { version, is_large: large.is_some() });
            part.contents.extend(large.map(|large| (version, large.clone())));
        }
        Index(vec![part])
    }

    /// Adds a batch that is on disk, in the newest segment. `replaced` are versions whose large
    /// contents end with it.
    pub(super) fn add(
        &mut self,
        batch: &[Mutation],
        segment: u64,
        large: impl Iterator<Item = Location>,
        replaced: &[u64],
    ) {
        if self.0.last().is_none_or(|part| part.segment < segment) {
            self.0.push(Part { segment, ..Part::default() });
        }
        let Some(part) = self.0.last_mut() else { return };
        let before = part.contents.len();
        for location in large {
            part.contents.insert(location.large.version, location);
        }
        let has_large = part.contents.len() > before;
        for change in batch {
            let (name, version) = match change {
                Mutation::Put { name, version, .. } => (name, *version),
                Mutation::Remove { name, .. } | Mutation::Pass { name, .. } => (name, 0),
                Mutation::Touch { .. } | Mutation::Unnamed { .. } => continue,
            };
            let is_large = has_large && part.contents.contains_key(&version);
            let known = Known { version, is_large };
            match part.names.get_mut(name) {
                Some(last) => *last = known,
                None => drop(part.names.insert(name.clone(), known)),
            }
        }
        for version in replaced {
            part.contents.remove(version);
            part.replaced.insert(*version);
        }
    }

    /// Forgets what the tree has: the segments up to number `last`.
    pub(super) fn forget(&mut self, last: u64) {
        self.0.retain(|part| part.segment > last);
    }

    /// Returns how many names each segment has changed, added up.
    pub(super) fn names(&self) -> usize {
        self.0.iter().map(|part| part.names.len()).sum()
    }
}
