//! TREE: the table in a database, whose batches are transactions.
//!
//! Turns changes into pages. Knows which log belongs to the tree, not what is in it.

pub(in crate::store) mod copy;
pub(in crate::store) mod disk;
pub(in crate::store) mod engine;
pub(in crate::store) mod log_head;
pub(in crate::store) mod room;
pub(in crate::store) mod tables;
pub(in crate::store) mod view;
pub(in crate::store) mod writer;
