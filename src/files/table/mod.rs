//! The table: every file by its name, under one lock. Each module serves one kind of request from a
//! client or one of our threads.

mod busy;
pub(in crate::files) mod close;
mod code;
mod commit;
mod fit;
pub(in crate::files) mod list;
pub(super) mod load;
mod lock;
mod locked;
pub(in crate::files) mod open;
mod read;
mod show;
mod sweep;
mod turn;
pub(in crate::files) mod wait;
pub(in crate::files) mod watch;
pub(in crate::files) mod write;

use crate::budget::Budget;
use crate::files::clock::Clock;
use crate::files::commits::Commits;
use crate::files::registry::Registry;
use crate::files::stat::Totals;
use crate::files::state::State;
use crate::files::state::asked::Asked;
use crate::files::state::files::entry::Entry;
use crate::files::state::files::slab::Id;
use crate::files::state::watchers::{News, Watchers};
use crate::files::store::Store;
use crate::name::{FileRef, NameRef};
use crate::refusal::Refusal;
use crossbeam_channel::Receiver;
use lock::Lock;
pub(in crate::files) use lock::lost;
use locked::Locked;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Scans of more than this many files or changes take turns.
pub(in crate::files) const SHORT: usize = 1024;

/// How long a scan leaves the lock to others. The system makes it 60 µs.
pub(in crate::files) const PAUSE: Duration = Duration::from_micros(10);

/// All files. Every thread shares it; each call is one step that others see whole or not at all.
///
/// A file is identified by its name or by its descriptor. The caller checks whether a client may
/// use the descriptor.
#[derive(Debug)]
pub(crate) struct Table {
    state: Lock,
    /// Held during a long scan of files or changes, and taken before the lock of the state. That
    /// lock is not fair: a thousand scans waiting for it would keep everybody else out for seconds.
    turn: Mutex<()>,
    /// Signals that a name is no longer busy.
    calm: Condvar,
    /// Signals that the committer should commit what waits, or that the journal is ending.
    pub(in crate::files) to_commit: Arc<Condvar>,
    /// The store that keeps the table, if any.
    pub(in crate::files) store: Option<Arc<dyn Store>>,
    /// A commit has failed. What is on the disk is unknown.
    pub(in crate::files) is_lost: AtomicBool,
    commits: Commits,
    /// The watchers that a change has woken, for [`Table::notify`].
    pub(in crate::files) woken: Receiver<Arc<News>>,
    pub(in crate::files) registry: Registry,
    pub(in crate::files) clock: Clock,
    pub(in crate::files) budget: Arc<Budget>,
    pub(in crate::files) epoch: u64,
}

impl Table {
    /// Makes an empty table. Its next version is 1. `epoch` distinguishes it from every other
    /// table, because versions of two tables cannot be compared.
    pub(crate) fn new(registry: Registry, clock: Clock, budget: Arc<Budget>, epoch: u64) -> Self {
        let (wake, woken) = crossbeam_channel::unbounded();
        let state = Lock::new(State::new(Watchers::new(wake), &budget));
        let (calm, to_commit) = (Condvar::new(), Arc::default());
        let turn = Mutex::default();
        let (store, is_lost) = (None, AtomicBool::new(false));
        Table {
            state,
            turn,
            calm,
            to_commit,
            store,
            is_lost,
            commits: Commits::default(),
            woken,
            registry,
            clock,
            budget,
            epoch,
        }
    }

    /// Returns the number that identifies this table.
    pub(crate) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Returns the names of the types that the table knows.
    pub(crate) fn types(&self) -> impl Iterator<Item = &'static str> {
        self.registry.names()
    }

    /// Returns the totals of the table.
    pub(crate) fn totals(&self) -> Totals {
        let state = self.lock().state;
        Totals {
            files: state.files.named() as u64,
            bytes: state.bytes,
            sessions: state.sessions.count,
            session_bytes: state.sessions.bytes,
            descriptors: state.files.descriptors.files() as u64,
            opens: state.files.descriptors.opens(),
            watches: state.watchers.waiting(),
            woken: state.watchers.woken(),
            expired: state.expired,
            version: state.version,
        }
    }

    /// Returns what commits have cost; nothing for a table in memory, which has none.
    pub(crate) fn commits(&self) -> Option<&Commits> {
        self.store.as_ref().map(|_| &self.commits)
    }

    /// Releases the lock and blocks until some name is no longer busy.
    pub(in crate::files) fn wait_calm(&self, table: Locked<'_>) {
        drop(self.calm.wait(table.state).unwrap_or_else(|_| lost()));
    }

    /// Blocks until a code file that is ending has ended.
    pub(in crate::files) fn wait_ended(&self, file: FileRef<'_>) {
        let table = self.lock_visible(file);
        if table.is_busy(file) {
            self.wait_calm(table);
        }
    }

    /// Marks the name as no longer busy: nobody makes or ends its file any more.
    pub(in crate::files) fn calm(&self, name: NameRef<'_>) {
        self.lock().state.busy.remove(name.as_str());
        self.calm.notify_all();
    }

    pub(in crate::files) fn lock(&self) -> Locked<'_> {
        Locked::new(self.state.take(), &self.clock, &self.budget)
    }

    /// Takes the lock once every decided change of the file is visible or refused.
    pub(in crate::files) fn lock_visible(&self, file: FileRef<'_>) -> Locked<'_> {
        self.when_visible(self.lock(), file)
    }

    fn when_visible<'a>(&'a self, mut table: Locked<'a>, file: FileRef<'_>) -> Locked<'a> {
        while let Some(ticket) = table.state.ticket(file) {
            drop(table);
            let _ = ticket.wait(); // visible or refused: either will do
            table = self.lock();
        }
        table
    }

    /// Looks at a file, if it exists, to report on it. Removes an expired name first, as a change
    /// of its own.
    pub(in crate::files) fn look<T>(
        &self,
        file: FileRef<'_>,
        look: impl FnOnce(&Entry, Duration) -> T,
    ) -> (Locked<'_>, Option<T>) {
        let mut table = self.lock();
        loop {
            let expired = match table.find(file) {
                Ok(found) => {
                    let found = found.map(|(_, entry, now)| look(entry, now));
                    return (table, found);
                }
                Err(id) => id,
            };
            let pending = table.state.ticket(file);
            let ticket = pending.unwrap_or_else(|| table.remove(expired, Asked::End));
            if !ticket.is_done() {
                drop(table);
                let removed = ticket.wait();
                table = self.lock();
                if removed.is_err() {
                    return (table, None); // it has expired, though that cannot be written down
                }
            }
        }
    }

    /// Looks at a file, if it exists, to change it. Nothing else is decided on it meanwhile. Returns
    /// the file's id, which is good while the table stays locked and unchanged.
    ///
    /// # Errors
    /// The file has expired, and its end cannot be written down.
    pub(in crate::files) fn look_to_change<T>(
        &self,
        file: FileRef<'_>,
        look: impl FnOnce(&Entry) -> T,
    ) -> Result<(Locked<'_>, Option<(Id, T)>), Refusal> {
        self.look_on_to_change(self.lock(), file, look)
    }

    /// Does the same for a caller that holds the lock.
    pub(in crate::files) fn look_on_to_change<'a, T>(
        &'a self,
        table: Locked<'a>,
        file: FileRef<'_>,
        look: impl FnOnce(&Entry) -> T,
    ) -> Result<(Locked<'a>, Option<(Id, T)>), Refusal> {
        let mut table = self.when_visible(table, file);
        loop {
            let expired = match table.find(file) {
                Ok(found) => {
                    let found = found.map(|(id, entry, _)| (id, look(entry)));
                    return Ok((table, found));
                }
                Err(id) => id,
            };
            let ticket = table.remove(expired, Asked::End);
            if !ticket.is_done() {
                drop(table);
                ticket.wait()?;
                table = self.lock_visible(file);
            }
        }
    }

    /// Releases the lock for long enough that others can take it. The mutex is not fair: a thread
    /// that locks it again at once gets it before one that was woken for it.
    pub(in crate::files) fn let_others<'a>(&'a self, table: Locked<'a>) -> Locked<'a> {
        drop(table);
        std::thread::sleep(PAUSE);
        self.lock()
    }

    /// Blocks until no other long scan is running.
    pub(in crate::files) fn take_turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
