//! The files: one slab of entries, with or without a name, and what finds an entry in it.
//!
//! A lookup by name follows three pointers: to a part of the index, to the chunk, to the entry. The
//! entry is one cache line, and has the name and up to 22 bytes of contents in it.

pub(in crate::files) mod descriptors;
pub(in crate::files) mod directory;
pub(in crate::files) mod entry;
mod index;
mod order;
pub(in crate::files) mod slab;
#[cfg(test)]
mod tests;

use crate::budget::Budget;
use crate::name::{Fd, FileRef, Name};
use descriptors::Descriptors;
use directory::{Directory, Named};
use entry::Entry;
use order::Order;
use slab::{Id, Slab};
use std::ops::{Bound, Index, IndexMut};
use std::sync::Arc;

/// What a file's name takes in the index and among the ordered names.
pub(in crate::files) const NAMED_COST: u64 = index::COST + order::COST;

/// All files: those with a name, and those that are open without one.
#[derive(Debug)]
pub(in crate::files) struct Files {
    entries: Directory<Entry>,
    names: Order,
    pub(in crate::files) descriptors: Descriptors,
}

impl Files {
    /// Creates an empty set of files.
    pub(in crate::files) fn new(budget: &Arc<Budget>) -> Self {
        let (entries, names) = (Directory::new(), Order::default());
        Files { entries, names, descriptors: Descriptors::new(budget) }
    }

    /// Returns the number of files with a name.
    pub(in crate::files) fn named(&self) -> usize {
        self.names.len()
    }

    /// Returns whether there are as many files as there can be.
    pub(in crate::files) fn is_full(&self) -> bool {
        self.entries.slab().len() >= Slab::<Entry>::MAX
    }

    pub(in crate::files) fn find(&self, file: FileRef<'_>) -> Option<Id> {
        match file {
            FileRef::Name(name) => self.find_name(name.as_str().as_bytes()),
            FileRef::Descriptor(fd) => self.descriptors.get(fd)?.file,
        }
    }

    pub(in crate::files) fn find_name(&self, name: &[u8]) -> Option<Id> {
        self.entries.find(name)
    }

    /// Returns whether no file has this name. That takes no search where names come in their order.
    pub(in crate::files) fn is_new(&self, name: &[u8]) -> bool {
        let last = self.names.last().map(|last| self.entries[last].name());
        last.is_none_or(|last| last < name) || self.find_name(name).is_none()
    }

    pub(in crate::files) fn entry(&self, file: FileRef<'_>) -> Option<&Entry> {
        Some(&self.entries[self.find(file)?])
    }

    /// Returns what changes of the file refer to: its name, or its descriptor if it has none.
    pub(in crate::files) fn referred<'a>(&'a self, file: FileRef<'a>) -> FileRef<'a> {
        let name = match file {
            FileRef::Name(_) => None, // as it is
            FileRef::Descriptor(_) => self.entry(file).and_then(|entry| entry.name.as_ref()),
        };
        name.map_or(file, |name| FileRef::Name(name.as_name_ref()))
    }

    /// Returns the number of opens of a file.
    pub(in crate::files) fn opens(&self, file: FileRef<'_>) -> u64 {
        let fd = self.entry(file).and_then(Entry::fd);
        fd.and_then(|fd| self.descriptors.get(fd)).map_or(0, |open| open.opens)
    }

    /// Returns the files from this name on, or from the next one, in byte order of their names.
    pub(in crate::files) fn from(
        &self,
        from: Bound<&[u8]>,
    ) -> impl Iterator<Item = (&Name, &Entry)> {
        let entries = self.names.from(self.entries.slab(), from);
        entries.filter_map(|entry| Some((entry.name.as_ref()?, entry)))
    }

    /// Adds a file with a new name.
    pub(super) fn insert(&mut self, entry: Entry) -> Id {
        let fd = entry.fd();
        let id = self.entries.insert(entry);
        self.names.insert(self.entries.slab(), id);
        if let Some(fd) = fd {
            self.set_file(fd, id);
        }
        id
    }

    /// Takes a file's name away.
    pub(super) fn unname(&mut self, id: Id) -> Option<Name> {
        self.entries[id].name.as_ref()?;
        self.names.remove(self.entries.slab(), id);
        self.entries.unname(id);
        self.entries[id].name.take()
    }

    /// Removes a file without a name. Returns it, and whether another file has its id now.
    pub(super) fn remove(&mut self, id: Id) -> (Entry, bool) {
        let last = self.entries.slab().last().filter(|last| *last != id);
        if let Some(last) = last
            && self.entries[last].name.is_some()
        {
            self.names.replace(self.entries.slab(), last, id);
        }
        let removed = self.entries.remove(id);
        if last.is_some()
            && let Some(fd) = self.entries[id].fd()
        {
            self.set_file(fd, id);
        }
        (removed, last.is_some())
    }

    /// Opens a file that is not open.
    pub(super) fn open(&mut self, id: Id) -> Fd {
        let fd = self.descriptors.insert(Some(id));
        self.entries[id].set_fd(Some(fd));
        fd
    }

    fn set_file(&mut self, fd: Fd, id: Id) {
        if let Some(open) = self.descriptors.get_mut(fd) {
            open.file = Some(id);
        }
    }
}

impl Index<Id> for Files {
    type Output = Entry;
    fn index(&self, id: Id) -> &Entry {
        &self.entries[id]
    }
}

impl IndexMut<Id> for Files {
    fn index_mut(&mut self, id: Id) -> &mut Entry {
        &mut self.entries[id]
    }
}
