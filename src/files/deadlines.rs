//! Which file expires next.

use crate::name::Name;
use std::collections::BTreeMap;
use std::time::Duration;

/// The deadlines of all files that have one, the next first. A deadline that is replaced leaves
/// at once: renewing one lease for ever takes no memory.
#[derive(Debug, Default)]
pub(super) struct Deadlines {
    /// By time of the table's clock; the file's version tells equal times apart.
    by_time: BTreeMap<(Duration, u64), Name>,
}

impl Deadlines {
    pub(super) fn insert(&mut self, at: Duration, version: u64, name: Name) {
        self.by_time.insert((at, version), name);
    }

    pub(super) fn remove(&mut self, at: Duration, version: u64) {
        self.by_time.remove(&(at, version));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_time.is_empty()
    }

    /// The earliest, and whose it is.
    pub(super) fn next(&self) -> Option<(Duration, &Name)> {
        self.by_time.first_key_value().map(|((at, _), name)| (*at, name))
    }
}
