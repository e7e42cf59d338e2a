//! The table: every file by its name, under one lock.

use super::clock::Clock;
use super::entry::Body;
use super::expiry::Expiry;
use super::registry::Registry;
use super::state::{Locked, State};
use super::watchers::{News, Watchers};
use crate::contents::{Budget, Contents};
use crate::exptime::Exptime;
use crate::name::{FileRef, Name, NameRef, Stem};
use crate::refusal::Refusal;
use crossbeam_channel::Receiver;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

/// All files. Shared by every thread; each call is one step that others see whole or not at all.
///
/// A file is meant by its name or by its descriptor; that a client may use the descriptor is for
/// the caller to know.
///
/// ```
/// use telefile::{Budget, Clock, Contents, Expiry, FileRef, NameRef, Refusal, Registry, Table};
///
/// let table = Table::new(Registry::default(), Clock::system(), Budget::new(1 << 20), 0xbeef);
/// let foo = FileRef::Name(NameRef::new("foo").unwrap());
/// assert_eq!(table.write(foo, Contents::from("abcdef"), Expiry::Never), Ok(1));
/// assert_eq!(table.cas(foo, 1, Contents::from("ghijklm"), Expiry::Never), Ok(2));
/// assert_eq!(table.cas(foo, 1, Contents::from("late"), Expiry::Never), Err(Refusal::Version(2)));
/// ```
#[derive(Debug)]
pub struct Table {
    state: Mutex<State>,
    /// A name is no longer busy.
    calm: Condvar,
    /// Those whom a change has woken, for [`Table::notify`].
    pub(super) woken: Receiver<Arc<News>>,
    pub(super) registry: Registry,
    pub(super) clock: Clock,
    pub(super) budget: Arc<Budget>,
    epoch: u64,
}

/// What there is to know of a file but its name, its type and its contents.
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
    /// How many watches wait.
    pub watches: u64,
    /// The latest version.
    pub version: u64,
}

impl Table {
    /// An empty table. Its next version is 1; `epoch` tells it from every other table, for
    /// versions of two tables cannot be compared.
    pub fn new(registry: Registry, clock: Clock, budget: Arc<Budget>, epoch: u64) -> Self {
        let (wake, woken) = crossbeam_channel::unbounded();
        let state = Mutex::new(State::new(Watchers::new(wake)));
        Table { state, calm: Condvar::new(), woken, registry, clock, budget, epoch }
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
            let found = table.find(file, |e, now| (e.stat(now), e.body.clone()));
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
        let found = table.find(file, |e, now| (e.stat(now), e.kind(), e.fd));
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
        expiry: Expiry,
    ) -> Result<u64, Refusal> {
        self.store(file, None, contents, expiry)
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
        expiry: Expiry,
    ) -> Result<u64, Refusal> {
        self.store(file, Some(version), contents, expiry)
    }

    fn store(
        &self,
        file: FileRef<'_>,
        expected: Option<u64>,
        contents: Contents,
        expiry: Expiry,
    ) -> Result<u64, Refusal> {
        loop {
            let mut table = self.lock();
            let found = table.find(file, |entry, _| match &entry.body {
                Body::Bytes(_) => (entry.version, None),
                Body::Code(code, _) => (entry.version, Some(code.clone())),
            });
            let current = match found {
                Some((_, Some(code))) => {
                    drop(table);
                    match self.write_code(file, &code, expected, &contents, expiry) {
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
            let (body, end) = (Body::Bytes(contents), table.end(expiry));
            if current.is_some() {
                let (version, replaced) = table.state.change(file, body, end);
                table.replaced = replaced;
                return Ok(version);
            }
            let FileRef::Name(name) = file else { return Err(Refusal::BadDescriptor) };
            return table.state.insert(name.to_name(), body, end, &self.budget);
        }
    }

    /// Makes a file that did not exist, called after the version that this takes.
    ///
    /// # Errors
    /// [`Limit::Memory`](crate::Limit::Memory) if there is no room for a new entry.
    pub fn create(
        &self,
        stem: Stem<'_>,
        contents: Contents,
        expiry: Expiry,
    ) -> Result<(u64, Name), Refusal> {
        let mut table = self.lock();
        let end = table.end(expiry);
        let state = &mut *table.state;
        let before = state.version;
        let (version, name) = loop {
            let version = state.version + 1;
            let name = stem.numbered(version);
            if !state.files.contains_key(&name) && !state.busy.contains(&name) {
                break (version, name);
            }
            // Somebody has called a file so: the next one.
            state.version = version;
        };
        match state.insert(name.clone(), Body::Bytes(contents), end, &self.budget) {
            Ok(_) => Ok((version, name)),
            Err(refusal) => {
                state.version = before;
                Err(refusal)
            }
        }
    }

    /// Gives a file another expiry, if it is at `version`. This is no change: it keeps its version.
    ///
    /// # Errors
    /// [`Refusal::NotFound`], also for a file that has lost its name; [`Refusal::Version`].
    pub fn touch(&self, file: FileRef<'_>, version: u64, expiry: Expiry) -> Result<u64, Refusal> {
        let (mut table, name) = self.find_named(file, Some(version))?;
        let end = table.end(expiry);
        table.state.touch(name.as_ref(), end);
        Ok(version)
    }

    /// Removes a file's name, if the file is at `version` where one is given. Who has it open
    /// keeps it.
    ///
    /// # Errors
    /// [`Refusal::NotFound`], [`Refusal::Version`]
    pub fn delete(&self, file: FileRef<'_>, version: Option<u64>) -> Result<(), Refusal> {
        let (mut table, name) = self.find_named(file, version)?;
        table.remove(name.as_ref());
        Ok(())
    }

    /// A file that has a name, at `version` where one is given.
    fn find_named(
        &self,
        file: FileRef<'_>,
        version: Option<u64>,
    ) -> Result<(Locked<'_>, Name), Refusal> {
        let mut table = self.lock();
        let current = table.find(file, |entry, _| entry.version);
        let name = table.state.name_of(file).ok_or(Refusal::NotFound)?;
        match (current, version) {
            (Some(current), Some(version)) if current != version => Err(Refusal::Version(current)),
            _ => Ok((table, name)),
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
            watches: state.watchers.waiting(),
            version: state.version,
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
        Locked { state, clock: &self.clock, moment: None, removed: Vec::new(), replaced: None }
    }

    /// Lets go of the lock until others had time to come in. The mutex is not fair: who locks it
    /// again at once has it before one who was woken for it.
    pub(super) fn let_others<'a>(&'a self, table: Locked<'a>) -> Locked<'a> {
        const PAUSE: Duration = Duration::from_micros(10); // the system makes it 60
        drop(table);
        std::thread::sleep(PAUSE);
        self.lock()
    }
}

/// No user code runs under the table's lock: a panic there is a bug that left the table half
/// changed, and wrong answers are worse than none.
fn lost<T>() -> T {
    log::error!("a thread panicked while it changed the table; the table is lost");
    std::process::abort()
}
