//! What a test plants into a round: an end at some moment, a broken rule, a disk with its own ways.

use super::disk::Disk;
use crate::sync::error::Error;
use std::cell::{Cell, RefCell};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A rule that a test breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sync) enum Fault {
    /// What an exchange gave back is not looked at.
    NoLook,
    /// A row is written before what it says is true.
    RowFirst,
    /// A refused cas is repeated with the version that the server has.
    LastWriter,
    /// Rows of another table are believed.
    NoEpoch,
    /// A server that was put back to an earlier state is believed.
    NoSeal,
    /// The versions of a file begin anew after its deletion.
    VersionsRestart,
    /// The collector does not care about uploads.
    CollectAnyway,
    /// Rows are written before the renames are flushed.
    RenamesUnflushed,
    /// Rows of pushed files are written before the files are flushed.
    PushedUnflushed,
    /// Files are renamed before their contents are flushed.
    ContentsUnflushed,
}

/// Returns whether the round goes on after this moment.
pub(in crate::sync) type Plan = Box<dyn FnMut(&'static str) -> bool>;

thread_local! {
    static PLAN: RefCell<Option<Plan>> = const { RefCell::new(None) };
    static FAULT: Cell<Option<Fault>> = const { Cell::new(None) };
    static DISK: RefCell<Option<Arc<Mutex<Disk>>>> = const { RefCell::new(None) };
}

/// Sets what happens at each moment in this thread, and the rule that is broken.
pub(in crate::sync) fn plan(fault: Option<Fault>, plan: Option<Plan>) {
    FAULT.set(fault);
    PLAN.set(plan);
}

/// Sets the disk on which this thread's folder is.
pub(in crate::sync) fn put_on(disk: Option<Arc<Mutex<Disk>>>) {
    DISK.set(disk);
}

pub(in crate::sync) fn has(fault: Fault) -> bool {
    FAULT.get() == Some(fault)
}

pub(in crate::sync) fn step(moment: &'static str) -> Result<(), Error> {
    let goes_on = PLAN.with_borrow_mut(|plan| plan.as_mut().is_none_or(|plan| plan(moment)));
    if goes_on { Ok(()) } else { Err(Error::Stopped) }
}

/// Returns whether two files can change places on this thread's disk.
pub(in crate::sync) fn exchanges() -> bool {
    with_disk(|disk| disk.exchanges).unwrap_or(true)
}

/// Calls `f` with this thread's disk, if it has one.
pub(super) fn with_disk<T>(f: impl FnOnce(&mut Disk) -> T) -> Option<T> {
    let disk = DISK.with_borrow(Clone::clone)?;
    let mut disk: MutexGuard<'_, Disk> = disk.lock().unwrap_or_else(PoisonError::into_inner);
    Some(f(&mut disk))
}
