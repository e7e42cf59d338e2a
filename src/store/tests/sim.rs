//! A disk in memory, with the database and the files of the log. A power failure loses unsynced
//! writes, or a part of them.

use super::Random;
use crate::store::medium::Medium;
use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, ErrorKind};
use std::sync::{Arc, Mutex, MutexGuard};

/// The database, on a disk that clones share; and the disk, whose other files are the log's.
#[derive(Clone)]
pub(super) struct Sim(Arc<Mutex<State>>);

mod file;
mod names;

/// A file of the disk, by its number. It goes on without its name.
struct SimFile(Sim, usize);

impl SimFile {
    fn open(sim: &Sim, number: usize) -> SimFile {
        sim.lock().files[number].handles += 1;
        SimFile(sim.clone(), number)
    }
}

impl Drop for SimFile {
    fn drop(&mut self) {
        let Ok(mut state) = self.0.0.lock() else { return };
        state.files[self.1].handles -= 1;
        state.forget(self.1);
    }
}

/// How many files the log has at most.
const SLOTS: usize = 4;

fn log_name(slot: usize) -> String {
    format!("log.{slot}")
}

#[derive(Clone, Default)]
struct Bytes {
    /// What reads return.
    bytes: Vec<u8>,
    /// The end of the written part.
    end: usize,
    /// What survives a power failure in any case.
    synced: Vec<u8>,
    /// How many have it open.
    handles: usize,
}

#[derive(Clone)]
struct State {
    files: Vec<Bytes>,
    /// The number of the database among them.
    database: usize,
    /// The number of the database that it has replaced, if that is not synced.
    replaced: Option<usize>,
    /// The other files, by name.
    names: BTreeMap<String, usize>,
    /// The changes that are not synced, in order, and their files.
    pending: Vec<(usize, Change)>,
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
    /// No file can be removed.
    refuses_removals: bool,
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
        Sim::with_files(vec![Bytes::with(bytes)], 0, BTreeMap::new())
    }

    fn with_files(files: Vec<Bytes>, database: usize, names: BTreeMap<String, usize>) -> Sim {
        Sim(Arc::new(Mutex::new(State {
            files,
            database,
            replaced: None,
            names,
            pending: Vec::new(),
            operations: 0,
            reads: 0,
            fault: None,
            broken_reads: 0,
            off: false,
            capacity: u64::MAX,
            says_free: None,
            refuses_removals: false,
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

    pub(super) fn refuse_removals(&self, refuse: bool) {
        self.lock().refuses_removals = refuse;
    }

    pub(super) fn operations(&self) -> u64 {
        self.lock().operations
    }

    pub(super) fn reads(&self) -> u64 {
        self.lock().reads
    }

    /// Returns the database's file, whatever its name becomes.
    pub(super) fn database(&self) -> Box<dyn Medium> {
        Box::new(self.current())
    }

    fn current(&self) -> SimFile {
        let number = self.lock().database;
        SimFile::open(self, number)
    }

    pub(super) fn image(&self) -> Vec<u8> {
        let state = self.lock();
        state.files[state.database].bytes.clone()
    }

    /// Leaves no room on the disk for anything new.
    pub(super) fn fill(&self) {
        let mut state = self.lock();
        state.capacity = state.taken();
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.lock().names.contains_key(name)
    }

    /// Returns the files of the log, by slot.
    pub(super) fn log(&self) -> Vec<Option<Vec<u8>>> {
        let state = self.lock();
        let bytes = |slot| Some(state.files[*state.names.get(&log_name(slot))?].bytes.clone());
        (0..SLOTS).map(bytes).collect()
    }

    /// Changes the bytes of the log's files under those that have them open.
    pub(super) fn damage_log(&self, files: &[Option<Vec<u8>>]) {
        let mut state = self.lock();
        for (slot, bytes) in files.iter().enumerate() {
            let file = state.names.get(&log_name(slot)).copied();
            if let (Some(file), Some(bytes)) = (file, bytes) {
                state.files[file].bytes.clone_from(bytes);
            }
        }
    }

    /// Replaces the files of the log.
    pub(super) fn set_log(&self, files: Vec<Option<Vec<u8>>>) {
        let mut state = self.lock();
        for (slot, bytes) in files.into_iter().enumerate() {
            state.names.remove(&log_name(slot));
            if let Some(bytes) = bytes {
                let number = state.files.len();
                state.names.insert(log_name(slot), number);
                state.files.push(Bytes::with(bytes));
            }
        }
    }

    /// Returns the disk that a restarted process finds: nothing is lost.
    pub(super) fn after_kill(&self) -> Sim {
        let mut state = self.lock().clone();
        state.fault = None;
        state.files.iter_mut().for_each(|file| file.handles = 0);
        Sim(Arc::new(Mutex::new(state)))
    }

    /// Returns the disk after a power failure: unsynced writes are kept, lost or torn.
    pub(super) fn after_power_loss(&self, random: &mut Random) -> Sim {
        let state = self.lock();
        let mut files: Vec<_> = state.files.iter().map(|file| file.synced.clone()).collect();
        let (lost, grain) = (random.below(3), if random.one_in(4) { 16 } else { 512 });
        for (file, change) in &state.pending {
            let bytes = &mut files[*file];
            let whole = lost == 0 || (lost == 1 && random.one_in(2));
            match change {
                Change::Write(at, data) => {
                    for (i, grain_bytes) in data.chunks(grain).enumerate() {
                        if whole || (lost != 2 && random.one_in(2)) {
                            put(bytes, at + i * grain, grain_bytes);
                        }
                    }
                }
                Change::Length(length) if whole => bytes.resize(*length, 0),
                Change::Length(_) => {}
            }
        }
        let database = state.replaced.filter(|_| random.one_in(2)).unwrap_or(state.database);
        let files = files.into_iter().map(Bytes::with).collect();
        Sim::with_files(files, database, state.names.clone())
    }
}

impl Bytes {
    fn with(bytes: Vec<u8>) -> Bytes {
        let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        Bytes { end, synced: bytes.clone(), bytes, handles: 0 }
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

    /// Forgets the bytes of a file that has no name and that nobody has open.
    fn forget(&mut self, number: usize) {
        let is_named = [Some(self.database), self.replaced].contains(&Some(number))
            || self.names.values().any(|named| *named == number);
        if self.files[number].handles == 0 && !is_named {
            self.files[number] = Bytes::default();
            self.pending.retain(|(of, _)| *of != number);
        }
    }

    fn change(&mut self, number: usize, change: Change) {
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
    fn taken(&self) -> u64 {
        let others: usize = self.names.values().map(|file| self.files[*file].end).sum();
        (self.files[self.database].end + others) as u64
    }
}

impl Medium for Sim {
    fn len(&self) -> io::Result<u64> {
        self.current().len()
    }

    fn read(&self, at: u64, bytes: &mut [u8]) -> io::Result<()> {
        self.current().read(at, bytes)
    }

    fn write(&self, at: u64, bytes: &[u8]) -> io::Result<()> {
        self.current().write(at, bytes)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.current().set_len(len)
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        self.current().allocate(len)
    }

    fn sync(&self) -> io::Result<()> {
        self.current().sync()
    }

    fn end(&self) -> io::Result<u64> {
        self.current().end()
    }

    fn free(&self) -> io::Result<u64> {
        self.current().free()
    }

    fn is_named(&self) -> io::Result<bool> {
        Ok(true)
    }

    fn taken(&self) -> io::Result<u64> {
        self.end()
    }
}

impl fmt::Debug for SimFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SimFile")
    }
}
