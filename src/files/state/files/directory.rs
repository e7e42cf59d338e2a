//! A slab whose values have names, and its index.

use super::index::{self, Index};
use super::slab::{Id, Slab};
use std::hash::{BuildHasher, RandomState};
use std::ops;

/// A value of a [`Directory`].
pub(in crate::files) trait Named {
    /// Returns the value's name, which is not empty; an empty one means that it has none.
    fn name(&self) -> &[u8];
}

/// Values by their ids, and by their names where they have one.
#[derive(Debug)]
pub(in crate::files) struct Directory<T, S = RandomState> {
    slab: Slab<T>,
    index: Index<S>,
}

impl<T: Named> Directory<T> {
    /// What a name takes in addition to its value.
    pub(in crate::files) const NAME_COST: u64 = index::COST;

    pub(in crate::files) fn new() -> Self {
        Directory::with_hasher(RandomState::new())
    }
}

impl<T: Named, S: BuildHasher> Directory<T, S> {
    pub(in crate::files) fn with_hasher(hasher: S) -> Self {
        Directory { slab: Slab::new(), index: Index::with_hasher(hasher) }
    }

    pub(in crate::files) fn slab(&self) -> &Slab<T> {
        &self.slab
    }

    /// Returns the memory of the index, in bytes.
    #[cfg(test)]
    pub(super) fn index_bytes(&self) -> usize {
        self.index.bytes()
    }

    pub(in crate::files) fn find(&self, name: &[u8]) -> Option<Id> {
        if self.slab.len() == 0 {
            return None; // without the hash of the name
        }
        self.index.find(self.index.hash(name), |id| self.slab[id].name() == name)
    }

    /// Adds a value with a name that no other value has.
    pub(in crate::files) fn insert(&mut self, value: T) -> Id {
        let hash = self.index.hash(value.name());
        let id = self.slab.push(value);
        self.index.insert(hash, id);
        id
    }

    /// Forgets a value's name, before that is taken from it.
    pub(in crate::files) fn unname(&mut self, id: Id) {
        self.index.remove(self.index.hash(self.slab[id].name()), id);
    }

    /// Removes a value. The last value, if it is another, takes its id.
    pub(in crate::files) fn remove(&mut self, id: Id) -> T {
        if !self.slab[id].name().is_empty() {
            self.unname(id);
        }
        let last = self.slab.last().filter(|last| *last != id);
        let removed = self.slab.swap_remove(id);
        if let Some(last) = last
            && !self.slab[id].name().is_empty()
        {
            self.index.replace(self.index.hash(self.slab[id].name()), last, id);
        }
        removed
    }
}

impl<T, S> ops::Index<Id> for Directory<T, S> {
    type Output = T;
    fn index(&self, id: Id) -> &T {
        &self.slab[id]
    }
}

impl<T, S> ops::IndexMut<Id> for Directory<T, S> {
    fn index_mut(&mut self, id: Id) -> &mut T {
        &mut self.slab[id]
    }
}
