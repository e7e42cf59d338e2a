//! The memory that the table's structures take. The budget is as accurate as these numbers, which
//! `tests/it/process/footprint.rs` compares with the memory of a process.
//!
//! They derive from the structures themselves, so a new field counts automatically. Two averages,
//! those of collections, are measured:
//!
//! - A node of a `BTreeMap` has room for 11 entries. Ascending keys, the usual case here, leave 6
//!   in each, and one node in seven has 12 pointers to others.
//! - A hash table doubles when 7/8 of its buckets are full; each bucket has an extra byte. An entry
//!   takes 5/3 of a bucket on average over all sizes, and 16/7 just after doubling.

use crate::budget::block;
use crate::files::file_type::AnyFile;
use crate::name::{Name, NameRef};
use std::mem::{size_of, size_of_val};

/// The two counts of an `Arc`.
const COUNTS_BYTES: usize = 2 * size_of::<usize>();

/// A descriptor whose slot is a `T`. The array of slots doubles too, and keeps its capacity.
pub(in crate::files) const fn descriptor<T>() -> u64 {
    (size_of::<T>() + size_of::<usize>()) as u64 * 3 / 2
}

/// An open of a connection.
pub(crate) const OPEN: u64 = in_map::<u64, u64>();

/// The allocation of a name, if it has one.
pub(in crate::files) fn name(name: NameRef<'_>) -> u64 {
    block(Name::allocated(name))
}

/// A code file that the table keeps as a `T`, without what its type keeps elsewhere.
pub(in crate::files) fn code<T>(value: &dyn AnyFile) -> u64 {
    block(COUNTS_BYTES + size_of::<T>()) + block(size_of_val(value))
}

/// An entry of a `BTreeMap<K, V>`.
pub(in crate::files) const fn in_map<K, V>() -> u64 {
    in_tree(size_of::<K>() + size_of::<V>())
}

/// The first entry of a `BTreeMap<K, V>`, which allocates a node.
pub(in crate::files) const fn first_in_map<K, V>() -> u64 {
    block(node(size_of::<K>() + size_of::<V>()))
}

/// An entry of a `BTreeMap`, of `entry_bytes` bytes: keys and values lie in arrays of their own.
const fn in_tree(entry_bytes: usize) -> u64 {
    let inner = 12 * size_of::<usize>();
    (block(node(entry_bytes)) + inner as u64 / 7) / 6
}

const fn node(entry_bytes: usize) -> usize {
    11 * entry_bytes + size_of::<usize>() + 2 * size_of::<u16>()
}

/// An entry of a hash table, of `entry_bytes` bytes.
pub(in crate::files) const fn in_hash_table(entry_bytes: usize) -> u64 {
    (entry_bytes as u64 + 1) * 5 / 3
}
