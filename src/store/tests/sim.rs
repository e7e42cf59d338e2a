//! A disk in memory. A power failure loses unsynced writes, or a part of them.

use super::super::disk::Medium;
use super::Random;
use std::fmt;
use std::io::{self, ErrorKind};
use std::sync::{Arc, Mutex, MutexGuard};

/// Clones are the same disk.
#[derive(Clone)]
pub(super) struct Sim(Arc<Mutex<State>>);

#[derive(Clone)]
struct State {
    /// What reads return.
    bytes: Vec<u8>,
    /// The end of the written part.
    end: usize,
    /// What survives a power failure in any case.
    synced: Vec<u8>,
    /// The changes since the last sync, in order.
    pending: Vec<Change>,
    /// Writes, changes of the length and syncs so far.
    operations: u64,
    reads: u64,
    fault: Option<(u64, Fault)>,
    broken_reads: u64,
    /// The power has failed.
    off: bool,
    capacity: u64,
    /// The free room that the system reports, if that is wrong.
    says_free: Option<u64>,
}

#[derive(Clone)]
enum Change {
    Write(usize, Vec<u8>),
    Length(usize),
}

/// What happens in an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// A write, or a change of the length, fails as a whole.
    Write(ErrorKind),
    /// A write fails after a part of it.
    Short(ErrorKind),
    /// A sync fails: the state of the disk is unknown.
    Sync(ErrorKind),
    /// The power fails.
    Power,
}

impl fmt::Debug for Sim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sim")
    }
}

impl Sim {
    pub(super) fn new() -> Sim {
        Sim::with(Vec::new())
    }

    /// Creates a disk with these bytes.
    pub(super) fn with(bytes: Vec<u8>) -> Sim {
        Sim(Arc::new(Mutex::new(State {
            end: bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1),
            synced: bytes.clone(),
            bytes,
            pending: Vec::new(),
            operations: 0,
            reads: 0,
            fault: None,
            broken_reads: 0,
            off: false,
            capacity: u64::MAX,
            says_free: None,
        })))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// Makes the fault happen after this number of operations of its kind.
    pub(super) fn fail_after(&self, operations: u64, fault: Fault) {
        let mut state = self.lock();
        state.fault = Some((operations, fault));
    }

    /// Returns whether the fault is still to come.
    pub(super) fn is_waiting(&self) -> bool {
        self.lock().fault.is_some()
    }

    pub(super) fn heal(&self) {
        self.lock().fault = None;
    }

    /// Makes the next `count` reads fail.
    pub(super) fn break_reads(&self, count: u64) {
        self.lock().broken_reads = count;
    }

    /// Sets the capacity, and the free room that the system reports if that is wrong.
    pub(super) fn resize(&self, capacity: u64, says_free: Option<u64>) {
        let mut state = self.lock();
        (state.capacity, state.says_free) = (capacity, says_free);
    }

    pub(super) fn operations(&self) -> u64 {
        self.lock().operations
    }

    pub(super) fn reads(&self) -> u64 {
        self.lock().reads
    }

    pub(super) fn image(&self) -> Vec<u8> {
        self.lock().bytes.clone()
    }

    /// Returns the disk that a restarted process finds: nothing is lost.
    pub(super) fn after_kill(&self) -> Sim {
        let mut state = self.lock().clone();
        state.fault = None;
        Sim(Arc::new(Mutex::new(state)))
    }

    /// Returns the disk after a power failure: unsynced writes are kept, lost or torn.
    pub(super) fn after_power_loss(&self, random: &mut Random) -> Sim {
        let state = self.lock();
        let mut bytes = state.synced.clone();
        let (lost, grain) = (random.below(3), if random.one_in(4) { 16 } else { 512 });
        for change in &state.pending {
            let whole = lost == 0 || (lost == 1 && random.one_in(2));
            match change {
                Change::Write(at, data) => {
                    for (i, grain_bytes) in data.chunks(grain).enumerate() {
                        if whole || (lost != 2 && random.one_in(2)) {
                            put(&mut bytes, at + i * grain, grain_bytes);
                        }
                    }
                }
                Change::Length(length) if whole => bytes.resize(*length, 0),
                Change::Length(_) => {}
            }
        }
        Sim::with(bytes)
    }
}

fn put(bytes: &mut Vec<u8>, at: usize, data: &[u8]) {
    if bytes.len() < at + data.len() {
        bytes.resize(at + data.len(), 0);
    }
    bytes[at..at + data.len()].copy_from_slice(data);
}

impl State {
    /// Counts an operation. Returns the fault that happens in it.
    fn operate(&mut self, can: impl Fn(Fault) -> bool) -> io::Result<Option<Fault>> {
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

    fn change(&mut self, change: Change) {
        match &change {
            Change::Write(at, data) => {
                put(&mut self.bytes, *at, data);
                self.end = self.end.max(at + data.len());
            }
            Change::Length(length) => {
                self.bytes.resize(*length, 0);
                self.end = self.end.min(*length);
            }
        }
        self.pending.push(change);
    }
}

impl Medium for Sim {
    fn len(&self) -> io::Result<u64> {
        Ok(self.lock().bytes.len() as u64)
    }

    fn read(&self, at: u64, bytes: &mut [u8]) -> io::Result<()> {
        let mut state = self.lock();
        state.reads += 1;
        if state.broken_reads > 0 {
            state.broken_reads -= 1;
            return Err(io::Error::other("a bad sector"));
        }
        let at = usize::try_from(at).unwrap();
        let end = at.checked_add(bytes.len());
        let found = end.and_then(|end| state.bytes.get(at..end));
        bytes.copy_from_slice(found.ok_or(ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn write(&self, at: u64, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.lock();
        let at = usize::try_from(at).unwrap();
        let fault = state.operate(|fault| !matches!(fault, Fault::Sync(_)))?;
        if (at + bytes.len()) as u64 > state.capacity {
            return Err(ErrorKind::StorageFull.into());
        }
        match fault {
            Some(Fault::Write(kind)) => Err(kind.into()),
            Some(Fault::Short(kind)) => {
                state.change(Change::Write(at, bytes[..bytes.len() / 3].to_vec()));
                Err(kind.into())
            }
            _ => {
                state.change(Change::Write(at, bytes.to_vec()));
                Ok(())
            }
        }
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut state = self.lock();
        if let Some(Fault::Write(kind)) =
            state.operate(|f| matches!(f, Fault::Write(_) | Fault::Power))?
        {
            return Err(kind.into());
        }
        state.change(Change::Length(usize::try_from(len).unwrap()));
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.lock();
        if let Some(Fault::Sync(kind)) =
            state.operate(|f| matches!(f, Fault::Sync(_) | Fault::Power))?
        {
            return Err(kind.into());
        }
        for change in std::mem::take(&mut state.pending) {
            match change {
                Change::Write(at, data) => put(&mut state.synced, at, &data),
                Change::Length(length) => state.synced.resize(length, 0),
            }
        }
        Ok(())
    }

    fn end(&self) -> io::Result<u64> {
        Ok(self.lock().end as u64)
    }

    fn free(&self) -> io::Result<u64> {
        let end = self.end()?;
        let state = self.lock();
        Ok(state.says_free.unwrap_or(state.capacity.saturating_sub(end)))
    }

    fn taken(&self) -> io::Result<u64> {
        self.end()
    }
}
