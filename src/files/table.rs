//! The table: every file by its name, under one lock.

use super::clock::Clock;
use super::entry::{Body, Entry};
use super::expiry::End;
use super::kept::Asked;
use super::locked::Locked;
use super::registry::Registry;
use super::state::State;
use super::store::Store;
use super::watchers::{News, Watchers};
use crate::budget::{Budget, Charge};
use crate::contents::Contents;
use crate::exptime::Exptime;
use crate::name::{FileRef, NameRef};
use crate::refusal::Refusal;
use crossbeam_channel::Receiver;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Looks at more than this many files or changes take turns.
pub(super) const SHORT: usize = 1024;

/// How long a look lets others have the lock. The system makes it 60.
pub(super) const PAUSE: Duration = Duration::from_micros(10);

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
/// assert_eq!(table.write(foo, Contents::from("abcdef"), Expiry::Never)?.seen()?, 1);
/// assert_eq!(table.cas(foo, 1, Contents::from("ghijklm"), Expiry::Never)?.seen()?, 2);
/// let late = table.cas(foo, 1, Contents::from("late"), Expiry::Never);
/// assert_eq!(late.unwrap_err(), Refusal::Version(2));
/// # Ok::<(), Refusal>(())
/// ```
#[derive(Debug)]
pub struct Table {
    pub(super) state: Mutex<State>,
    /// Held through a long look at files or changes, and taken before the lock of the state. A
    /// thousand of them at that lock would let nobody else in for seconds, for it is not fair.
    turn: Mutex<()>,
    /// A name is no longer busy.
    calm: Condvar,
    /// There is something to commit, or the table is closed.
    pub(super) staged: Condvar,
    /// Where the table is kept, if it is.
    pub(super) store: Option<Arc<dyn Store>>,
    /// Those whom a change has woken, for [`Table::notify`].
    pub(super) woken: Receiver<Arc<News>>,
    pub(super) registry: Registry,
    pub(super) clock: Clock,
    pub(super) budget: Arc<Budget>,
    pub(super) epoch: u64,
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

impl Stat {
    pub(super) fn new(version: u64, body: &Body, end: Option<End>, now: Duration) -> Self {
        let exptime = end.map_or(Exptime::Never, |end| end.exptime(now));
        Stat { version, numbytes: body.numbytes(), exptime }
    }
}

/// A file's contents, and what belongs to them.
#[derive(Clone, Debug)]
pub(crate) struct Looked {
    pub(crate) stat: Stat,
    pub(crate) contents: Contents,
}

/// What `stats` tells of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Totals {
    /// How many files there are.
    pub files: u64,
    /// The contents of all `MemoryFile`s, in bytes.
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
        let state = Mutex::new(State::new(Watchers::new(wake), &budget));
        let (calm, staged) = (Condvar::new(), Condvar::new());
        let turn = Mutex::default();
        Table { state, turn, calm, staged, store: None, woken, registry, clock, budget, epoch }
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
    /// [`Refusal::NotFound`], and those of the file's type. [`Refusal::Internal`] if the store
    /// cannot be read.
    pub fn read(&self, file: FileRef<'_>) -> Result<(Stat, Contents), Refusal> {
        loop {
            let (table, found) = self.look(file, |e, now| (e.stat(now), e.body.clone()));
            drop(table);
            match found.ok_or(Refusal::NotFound)? {
                (stat, Body::Bytes(contents)) => return Ok((stat, contents)),
                (stat, Body::Stored(numbytes)) => {
                    if let Some(contents) = self.stored_contents(stat.version, numbytes)? {
                        return Ok((stat, contents));
                    }
                    // They were replaced meanwhile, and that may not be seen yet.
                    let table = self.lock_settled(file);
                    let version = table.state.entry(file).map(|entry| entry.version);
                    if version == Some(stat.version) {
                        return Err(Refusal::Internal);
                    }
                }
                (_, Body::Code(code, _)) => {
                    if let Some(done) = self.read_code(file, &code) {
                        return done;
                    }
                    self.wait_ended(file);
                }
            }
        }
    }

    /// What the store takes on the disk, and what it may take, if there is one.
    pub fn stored(&self) -> Option<(u64, Option<u64>)> {
        self.store.as_ref().map(|store| store.size())
    }

    /// Contents that are in the store; `None` if they were replaced since.
    pub(super) fn stored_contents(
        &self,
        version: u64,
        numbytes: u64,
    ) -> Result<Option<Contents>, Refusal> {
        let Some(store) = &self.store else { return Ok(None) };
        let mut charge = Charge::none(&self.budget);
        let cost = usize::try_from(numbytes).map_or(u64::MAX, Contents::cost);
        charge.grow(cost)?;
        let contents = store.contents(version).map_err(|e| {
            log::error!("contents of version {version}: {e}");
            Refusal::Internal
        })?;
        Ok(contents.map(|contents| contents.with_charge(charge)))
    }

    /// What is known of a file without its contents: also its type, and how many opens it has.
    ///
    /// # Errors
    /// [`Refusal::NotFound`]
    pub fn stat(&self, file: FileRef<'_>) -> Result<(Stat, &'static str, u64), Refusal> {
        let (table, found) = self.look(file, |e, now| (e.stat(now), e.kind()));
        let (stat, kind) = found.ok_or(Refusal::NotFound)?;
        Ok((stat, kind, table.state.opens(file)))
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

    /// Waits until a file of code that is ending is gone.
    pub(super) fn wait_ended(&self, file: FileRef<'_>) {
        let table = self.lock_settled(file);
        if table.is_busy(file) {
            self.wait_calm(table);
        }
    }

    /// Nobody makes or ends the file of this name any more.
    pub(super) fn calm(&self, name: NameRef<'_>) {
        self.lock().state.busy.remove(name.as_str());
        self.calm.notify_all();
    }

    pub(super) fn lock(&self) -> Locked<'_> {
        Locked {
            state: self.state.lock().unwrap_or_else(|_| lost()),
            clock: &self.clock,
            budget: &self.budget,
            staged: &self.staged,
            moment: None,
            removed: Vec::new(),
            replaced: None,
        }
    }

    /// The lock, when nothing is decided on the file that is not seen yet.
    pub(super) fn lock_settled(&self, file: FileRef<'_>) -> Locked<'_> {
        self.settled(self.lock(), file)
    }

    fn settled<'a>(&'a self, mut table: Locked<'a>, file: FileRef<'_>) -> Locked<'a> {
        while let Some(ticket) = table.state.staged(file) {
            drop(table);
            let _ = ticket.wait(); // in either case it is decided
            table = self.lock();
        }
        table
    }

    /// Looks at a file, if it is there, to tell what it is. A name that has expired is removed
    /// first: a change of its own.
    pub(super) fn look<T>(
        &self,
        file: FileRef<'_>,
        look: impl FnOnce(&Entry, Duration) -> T,
    ) -> (Locked<'_>, Option<T>) {
        let mut table = self.lock();
        loop {
            let name = match table.find(file) {
                Ok(found) => {
                    let found = found.map(|(entry, now)| look(entry, now));
                    return (table, found);
                }
                Err(name) => name,
            };
            let staged = table.state.staged(FileRef::Name(name.as_ref()));
            let ticket = staged.unwrap_or_else(|| table.remove(&name, Asked::End));
            if !ticket.is_done() {
                drop(table);
                let removed = ticket.wait();
                table = self.lock();
                if removed.is_err() {
                    return (table, None); // it is over, though that cannot be written down
                }
            }
        }
    }

    /// Looks at a file, if it is there, to change it: nothing else is decided on it meanwhile.
    ///
    /// # Errors
    /// It has expired, and its end cannot be written down.
    pub(super) fn look_to_change<T>(
        &self,
        file: FileRef<'_>,
        look: impl FnOnce(&Entry, Duration) -> T,
    ) -> Result<(Locked<'_>, Option<T>), Refusal> {
        self.look_on_to_change(self.lock(), file, look)
    }

    /// The same for one who has the lock.
    pub(super) fn look_on_to_change<'a, T>(
        &'a self,
        table: Locked<'a>,
        file: FileRef<'_>,
        look: impl FnOnce(&Entry, Duration) -> T,
    ) -> Result<(Locked<'a>, Option<T>), Refusal> {
        let mut table = self.settled(table, file);
        loop {
            let name = match table.find(file) {
                Ok(found) => {
                    let found = found.map(|(entry, now)| look(entry, now));
                    return Ok((table, found));
                }
                Err(name) => name,
            };
            let ticket = table.remove(&name, Asked::End);
            if !ticket.is_done() {
                drop(table);
                ticket.wait()?;
                table = self.lock_settled(file);
            }
        }
    }

    /// Lets go of the lock until others had time to come in. The mutex is not fair: who locks it
    /// again at once has it before one who was woken for it.
    pub(super) fn let_others<'a>(&'a self, table: Locked<'a>) -> Locked<'a> {
        drop(table);
        std::thread::sleep(PAUSE);
        self.lock()
    }

    /// Waits until no other long look is at it.
    pub(super) fn take_turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// No user code runs under the table's lock: a panic there is a bug that left the table half
/// changed, and wrong answers are worse than none.
pub(super) fn lost<T>() -> T {
    log::error!("a thread panicked while it changed the table; the table is lost");
    std::process::abort()
}
