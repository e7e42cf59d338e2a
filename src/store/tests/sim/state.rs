//! What is on the disk, and what of it is synced.

use super::Fault;
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

#[derive(Clone, Default)]
pub(super) struct Bytes {
    /// What reads return.
    pub(super) bytes: Vec<u8>,
    /// The end of the written part.
    pub(super) end: usize,
    /// What survives a power failure in any case.
    pub(super) synced: Vec<u8>,
    /// How many have it open.
    pub(super) handles: usize,
}

#[derive(Clone)]
pub(super) struct State {
    pub(super) files: Vec<Bytes>,
    /// The number of the database among them.
    pub(super) database: usize,
    /// The number of the database that it has replaced, if that is not synced.
    pub(super) replaced: Option<usize>,
    /// The other files, by name.
    pub(super) names: BTreeMap<String, usize>,
    /// The changes that are not synced, in order, and their files.
    pub(super) pending: Vec<(usize, Change)>,
    /// Writes, changes of the length and syncs so far.
    pub(super) operations: u64,
    pub(super) reads: u64,
    pub(super) fault: Option<(u64, Fault)>,
    pub(super) broken_reads: u64,
    /// The power has failed.
    pub(super) off: bool,
    pub(super) capacity: u64,
    /// The free room that the system reports, if that is wrong.
    pub(super) says_free: Option<u64>,
    /// No file can be removed.
    pub(super) refuses_removals: bool,
    /// Is called when the database has lost its name to another file.
    pub(super) when_replaced: Option<Arc<dyn Fn() + Send + Sync>>,
}

#[derive(Clone)]
pub(super) enum Change {
    Write(usize, Vec<u8>),
    Length(usize),
}

impl Bytes {
    pub(super) fn with(bytes: Vec<u8>) -> Bytes {
        let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        Bytes { end, synced: bytes.clone(), bytes, handles: 0 }
    }
}

pub(super) fn put(bytes: &mut Vec<u8>, at: usize, data: &[u8]) {
    if bytes.len() < at + data.len() {
        bytes.resize(at + data.len(), 0);
    }
    bytes[at..at + data.len()].copy_from_slice(data);
}

impl State {
    /// Counts an operation. Returns the fault that happens in it.
    pub(super) fn operate(&mut self, can: impl Fn(Fault) -> bool) -> io::Result<Option<Fault>> {
        if self.off {
            return Err(io::Error::other("the power is off"));
        }
        self.operations += 1;
        let Some((after, fault)) = &mut self.fault else { return Ok(None) };
        if !can(*fault) {
            return Ok(None);
        }
        if *after > 0 {
            *after -= 1;
            return Ok(None);
        }
        let fault = *fault;
        self.fault = None;
        if fault == Fault::Power {
            self.off = true;
            return Err(io::Error::other("the power is off"));
        }
        Ok(Some(fault))
    }

    /// Forgets the bytes of a file that has no name and that nobody has open.
    pub(super) fn forget(&mut self, number: usize) {
        let is_left = self.is_named(number) || self.replaced == Some(number);
        if self.files[number].handles == 0 && !is_left {
            self.files[number] = Bytes::default();
            self.pending.retain(|(of, _)| *of != number);
        }
    }

    pub(super) fn is_named(&self, number: usize) -> bool {
        self.database == number || self.names.values().any(|named| *named == number)
    }

    pub(super) fn change(&mut self, number: usize, change: Change) {
        let file = &mut self.files[number];
        match &change {
            Change::Write(at, data) => {
                put(&mut file.bytes, *at, data);
                file.end = file.end.max(at + data.len());
            }
            Change::Length(length) => {
                file.bytes.resize(*length, 0);
                file.end = file.end.min(*length);
            }
        }
        self.pending.push((number, change));
    }

    /// Returns the end of all that was written, as if the files were one.
    pub(super) fn taken(&self) -> u64 {
        let others: usize = self.names.values().map(|file| self.files[*file].end).sum();
        (self.files[self.database].end + others) as u64
    }
}
