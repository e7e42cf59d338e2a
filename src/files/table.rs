//! The table: every file by its name, under one lock.

use super::clock::Clock;
use super::registry::Registry;
use super::state::{Body, Locked, State, Sweeper};
use crate::contents::{Budget, Contents};
use crate::exptime::Exptime;
use crate::name::{FileRef, NameRef};
use crate::refusal::Refusal;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

/// The sweeper removes at most so many names before it lets others in.
const SWEEP_NAMES: usize = 256;

/// All files. Shared by every thread; each call is one step that others see whole or not at all.
///
/// A file is meant by its name or by its descriptor; that a client may use the descriptor is for
/// the caller to know.
///
/// ```
/// use telefile::{Budget, Clock, Contents, Exptime, FileRef, NameRef, Refusal, Registry, Table};
///
/// let table = Table::new(Registry::default(), Clock::system(), Budget::new(1 << 20), 0xbeef);
/// let foo = FileRef::Name(NameRef::new("foo").unwrap());
/// assert_eq!(table.write(foo, Contents::from("abcdef"), Exptime::Never), Ok(1));
/// assert_eq!(table.cas(foo, 1, Contents::from("ghijklm"), Exptime::Never), Ok(2));
/// assert_eq!(table.cas(foo, 1, Contents::from("late"), Exptime::Never), Err(Refusal::Version(2)));
/// ```
#[derive(Debug)]
pub struct Table {
    state: Mutex<State>,
    /// A name is no longer busy.
    calm: Condvar,
    pub(super) registry: Registry,
    pub(super) clock: Clock,
    pub(super) budget: Arc<Budget>,
    epoch: u64,
}

/// What `read` tells beside the contents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    /// The change that made the file what it is.
    pub version: u64,
    /// The length of the contents, as far as it is known without the type's code.
    pub numbytes: u64,
    /// What remains of its life.
    pub exptime: Exptime,
}

/// What `stats` tells of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Totals {
    /// How many files there are.
    pub files: u64,
    /// The contents that are kept in memory, in bytes.
    pub bytes: u64,
    /// How many files are open.
    pub descriptors: u64,
    /// How many opens of them there are.
    pub opens: u64,
    /// The latest version.
    pub version: u64,
}

impl Table {
    /// An empty table. Its next version is 1; `epoch` tells it from every other table, for
    /// versions of two tables cannot be compared.
    pub fn new(registry: Registry, clock: Clock, budget: Arc<Budget>, epoch: u64) -> Self {
        let (state, calm) = (Mutex::default(), Condvar::new());
        Table { state, calm, registry, clock, budget, epoch }
    }

    /// The number of this table.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The names of the types that it knows.
    pub fn types(&self) -> impl Iterator<Item = &'static str> {
        self.registry.names()
    }

    /// The contents of a file, and what belongs to them.
    ///
    /// # Errors
    /// [`Refusal::NotFound`], and those of the file's type.
    pub fn read(&self, file: FileRef<'_>) -> Result<(Stat, Contents), Refusal> {
        loop {
            let mut table = self.lock();
            let found = table.find(file, &self.clock, |e, now| (e.stat(now), e.body.clone()));
            drop(table);
            match found.ok_or(Refusal::NotFound)? {
                (stat, Body::Bytes(contents)) => return Ok((stat, contents)),
                (_, Body::Code(code, _)) => {
                    if let Some(done) = self.read_code(file, &code) {
                        return done;
                    }
                }
            }
        }
    }

    /// What is known of a file without its contents: also its type, and how many opens it has.
    ///
    /// # Errors
    /// [`Refusal::NotFound`]
    pub fn stat(&self, file: FileRef<'_>) -> Result<(Stat, &'static str, u64), Refusal> {
        let mut table = self.lock();
        let found = table.find(file, &self.clock, |e, now| (e.stat(now), e.kind(), e.fd));
        let (stat, kind, fd) = found.ok_or(Refusal::NotFound)?;
        let opens = fd.and_then(|fd| table.state.descriptors.get(fd)).map_or(0, |open| open.opens);
        Ok((stat, kind, opens))
    }

    /// Makes the file, or replaces its contents and expiry; returns the version that this took.
    ///
    /// # Errors
    /// [`Limit::Memory`](crate::Limit::Memory) if there is no room for a new entry, and those of
    /// the file's type.
    pub fn write(
        &self,
        file: FileRef<'_>,
        contents: Contents,
        exptime: Exptime,
    ) -> Result<u64, Refusal> {
        self.store(file, None, contents, exptime)
    }

    /// A [`write`](Table::write), if the file is at `version`; 0 is a file that does not exist.
    ///
    /// # Errors
    /// [`Refusal::Version`] with the version that the file is at. Neither the file nor its expiry
    /// has changed then. Otherwise those of a write.
    pub fn cas(
        &self,
        file: FileRef<'_>,
        version: u64,
        contents: Contents,
        exptime: Exptime,
    ) -> Result<u64, Refusal> {
        self.store(file, Some(version), contents, exptime)
    }

    fn store(
        &self,
        file: FileRef<'_>,
        expected: Option<u64>,
        contents: Contents,
        exptime: Exptime,
    ) -> Result<u64, Refusal> {
        loop {
            let mut table = self.lock();
            let found = table.find(file, &self.clock, |entry, _| match &entry.body {
                Body::Bytes(_) => (entry.version, None),
                Body::Code(code, _) => (entry.version, Some(code.clone())),
            });
            let current = match found {
                Some((_, Some(code))) => {
                    drop(table);
                    match self.write_code(file, &code, expected, &contents, exptime) {
                        Some(done) => return done,
                        None => continue,
                    }
                }
                Some((version, None)) => Some(version),
                None if table.is_busy(file) => {
                    self.wait_calm(table);
                    continue;
                }
                None => None,
            };
            if expected.is_some_and(|version| version != current.unwrap_or(0)) {
                return Err(Refusal::Version(current.unwrap_or(0)));
            }
            let (body, deadline) = (Body::Bytes(contents), self.deadline(exptime));
            if current.is_some() {
                let (version, replaced) = table.state.change(file, body, deadline);
                table.replaced = replaced;
                return Ok(version);
            }
            let FileRef::Name(name) = file else { return Err(Refusal::BadDescriptor) };
            return table.state.insert(name, body, deadline, &self.budget);
        }
    }

    /// Removes a file's name, if the file is at `version` where one is given. Who has it open
    /// keeps it.
    ///
    /// # Errors
    /// [`Refusal::NotFound`], [`Refusal::Version`]
    pub fn delete(&self, file: FileRef<'_>, version: Option<u64>) -> Result<(), Refusal> {
        let mut table = self.lock();
        let current = table.find(file, &self.clock, |entry, _| entry.version);
        let Some(name) = table.state.name_of(file) else { return Err(Refusal::NotFound) };
        match current {
            Some(current) if version.is_some_and(|v| v != current) => {
                Err(Refusal::Version(current))
            }
            _ => {
                table.removed = table.state.remove(name.as_ref());
                Ok(())
            }
        }
    }

    /// How much there is.
    pub fn totals(&self) -> Totals {
        let state = self.lock().state;
        Totals {
            files: state.files.len() as u64,
            bytes: state.bytes,
            descriptors: state.descriptors.files() as u64,
            opens: state.descriptors.opens(),
            version: state.version,
        }
    }

    /// Removes what has expired, sleeps until something else will have, and so on until
    /// [`close`](Table::close). For a thread of its own.
    pub fn sweep(&self) {
        loop {
            let mut removed = Vec::new();
            let mut state = self.lock().state;
            let mut names = 0;
            while names < SWEEP_NAMES
                && let Some((at, name)) = state.deadlines.next()
                && at <= self.clock.now()
            {
                let name = name.clone();
                removed.extend(state.remove(name.as_ref()));
                names += 1;
            }
            if state.closed {
                return;
            }
            let wakes = state.deadlines.next().map(|(at, _)| at);
            state.sweeper = Some(Sweeper { thread: std::thread::current(), wakes });
            drop(state);
            drop(removed);
            if names < SWEEP_NAMES {
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

    pub(super) fn deadline(&self, exptime: Exptime) -> Option<Duration> {
        match exptime {
            Exptime::Never => None,
            Exptime::Seconds(n) => Some(self.clock.now() + Duration::from_secs(n)),
        }
    }

    /// Lets go of the lock until some name is no longer busy.
    pub(super) fn wait_calm(&self, table: Locked<'_>) {
        drop(self.calm.wait(table.state).unwrap_or_else(|_| lost()));
    }

    /// Nobody makes or ends the file of this name any more.
    pub(super) fn calm(&self, name: NameRef<'_>) {
        self.lock().state.busy.remove(name.as_str());
        self.calm.notify_all();
    }

    pub(super) fn lock(&self) -> Locked<'_> {
        let state = self.state.lock().unwrap_or_else(|_| lost());
        Locked { state, removed: None, replaced: None }
    }
}

/// No user code runs under the table's lock: a panic there is a bug that left the table half
/// changed, and wrong answers are worse than none.
fn lost<T>() -> T {
    log::error!("a thread panicked while it changed the table; the table is lost");
    std::process::abort()
}
