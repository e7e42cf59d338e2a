//! A slab: values of one size in chunks, found by a number.

use std::ops::{Index, IndexMut};

/// The place of a value in a [`Slab`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::files) struct Id(u32);

/// How many values a chunk has room for.
const CHUNK: usize = 512;

/// Values in chunks, without gaps: their ids are 0, 1, 2 and so on.
///
/// Growth adds a chunk and moves nothing, so it never takes long. A removal moves the last value
/// into the gap, so that memory falls with the number of values, whichever are removed.
#[derive(Debug)]
pub(in crate::files) struct Slab<T> {
    /// All but the last two are full. The last one may be empty, and is kept for the next value.
    chunks: Vec<Vec<T>>,
    len: usize,
}

impl<T> Slab<T> {
    /// The most values: ids have 32 bits. A margin is left for changes that are decided already.
    pub(in crate::files) const MAX: usize = (u32::MAX - (1 << 24)) as usize;

    pub(in crate::files) fn new() -> Self {
        Slab { chunks: Vec::new(), len: 0 }
    }

    pub(in crate::files) fn len(&self) -> usize {
        self.len
    }

    /// Returns the id of the last value, if there is one.
    pub(in crate::files) fn last(&self) -> Option<Id> {
        Some(Id(self.len.checked_sub(1)? as u32))
    }

    pub(in crate::files) fn get(&self, id: Id) -> Option<&T> {
        ((id.0 as usize) < self.len).then(|| &self[id])
    }

    pub(in crate::files) fn push(&mut self, value: T) -> Id {
        let id = Id(u32::try_from(self.len).expect("a table has less than 2^32 files"));
        if self.len == self.chunks.len() * CHUNK {
            self.chunks.push(Vec::with_capacity(CHUNK));
        }
        self.chunks[self.len / CHUNK].push(value);
        self.len += 1;
        id
    }

    /// Removes a value. The last value takes its id.
    pub(in crate::files) fn swap_remove(&mut self, id: Id) -> T {
        assert!((id.0 as usize) < self.len, "{id:?} of {}", self.len);
        self.len -= 1;
        let last = self.chunks[self.len / CHUNK].pop().expect("the last value has the last id");
        self.chunks.truncate(self.len.div_ceil(CHUNK) + 1);
        if id.0 as usize == self.len { last } else { std::mem::replace(&mut self[id], last) }
    }
}

impl<T> Index<Id> for Slab<T> {
    type Output = T;
    fn index(&self, Id(at): Id) -> &T {
        &self.chunks[at as usize / CHUNK][at as usize % CHUNK]
    }
}

impl<T> IndexMut<Id> for Slab<T> {
    fn index_mut(&mut self, Id(at): Id) -> &mut T {
        &mut self.chunks[at as usize / CHUNK][at as usize % CHUNK]
    }
}
