//! The table: every file by its name, under one lock.

use super::clock::Clock;
use super::deadlines::Deadlines;
use crate::contents::{Budget, Charge, Contents};
use crate::exptime::Exptime;
use crate::name::{Name, NameRef};
use crate::refusal::Refusal;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::Thread;
use std::time::Duration;

/// The type of a file that `write` or `cas` makes.
pub const MEMORY_FILE: &str = "MemoryFile";

/// The types that a file can have.
pub(crate) const KINDS: [&str; 1] = [MEMORY_FILE];

/// What an entry counts in the memory budget beside its name and contents, in bytes.
const ENTRY_BYTES: u64 = 100;

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

#[derive(Debug, Default)]
struct State {
    files: HashMap<Name, Entry>,
    deadlines: Deadlines,
    /// The version that the latest change took.
    version: u64,
    /// The contents of all files, in bytes.
    bytes: u64,
    sweeper: Option<Sweeper>,
    closed: bool,
}

#[derive(Debug)]
struct Entry {
    version: u64,
    contents: Contents,
    deadline: Option<Duration>,
    /// For the name and the entry itself; the contents bring their own.
    charge: Charge,
}

#[derive(Debug)]
struct Sweeper {
    thread: Thread,
    /// When it will wake by itself.
    wakes: Option<Duration>,
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

/// The table's lock, and what was taken out of it: fields drop in the order in which they stand,
/// so the lock is let go before a large value is freed.
struct Locked<'a> {
    state: MutexGuard<'a, State>,
    removed: Option<Entry>,
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
        table.put(self, name, current, contents, exptime)
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
            current if current == version => table.put(self, name, current, contents, exptime),
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

    fn lock(&self) -> Locked<'_> {
        let state = self.state.lock().unwrap_or_else(|_| {
            // No user code runs under this lock: a panic there is a bug that left the table half
            // changed, and wrong answers are worse than none.
            log::error!("a thread panicked while it changed the table; the table is lost");
            std::process::abort()
        });
        Locked { state, removed: None }
    }
}

impl Locked<'_> {
    /// Looks at the file if it is there and has not expired. One that has is removed first: a
    /// change of its own.
    fn find<T>(
        &mut self,
        name: NameRef<'_>,
        clock: &Clock,
        look: impl FnOnce(&Entry, Duration) -> T,
    ) -> Option<T> {
        let entry = self.state.files.get(name.as_str())?;
        let Some(deadline) = entry.deadline else { return Some(look(entry, Duration::ZERO)) };
        let now = clock.now();
        if now < deadline {
            return Some(look(entry, now));
        }
        self.removed = self.state.remove(name);
        None
    }

    /// The version that the file is at, 0 if there is none.
    fn version_of(&mut self, name: NameRef<'_>, clock: &Clock) -> u64 {
        self.find(name, clock, |entry, _| entry.version).unwrap_or(0)
    }

    /// Puts the contents under the name; `current` is its version now.
    fn put(
        &mut self,
        table: &Table,
        name: NameRef<'_>,
        current: u64,
        contents: Contents,
        exptime: Exptime,
    ) -> Result<u64, Refusal> {
        let deadline = match exptime {
            Exptime::Never => None,
            Exptime::Seconds(n) => Some(table.clock.now() + Duration::from_secs(n)),
        };
        let mut charge = Charge::none(&table.budget);
        if current == 0 {
            charge.grow(name.as_str().len() as u64 + ENTRY_BYTES)?;
        }
        let state = &mut *self.state;
        state.version += 1;
        state.bytes += contents.len() as u64;
        let version = state.version;
        let mut entry = Entry { version, contents, deadline, charge };
        if let Some(existing) = state.files.get_mut(name.as_str()) {
            entry.charge = std::mem::take(&mut existing.charge);
            let replaced = std::mem::replace(existing, entry);
            state.forget(&replaced);
            self.removed = Some(replaced);
        } else {
            state.files.insert(name.to_name(), entry);
        }
        if let Some(deadline) = deadline {
            state.expect(deadline, version, name.to_name());
        }
        Ok(version)
    }
}

impl State {
    /// Takes an existing file out, which is a change, and gives it back to be dropped.
    fn remove(&mut self, name: NameRef<'_>) -> Option<Entry> {
        let removed = self.files.remove(name.as_str())?;
        self.version += 1;
        self.forget(&removed);
        // A hash map keeps its room for ever; four times what is needed is enough.
        if self.files.capacity() > 1024 && self.files.len() < self.files.capacity() / 8 {
            self.files.shrink_to(self.files.len() * 2);
        }
        Some(removed)
    }

    /// Drops what was noted about an entry that is replaced or removed.
    fn forget(&mut self, entry: &Entry) {
        self.bytes -= entry.contents.len() as u64;
        if let Some(deadline) = entry.deadline {
            self.deadlines.remove(deadline, entry.version);
        }
    }

    /// Notes a deadline, and wakes the sweeper if it would sleep too long.
    fn expect(&mut self, deadline: Duration, version: u64, name: Name) {
        self.deadlines.insert(deadline, version, name);
        if let Some(sweeper) = &mut self.sweeper
            && sweeper.wakes.is_none_or(|at| deadline < at)
        {
            sweeper.wakes = Some(deadline);
            sweeper.thread.unpark();
        }
    }
}

impl Entry {
    fn stat(&self, now: Duration) -> Stat {
        let exptime = match self.deadline {
            None => Exptime::Never,
            Some(deadline) => Exptime::remaining(deadline.saturating_sub(now)),
        };
        Stat { version: self.version, numbytes: self.contents.len() as u64, exptime }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::refusal::Limit;

    struct Fixture {
        table: Table,
        clock: Clock,
        budget: Arc<Budget>,
    }

    fn fixture() -> Fixture {
        let (clock, budget) = (Clock::manual(), Budget::new(1 << 20));
        Fixture { table: Table::new(clock.clone(), budget.clone(), 1), clock, budget }
    }

    const SECOND: Duration = Duration::from_secs(1);

    fn name(text: &str) -> NameRef<'_> {
        NameRef::new(text).unwrap()
    }

    impl Fixture {
        fn write(&self, file: &str, seconds: u64) -> u64 {
            let contents = Contents::from(file.as_bytes());
            self.table.write(name(file), contents, Exptime::from_field(seconds)).unwrap()
        }

        fn cas(&self, file: &str, version: u64, seconds: u64) -> Result<u64, Refusal> {
            let contents = Contents::from(file.as_bytes());
            self.table.cas(name(file), version, contents, Exptime::from_field(seconds))
        }

        /// Version and remaining seconds.
        fn stat(&self, file: &str) -> Option<(u64, u64)> {
            self.table.stat(name(file)).ok().map(|s| (s.version, s.exptime.to_field()))
        }
    }

    #[test]
    fn a_version_never_repeats() {
        let f = fixture();
        assert_eq!([f.write("a", 0), f.write("b", 0), f.write("a", 0)], [1, 2, 3]);
        assert_eq!(f.table.delete(name("a"), None), Ok(()));
        assert_eq!(f.write("a", 0), 5);
        assert_eq!(f.cas("a", 3, 0), Err(Refusal::Version(5)));
        assert_eq!(f.table.totals(), Totals { files: 2, bytes: 2, version: 5 });
    }

    #[test]
    fn a_refusal_changes_nothing() {
        let f = fixture();
        assert_eq!(f.cas("a", 1, 0), Err(Refusal::Version(0)));
        assert_eq!(f.cas("a", 0, 10), Ok(1));
        f.clock.advance(4 * SECOND);
        assert_eq!(f.cas("a", 0, 100), Err(Refusal::Version(1)));
        assert_eq!(f.table.delete(name("a"), Some(7)), Err(Refusal::Version(1)));
        assert_eq!(f.table.delete(name("b"), Some(0)), Err(Refusal::NotFound));
        assert_eq!(f.stat("a"), Some((1, 6)));
        assert_eq!(f.table.totals().version, 1);
    }

    #[test]
    fn a_write_replaces_the_deadline() {
        let f = fixture();
        f.write("a", 2);
        f.clock.advance(SECOND);
        assert_eq!(f.write("a", 5), 2);
        f.clock.advance(4 * SECOND);
        assert_eq!(f.stat("a"), Some((2, 1)));
        f.write("a", 0);
        f.clock.advance(100 * SECOND);
        assert_eq!(f.stat("a"), Some((3, 0)));
    }

    #[test]
    fn a_file_made_again_is_not_removed_by_the_old_deadline() {
        let f = fixture();
        f.write("a", 2);
        f.table.delete(name("a"), None).unwrap();
        f.write("a", 0);
        f.clock.advance(3 * SECOND);
        assert_eq!(f.stat("a"), Some((3, 0)));
    }

    #[test]
    fn expiry_is_a_change_of_its_own_and_happens_once() {
        let f = fixture();
        f.write("a", 2);
        f.clock.advance(2 * SECOND);
        assert_eq!(f.stat("a"), None);
        assert_eq!(f.stat("a"), None);
        assert_eq!(f.table.totals().version, 2);
        f.write("a", 1);
        f.clock.advance(SECOND);
        assert_eq!(f.cas("a", 3, 0), Err(Refusal::Version(0)));
        assert_eq!(f.table.totals().version, 4);
        assert_eq!(f.cas("a", 0, 1), Ok(5));
        f.clock.advance(SECOND);
        assert_eq!(f.write("a", 0), 7);
    }

    #[test]
    fn a_million_renewals_of_one_lease_take_no_memory() {
        let f = fixture();
        f.write("lease", 30);
        let used = f.budget.used();
        for _ in 0..1_000_000 {
            f.clock.advance(Duration::from_micros(1));
            f.write("lease", 30);
        }
        assert_eq!(f.budget.used(), used);
        let mut state = f.table.lock().state;
        let (at, _) = state.deadlines.next().unwrap();
        state.deadlines.remove(at, 1_000_001);
        assert_eq!(state.deadlines.next(), None, "one deadline is kept");
    }

    #[test]
    fn the_sweeper_gives_memory_back_while_nobody_asks() {
        let f = fixture();
        std::thread::scope(|scope| {
            scope.spawn(|| f.table.sweep());
            for i in 0..1000 {
                f.write(&format!("f{i}"), 1 + i % 3);
            }
            f.write("stays", 0);
            f.clock.advance(3 * SECOND);
            while f.table.totals().files > 1 {
                std::thread::yield_now();
            }
            f.table.close();
        });
        assert_eq!(f.table.totals(), Totals { files: 1, bytes: 5, version: 2001 });
        assert_eq!(f.budget.used(), 5 + ENTRY_BYTES); // the test's contents count in no budget
        assert!(f.table.lock().state.files.capacity() <= 1024);
    }

    #[test]
    fn without_room_for_an_entry_nothing_is_made() {
        let table = Table::new(Clock::manual(), Budget::new(150), 1);
        let empty = || Contents::from(b"".as_slice());
        assert_eq!(table.write(name("a"), empty(), Exptime::Never), Ok(1));
        let refusal = Err(Refusal::Limit(Limit::Memory, 150));
        assert_eq!(table.write(name("b"), empty(), Exptime::Never), refusal);
        assert_eq!(table.write(name("a"), empty(), Exptime::Never), Ok(2));
        table.delete(name("a"), None).unwrap();
        assert_eq!(table.write(name("b"), empty(), Exptime::Never), Ok(4));
    }

    #[test]
    fn of_many_that_cas_at_once_one_wins_each_version() {
        let f = fixture();
        f.write("a", 0);
        let won: u64 = std::thread::scope(|scope| {
            let racer = || {
                let tries = (0..1000).filter(|_| {
                    let (version, _) = f.stat("a").unwrap();
                    f.cas("a", version, 0).is_ok()
                });
                tries.count() as u64
            };
            let racers: Vec<_> = (0..8).map(|_| scope.spawn(racer)).collect();
            racers.into_iter().map(|r| r.join().unwrap()).sum()
        });
        assert_eq!(f.stat("a"), Some((1 + won, 0)));
        assert!(won >= 1000);
    }
}
