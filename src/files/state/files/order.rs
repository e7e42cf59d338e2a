//! The names of a slab's values in byte order.

use super::directory::Named;
use super::slab::{Id, Slab};
use std::cmp::Ordering;
use std::ops::Bound;

/// The most ids in a list.
const MAX: usize = 512;

/// A list with fewer ids is joined to one beside it, if both have room in three quarters of one.
const FEW: usize = MAX / 4;

/// The ids of all named values, in the order of their names.
///
/// They are in lists of at most 512: one list is split where it is full, and a new one begins where
/// names arrive in their order, so growth never takes long. A list that removals have emptied by half
/// gives its room back: a name takes 4 to 8 bytes.
#[derive(Debug, Default)]
pub(in crate::files) struct Order {
    /// None is empty.
    lists: Vec<Vec<Id>>,
    len: usize,
}

/// What a name takes among the ordered ones, in bytes: a list that is split is filled to 70 per cent
/// on average, and one to which names are appended is full.
pub(in crate::files) const COST: u64 = size_of::<Id>() as u64 * 5 / 4;

impl Order {
    /// Returns the number of names.
    pub(in crate::files) fn len(&self) -> usize {
        self.len
    }

    /// Returns the value with the greatest name.
    pub(in crate::files) fn last(&self) -> Option<Id> {
        self.lists.last()?.last().copied()
    }

    /// Returns the first place whose name is not `before`: a list, and a place in it.
    fn place<T: Named>(&self, slab: &Slab<T>, before: impl Fn(&[u8]) -> bool) -> (usize, usize) {
        let is_before = |id: &Id| before(slab[*id].name());
        let list = self.lists.partition_point(|list| list.last().is_some_and(is_before));
        (list, self.lists.get(list).map_or(0, |ids| ids.partition_point(is_before)))
    }

    fn place_of<T: Named>(&self, slab: &Slab<T>, id: Id) -> (usize, usize) {
        let name = slab[id].name();
        self.place(slab, |other| other < name)
    }

    /// Adds a value, whose name is new.
    pub(in crate::files) fn insert<T: Named>(&mut self, slab: &Slab<T>, id: Id) {
        self.len += 1;
        let name = slab[id].name();
        if self.last().is_none_or(|last| slab[last].name() < name) {
            match self.lists.last_mut() {
                Some(last) if last.len() < MAX => {
                    make_room(last);
                    last.push(id);
                }
                _ => self.lists.push(vec![id]),
            }
            return;
        }
        let (mut list, mut at) = self.place_of(slab, id);
        if self.lists[list].len() == MAX {
            let tail = self.lists[list].split_off(MAX / 2);
            self.lists.insert(list + 1, tail);
            if at > MAX / 2 {
                (list, at) = (list + 1, at - MAX / 2);
            }
        }
        make_room(&mut self.lists[list]);
        self.lists[list].insert(at, id);
    }

    /// Removes a value that still has its name.
    pub(in crate::files) fn remove<T: Named>(&mut self, slab: &Slab<T>, id: Id) {
        let (list, at) = self.place_of(slab, id);
        self.lists[list].remove(at);
        self.len -= 1;
        let ids = &mut self.lists[list];
        if ids.capacity() > FEW && ids.len() < ids.capacity() / 2 {
            ids.shrink_to(ids.len() / 2 * 3);
        }
        if ids.is_empty() {
            self.lists.remove(list);
        } else if ids.len() < FEW && !self.join(list) && list > 0 {
            self.join(list - 1);
        }
    }

    /// Joins a list and the next one, if both have few enough.
    fn join(&mut self, list: usize) -> bool {
        let Some(next) = self.lists.get(list + 1) else { return false };
        if self.lists[list].len() + next.len() > MAX / 4 * 3 {
            return false;
        }
        let next = self.lists.remove(list + 1);
        let ids = &mut self.lists[list];
        ids.reserve_exact(next.len());
        ids.extend(next);
        true
    }

    /// Gives a value, which still has the id `old`, another one.
    pub(in crate::files) fn replace<T: Named>(&mut self, slab: &Slab<T>, old: Id, new: Id) {
        let (list, at) = self.place_of(slab, old);
        self.lists[list][at] = new;
    }

    /// Returns the memory of the lists, in bytes.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.lists.iter().map(|ids| ids.capacity() * size_of::<Id>()).sum()
    }

    /// Returns the values from this name on, or from the next one.
    pub(in crate::files) fn from<'a, T: Named>(
        &'a self,
        slab: &'a Slab<T>,
        from: Bound<&[u8]>,
    ) -> impl Iterator<Item = &'a T> {
        let (list, at) = self.place(slab, |name| match from {
            Bound::Unbounded => false,
            Bound::Included(from) => name < from,
            Bound::Excluded(from) => name.cmp(from) != Ordering::Greater,
        });
        let (first, rest) = match self.lists.get(list..) {
            Some([first, rest @ ..]) => (&first[at..], rest),
            _ => (&[][..], &[][..]),
        };
        first.iter().chain(rest.iter().flatten()).map(|id| &slab[*id])
    }
}

/// Makes room for one more id in a list that is not full, and never for more than it may have.
fn make_room(ids: &mut Vec<Id>) {
    if ids.len() == ids.capacity() {
        ids.reserve_exact(ids.len().min(MAX - ids.len()).max(1));
    }
}
