//! Descriptors: small numbers for open files, assigned as a kernel does.

use super::slab::Id;
use crate::budget::{Budget, Charge};
use crate::files::state::cost;
use crate::name::Fd;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

/// All open files by their descriptors.
#[derive(Debug, Default)]
pub(in crate::files) struct Descriptors {
    slots: Vec<Option<OpenFile>>,
    /// The numbers of the empty slots, lowest first.
    free: BinaryHeap<Reverse<usize>>,
    /// The number of opens of all slots.
    opens: u64,
    /// For the slots, including the empty ones.
    charge: Charge,
}

/// An open file.
#[derive(Debug)]
pub(in crate::files) struct OpenFile {
    /// The number of opens by all clients, at least 1.
    pub(in crate::files) opens: u64,
    /// `None` if the file is new and not visible yet.
    pub(in crate::files) file: Option<Id>,
}

impl Descriptors {
    /// Creates an empty set of descriptors.
    pub(in crate::files) fn new(budget: &Arc<Budget>) -> Self {
        Descriptors { charge: Charge::none(budget), ..Descriptors::default() }
    }

    /// Assigns the lowest free number to a file that is opened for the first time.
    pub(in crate::files) fn insert(&mut self, file: Option<Id>) -> Fd {
        self.opens += 1;
        let open = Some(OpenFile { opens: 1, file });
        match self.free.pop() {
            Some(Reverse(at)) => {
                self.slots[at] = open;
                Fd(at as u64)
            }
            None => {
                // Bounded by the opens, which are charged to their connections.
                self.charge.grow_over(cost::descriptor::<Option<OpenFile>>());
                self.slots.push(open);
                Fd(self.slots.len() as u64 - 1)
            }
        }
    }

    pub(in crate::files) fn get(&self, fd: Fd) -> Option<&OpenFile> {
        self.slots.get(usize::try_from(fd.0).ok()?)?.as_ref()
    }

    pub(in crate::files) fn get_mut(&mut self, fd: Fd) -> Option<&mut OpenFile> {
        self.slots.get_mut(usize::try_from(fd.0).ok()?)?.as_mut()
    }

    /// Counts one more open of an open file.
    pub(in crate::files) fn reopen(&mut self, fd: Fd) {
        if let Some(open) = self.get_mut(fd) {
            open.opens += 1;
            self.opens += 1;
        }
    }

    /// Undoes one open. The last one frees the number and returns what was open.
    pub(in crate::files) fn release(&mut self, fd: Fd) -> Option<OpenFile> {
        let open = self.get_mut(fd)?;
        open.opens -= 1;
        let left = open.opens;
        self.opens -= 1;
        if left > 0 {
            return None;
        }
        let at = usize::try_from(fd.0).ok()?;
        self.free.push(Reverse(at));
        let open = self.slots[at].take();
        self.shrink_if_empty();
        open
    }

    fn shrink_if_empty(&mut self) {
        if self.files() == 0 {
            (self.slots, self.free) = (Vec::new(), BinaryHeap::new());
            self.charge.shrink(self.charge.bytes());
        }
    }

    /// Returns the number of open files.
    pub(in crate::files) fn files(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Returns the number of opens.
    pub(in crate::files) fn opens(&self) -> u64 {
        self.opens
    }
}
