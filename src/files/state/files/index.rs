//! Finds a value of a slab by its name.

use super::slab::Id;
use crate::files::state::cost;
use hashbrown::HashTable;
use std::hash::{BuildHasher, Hasher, RandomState};

/// The number of parts, a power of two.
const PARTS: usize = 256;

/// The ids of named values by their names.
///
/// The names stay with the values: the index holds a part of their hashes, so that it can grow
/// without looking at one. It grows in parts, each of which takes microseconds: of a million names a
/// part has 4,000. The hash has a secret key, so that nobody can choose names that collide.
#[derive(Debug)]
pub(in crate::files) struct Index<S = RandomState> {
    hasher: S,
    parts: Box<[HashTable<Spot>; PARTS]>,
}

#[derive(Clone, Copy, Debug)]
struct Spot {
    hash: Hash,
    id: Id,
}

/// The lower half of a name's hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::files) struct Hash(u32);

/// What a name takes in the index, in bytes.
pub(in crate::files) const COST: u64 = cost::in_hash_table(size_of::<Spot>());

impl Hash {
    const PART_FROM: u32 = u32::BITS - PARTS.ilog2();

    /// Returns the part that the name is in: the highest bits, which are the same in a whole part.
    fn part(self) -> usize {
        (self.0 >> Self::PART_FROM) as usize
    }

    /// Returns the hash for the table of a part, which uses the lowest bits for the place and the
    /// highest 7 to distinguish names. None of these is a bit of the part.
    fn wide(self) -> u64 {
        u64::from(self.0) << (u64::BITS - Self::PART_FROM) | u64::from(self.0)
    }
}

impl<S: BuildHasher> Index<S> {
    pub(in crate::files) fn with_hasher(hasher: S) -> Self {
        Index { hasher, parts: Box::new([const { HashTable::new() }; PARTS]) }
    }

    pub(in crate::files) fn hash(&self, name: &[u8]) -> Hash {
        let mut hasher = self.hasher.build_hasher();
        hasher.write(name);
        Hash(hasher.finish() as u32)
    }

    /// Returns the id of the name with this hash, for which `is` returns true.
    pub(in crate::files) fn find(&self, hash: Hash, is: impl Fn(Id) -> bool) -> Option<Id> {
        let spot = |spot: &Spot| spot.hash == hash && is(spot.id);
        Some(self.parts[hash.part()].find(hash.wide(), spot)?.id)
    }

    /// Adds a name that is not in the index.
    pub(in crate::files) fn insert(&mut self, hash: Hash, id: Id) {
        let again = |spot: &Spot| spot.hash.wide();
        self.parts[hash.part()].insert_unique(hash.wide(), Spot { hash, id }, again);
    }

    /// Gives a name another id.
    pub(in crate::files) fn replace(&mut self, hash: Hash, old: Id, new: Id) {
        let part = &mut self.parts[hash.part()];
        if let Some(spot) = part.find_mut(hash.wide(), |spot| spot.id == old) {
            spot.id = new;
        }
    }

    /// Removes a name. A part with three buckets for each name is halved, so that a name never takes
    /// twice what it costs; a half has room for a third more names.
    pub(in crate::files) fn remove(&mut self, hash: Hash, id: Id) {
        /// A part with fewer buckets is not worth being halved.
        const SMALL: usize = 64;
        let part = &mut self.parts[hash.part()];
        if let Ok(found) = part.find_entry(hash.wide(), |spot| spot.id == id) {
            found.remove();
        }
        // The buckets of removed names do not count as capacity.
        if part.num_buckets() > SMALL && part.len() <= part.num_buckets() / 3 {
            part.shrink_to(part.len() * 5 / 4, |spot| spot.hash.wide());
        }
    }

    /// Returns the memory of the parts, in bytes.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.parts.iter().map(HashTable::allocation_size).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Otherwise the names of a large part would share a few places.
    #[test]
    fn the_hashes_of_a_part_differ_in_every_bit_that_its_table_uses() {
        let one_bit = (0..u32::BITS).map(|bit| Hash(1 << bit));
        let in_part = one_bit.filter(|hash| hash.part() == Hash(0).part());
        let differ = in_part.fold(0, |bits, hash| bits | hash.wide());
        assert_eq!(differ.trailing_ones(), u32::BITS - PARTS.ilog2());
        assert!(differ.leading_ones() >= 7);
    }
}
