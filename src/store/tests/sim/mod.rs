//! A disk in memory, with the database and the files of the log. A power failure loses unsynced
//! writes, or a part of them.

use super::Random;
use crate::store::medium::Medium;
use file::SimFile;
use state::{Bytes, Change, State, put};
use std::collections::BTreeMap;
use std::fmt;
use std::io::ErrorKind;
use std::sync::{Arc, Mutex, MutexGuard};

/// The database, on a disk that clones share; and the disk, whose other files are the log's.
#[derive(Clone)]
pub(super) struct Sim(Arc<Mutex<State>>);

mod file;
mod names;
mod state;

/// How many files the log has at most.
const SLOTS: usize = 4;

fn log_name(slot: usize) -> String {
    format!("log.{slot}")
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
            when_replaced: None,
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

    /// Calls `then` once, when the database has lost its name to another file.
    pub(super) fn when_replaced(&self, then: impl Fn() + Send + Sync + 'static) {
        self.lock().when_replaced = Some(Arc::new(then));
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
