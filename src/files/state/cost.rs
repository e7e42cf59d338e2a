//! The memory that the table's structures take. The budget is as accurate as these numbers, which
//! `tests/it/process/footprint.rs` compares with the memory of a process. A structure defined in
//! this module provides its own size.
//!
//! They derive from the structures themselves, so a new field counts automatically. Two averages,
//! those of std's collections, are measured:
//!
//! - A node of a `BTreeMap` has room for 11 entries. Ascending keys, the usual case here, leave 6
//!   in each, and one node in seven has 12 pointers to others.
//! - A `HashMap` doubles when 7/8 of its buckets are full; each bucket has an extra byte. An entry
//!   takes 5/3 of a bucket on average over all sizes, 16/7 just after doubling, and 24/7 briefly
//!   while doubling.

use crate::budget::block;
use crate::files::file::ClientId;
use crate::files::file_type::AnyFile;
use crate::name::{Name, NameRef};
use std::mem::{size_of, size_of_val};
use std::time::Duration;

/// The two counts of an `Arc`.
const COUNTS_BYTES: usize = 2 * size_of::<usize>();

/// The cost of a file's name besides the [`name`] itself: its places among the files, the names and
/// the changes.
pub(in crate::files) const NAMED: u64 = in_hash_map(size_of::<(Name, Box<()>)>())
    + in_tree(size_of::<Name>())
    + in_tree(size_of::<(u64, Name)>());

/// A remembered removal, without the name.
pub(in crate::files) const REMOVAL: u64 =
    in_tree(size_of::<(u64, Name)>()) + in_hash_map(size_of::<(Name, u64)>());

/// A deadline.
pub(in crate::files) const DEADLINE: u64 = in_tree(size_of::<((Duration, u64), Name)>());

/// The end with a connection.
pub(in crate::files) const END_WITH_CLIENT: u64 = in_tree(size_of::<Name>());

/// The first such end of a connection, which allocates a set.
pub(in crate::files) const CLIENT_WITH_ENDS: u64 =
    block(node(size_of::<Name>())) + in_tree(size_of::<(ClientId, [usize; 3])>());

/// A descriptor whose slot is a `T`. The array of slots doubles too, and keeps its capacity.
pub(in crate::files) const fn descriptor<T>() -> u64 {
    (size_of::<T>() + size_of::<usize>()) as u64 * 3 / 2
}

/// An open of a connection.
pub(crate) const OPEN: u64 = in_tree(size_of::<(u64, u64)>());

/// A name.
pub(in crate::files) fn name(name: NameRef<'_>) -> u64 {
    block(COUNTS_BYTES + name.as_str().len())
}

/// A code file that the table keeps as a `T`, without what its type keeps elsewhere.
pub(in crate::files) fn code<T>(value: &dyn AnyFile) -> u64 {
    block(COUNTS_BYTES + size_of::<T>()) + block(size_of_val(value))
}

/// An entry of a `BTreeMap`, of `entry_bytes` bytes.
const fn in_tree(entry_bytes: usize) -> u64 {
    let inner = 12 * size_of::<usize>();
    (block(node(entry_bytes)) + inner as u64 / 7) / 6
}

const fn node(entry_bytes: usize) -> usize {
    11 * entry_bytes + size_of::<usize>() + 2 * size_of::<u16>()
}

/// An entry of a `HashMap`, of `entry_bytes` bytes.
const fn in_hash_map(entry_bytes: usize) -> u64 {
    (entry_bytes as u64 + 1) * 5 / 3
}
