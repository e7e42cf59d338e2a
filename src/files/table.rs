//! The table: every file by its name, under one lock.

use super::clock::Clock;
use super::state::{Locked, State, Sweeper};
use crate::contents::{Budget, Contents};
use crate::exptime::Exptime;
use crate::name::NameRef;
use crate::refusal::Refusal;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The type of a file that `write` or `cas` makes.
pub const MEMORY_FILE: &str = "MemoryFile";

/// The types that a file can have.
pub(crate) const KINDS: [&str; 1] = [MEMORY_FILE];

/// The sweeper removes at most so many names before it lets others in.
const SWEEP_NAMES: usize = 256;

/// All files. Shared by every thread; each call is one step that others see whole or not at all.
///
/// ```
/// use telefile::{Budget, Clock, Contents, Exptime, NameRef, Refusal, Table};
///
/// let table = Table::new(Clock::system(), Budget::new(1 << 20), 0xbeef);
/// let name = NameRef::new("foo").unwrap();
/// let contents = || Contents::from(b"abcdef".as_slice());
/// assert_eq!(table.write(name, contents(), Exptime::Never), Ok(1));
/// assert_eq!(table.cas(name, 1, contents(), Exptime::Never), Ok(2));
/// assert_eq!(table.cas(name, 1, contents(), Exptime::Never), Err(Refusal::Version(2)));
/// ```
#[derive(Debug)]
pub struct Table {
    state: Mutex<State>,
    clock: Clock,
    budget: Arc<Budget>,
    epoch: u64,
}

/// What `stat` tells, and `read` beside the contents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    /// The change that made the file what it is.
    pub version: u64,
    /// The length of the contents.
    pub numbytes: u64,
    /// What remains of its life.
    pub exptime: Exptime,
}

/// What `stats` tells of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Totals {
    /// How many files there are.
    pub files: u64,
    /// Their contents in bytes.
    pub bytes: u64,
    /// The latest version.
    pub version: u64,
}

impl Table {
    /// An empty table. Its next version is 1; `epoch` tells it from every other table, for
    /// versions of two tables cannot be compared.
    pub fn new(clock: Clock, budget: Arc<Budget>, epoch: u64) -> Self {
        Table { state: Mutex::default(), clock, budget, epoch }
    }

    /// The number of this table.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The contents of a file, and what `stat` tells.
    ///
    /// # Errors
    /// [`Refusal::NotFound`]
    pub fn read(&self, name: NameRef<'_>) -> Result<(Stat, Contents), Refusal> {
        let mut table = self.lock();
        let found = table.find(name, &self.clock, |e, now| (e.stat(now), e.contents.clone()));
        found.ok_or(Refusal::NotFound)
    }

    /// What is known of a file without its contents.
    ///
    /// # Errors
    /// [`Refusal::NotFound`]
    pub fn stat(&self, name: NameRef<'_>) -> Result<Stat, Refusal> {
        let mut table = self.lock();
        table.find(name, &self.clock, |e, now| e.stat(now)).ok_or(Refusal::NotFound)
    }

    /// Makes the file, or replaces its contents and expiry; returns the version that this took.
    ///
    /// # Errors
    /// [`Limit::Memory`](crate::Limit::Memory) if there is no room for a new entry.
    pub fn write(
        &self,
        name: NameRef<'_>,
        contents: Contents,
        exptime: Exptime,
    ) -> Result<u64, Refusal> {
        let mut table = self.lock();
        let current = table.version_of(name, &self.clock);
        table.put(name, current, contents, self.deadline(exptime), &self.budget)
    }

    /// A [`write`](Table::write), if the file is at `version`; 0 is a file that does not exist.
    ///
    /// # Errors
    /// [`Refusal::Version`] with the version that the file is at. Neither the file nor its expiry
    /// has changed then.
    pub fn cas(
        &self,
        name: NameRef<'_>,
        version: u64,
        contents: Contents,
        exptime: Exptime,
    ) -> Result<u64, Refusal> {
        let mut table = self.lock();
        match table.version_of(name, &self.clock) {
            current if current == version => {
                table.put(name, current, contents, self.deadline(exptime), &self.budget)
            }
            current => Err(Refusal::Version(current)),
        }
    }

    /// Removes a file, if it is at `version` where one is given.
    ///
    /// # Errors
    /// [`Refusal::NotFound`], [`Refusal::Version`]
    pub fn delete(&self, name: NameRef<'_>, version: Option<u64>) -> Result<(), Refusal> {
        let mut table = self.lock();
        match table.version_of(name, &self.clock) {
            0 => Err(Refusal::NotFound),
            current if version.is_some_and(|v| v != current) => Err(Refusal::Version(current)),
            _ => {
                table.removed = table.state.remove(name);
                Ok(())
            }
        }
    }

    /// How much there is.
    pub fn totals(&self) -> Totals {
        let state = self.lock().state;
        let State { files, bytes, version, .. } = &*state;
        Totals { files: files.len() as u64, bytes: *bytes, version: *version }
    }

    /// Removes what has expired, sleeps until something else will have, and so on until
    /// [`close`](Table::close). For a thread of its own.
    pub fn sweep(&self) {
        loop {
            let mut removed = Vec::new();
            let mut state = self.lock().state;
            while removed.len() < SWEEP_NAMES
                && let Some((at, name)) = state.deadlines.next()
                && at <= self.clock.now()
            {
                let name = name.clone();
                removed.extend(state.remove(name.as_ref()));
            }
            if state.closed {
                return;
            }
            let wakes = state.deadlines.next().map(|(at, _)| at);
            state.sweeper = Some(Sweeper { thread: std::thread::current(), wakes });
            drop(state);
            let more = removed.len() == SWEEP_NAMES;
            drop(removed);
            if !more {
                self.clock.park_until(wakes);
            }
        }
    }

    /// Ends the thread in [`sweep`](Table::sweep).
    pub fn close(&self) {
        let mut state = self.lock().state;
        state.closed = true;
        if let Some(sweeper) = &state.sweeper {
            sweeper.thread.unpark();
        }
    }

    fn deadline(&self, exptime: Exptime) -> Option<Duration> {
        match exptime {
            Exptime::Never => None,
            Exptime::Seconds(n) => Some(self.clock.now() + Duration::from_secs(n)),
        }
    }

    pub(super) fn lock(&self) -> Locked<'_> {
        let state = self.state.lock().unwrap_or_else(|_| {
            // No user code runs under this lock: a panic there is a bug that left the table half
            // changed, and wrong answers are worse than none.
            log::error!("a thread panicked while it changed the table; the table is lost");
            std::process::abort()
        });
        Locked { state, removed: None }
    }
}
