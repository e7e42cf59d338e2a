//! Faults that tests plant, to show that they would be noticed.

/// A fault of this program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum Planted {
    /// A batch is confirmed before it is on disk.
    Unsynced,
    /// A segment is used again before the tree has its batches on disk.
    Early,
    /// A batch counts although its checksum is wrong.
    Unchecked,
    /// What a recycled segment held before counts as well.
    Recycled,
    /// A copy of the tree does not get what the tree gets.
    Stale,
    /// The log goes on before the new tree has the name of the old one on disk.
    Renamed,
}

#[cfg(not(test))]
pub(in crate::store) const fn planted(_: Planted) -> bool {
    false
}

#[cfg(test)]
thread_local! {
    static PLANTED: std::cell::Cell<Option<Planted>> = const { std::cell::Cell::new(None) };
}

#[cfg(test)]
pub(in crate::store) fn planted(fault: Planted) -> bool {
    PLANTED.get() == Some(fault)
}

/// Plants a fault in this thread, or removes it.
#[cfg(test)]
pub(in crate::store) fn plant(fault: Option<Planted>) {
    PLANTED.set(fault);
}
