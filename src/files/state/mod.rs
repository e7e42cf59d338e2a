//! The data behind the table's lock: the files, and the consequences of a change to one.
//! Does not depend on [`Table`](super::Table), and neither blocks nor calls a file type while that lock
//! is held. Without a store the thread of a request applies its change; with one, whoever commits it.

pub(in crate::files) mod asked;
pub(in crate::files) mod chain;
pub(in crate::files) mod changes;
pub(in crate::files) mod code;
pub(in crate::files) mod cost;
pub(in crate::files) mod expiry;
pub(in crate::files) mod files;
pub(in crate::files) mod gathering;
pub(in crate::files) mod journal;
pub(in crate::files) mod key;
mod pending;
pub(in crate::files) mod sessions;
pub(in crate::files) mod step;
pub(in crate::files) mod ticket;
pub(in crate::files) mod watchers;

use crate::budget::{Budget, Charge};
use crate::name::{Fd, FileRef, Name};
use chain::Done;
use changes::ChangeLog;
use expiry::{End, Ends};
use files::Files;
use files::entry::{Body, Entry};
use files::slab::Id;
use journal::Journal;
use sessions::Sessions;
use std::collections::HashSet;
use std::mem;
use std::sync::Arc;
use std::thread::Thread;
use std::time::Duration;
use step::Draft;
use ticket::Ticket;
use watchers::Watchers;

#[derive(Debug)]
pub(in crate::files) struct State {
    /// Every file: those with a name, and those that are open without one.
    pub(in crate::files) files: Files,
    /// Names whose file is being created or ended by its type. Opens and writes of them wait.
    pub(in crate::files) busy: HashSet<Name>,
    pub(in crate::files) ends: Ends,
    pub(in crate::files) changes: ChangeLog,
    pub(in crate::files) watchers: Watchers,
    /// The version of the latest visible change.
    pub(in crate::files) version: u64,
    /// The version that the latest change took, visible or not.
    pub(in crate::files) taken: u64,
    /// Decided changes that are not on disk yet. `None` for a table in memory, where changes are
    /// visible at once.
    pub(in crate::files) journal: Option<Journal>,
    /// The total size of all MemoryFiles that have a name, in bytes.
    pub(in crate::files) bytes: u64,
    /// For the entries and their names. The contents have charges of their own.
    charge: Charge,
    pub(in crate::files) sessions: Sessions,
    pub(in crate::files) sweeper: Option<Sweeper>,
    pub(in crate::files) closed: bool,
    /// How many files ended because their time was over.
    pub(in crate::files) expired: u64,
}

#[derive(Debug)]
pub(in crate::files) struct Sweeper {
    pub(in crate::files) thread: Thread,
    /// When it wakes on its own.
    pub(in crate::files) wakes: Option<Duration>,
}

/// Returns the memory that an entry and its name take. Its contents have a charge of their own.
pub(in crate::files) fn cost_of(entry: &Entry) -> u64 {
    entry.cost() + entry.name.as_ref().map_or(0, name_cost)
}

/// What a file's name takes: its places in the index, among the ordered names and in the change log,
/// and its allocation, if it has one.
fn name_cost(name: &Name) -> u64 {
    files::NAMED_COST + changes::LIVE_COST + cost::name(name.as_name_ref())
}

impl State {
    /// Creates an empty table.
    pub(in crate::files) fn new(watchers: Watchers, budget: &Arc<Budget>) -> Self {
        State {
            files: Files::new(budget),
            busy: HashSet::new(),
            ends: Ends::new(budget),
            changes: ChangeLog::new(budget),
            watchers,
            version: 0,
            taken: 0,
            journal: None,
            bytes: 0,
            charge: Charge::none(budget),
            sessions: Sessions::default(),
            sweeper: None,
            closed: false,
            expired: 0,
        }
    }

    /// Adds a file under its name, at the version of its entry. The memory that `charge` lacks is
    /// taken however little there is.
    pub(in crate::files) fn insert(&mut self, entry: Entry, charge: Charge) {
        let Some(name) = entry.name.clone() else { return };
        let (version, numbytes) = (entry.version, entry.body.numbytes());
        self.version = version;
        let id = self.add(entry, charge);
        self.changes.insert(&name, version, id);
        self.watchers.changed(&name, None, version, Some(numbytes));
    }

    /// Adds a file that is not in the log of changes, and that nobody waits for.
    pub(in crate::files) fn add(&mut self, entry: Entry, charge: Charge) -> Id {
        let (taken, end, bytes) = (charge.bytes(), entry.end(), entry.body.bytes());
        self.charge.absorb(charge);
        self.charge.change(taken, cost_of(&entry));
        self.bytes += bytes;
        if let Some(name) = &entry.name {
            self.sessions.changed(name, None, Some(bytes));
        }
        let id = self.files.insert(entry);
        self.move_end(id, None, end);
        id
    }

    /// Gives a file what was decided on it. Returns what is left of the replaced or removed file,
    /// to be dropped when the lock is released.
    pub(in crate::files) fn apply(&mut self, id: Id, done: Done) -> Option<Body> {
        match done {
            Done::Nothing => None,
            Done::Put(draft) => Some(self.change(id, draft)),
            Done::Touched(end) => {
                let version = self.files[id].version;
                let old = self.set_end(id, end);
                self.move_end(id, old.map(|old| (old, version)), end);
                None
            }
            Done::Removed(version) => self.remove(id, version),
        }
    }

    /// Moves a file to its next version. Of a file without a name, only clients that have it open
    /// are notified. Returns the previous body.
    fn change(&mut self, id: Id, Draft { version, body, end }: Draft) -> Body {
        self.version = version;
        let (bytes, numbytes) = (body.bytes(), body.numbytes());
        let entry = &mut self.files[id];
        let old_version = mem::replace(&mut entry.version, version);
        let replaced = mem::replace(&mut entry.body, body);
        let fd = entry.fd();
        let Some(name) = &entry.name else {
            fd.into_iter().for_each(|fd| self.watchers.file_changed(fd, version));
            return replaced;
        };
        self.bytes = self.bytes + bytes - replaced.bytes();
        self.sessions.changed(name, Some(replaced.bytes()), Some(bytes));
        self.changes.renew(old_version, version);
        self.watchers.changed(name, fd, version, Some(numbytes));
        let old_end = self.set_end(id, end);
        self.move_end(id, old_end.map(|old| (old, old_version)), end);
        replaced
    }

    /// Removes a file's name, and the file unless it is open. Returns the removed file's body.
    fn remove(&mut self, id: Id, version: u64) -> Option<Body> {
        let old_end = self.set_end(id, None);
        let old_version = self.files[id].version;
        self.move_end(id, old_end.map(|old| (old, old_version)), None);
        let name = self.files.unname(id)?;
        self.version = version;
        let bytes = self.files[id].body.bytes();
        self.bytes -= bytes;
        self.sessions.changed(&name, Some(bytes), None);
        self.charge.shrink(name_cost(&name));
        self.watchers.changed(&name, None, version, None);
        self.changes.remove(old_version, version, name);
        match self.files[id].fd() {
            Some(_) => None,
            None => Some(self.forget(id)),
        }
    }

    /// Records that a name got a file and lost it again.
    pub(in crate::files) fn pass(&mut self, name: Name, version: u64) {
        self.version = version;
        self.watchers.changed(&name, None, version, None);
        self.changes.pass(version, name);
    }

    /// Removes a file that has no name and is not open. Returns its body.
    fn forget(&mut self, id: Id) -> Body {
        let (entry, has_moved) = self.files.remove(id);
        self.charge.shrink(entry.cost());
        if has_moved {
            let moved = &self.files[id];
            if moved.name.is_some() {
                self.changes.set_id(moved.version, id);
            }
            if let Some(end) = moved.end() {
                self.ends.set_id(end, moved.version, id);
            }
        }
        entry.body
    }

    /// Opens a file that is not open.
    pub(in crate::files) fn open(&mut self, id: Id) -> Fd {
        let before = self.files[id].cost();
        let fd = self.files.open(id);
        self.charge.change(before, self.files[id].cost());
        fd
    }

    /// Closes a file that is no longer open. Returns its body, unless the file has a name.
    pub(in crate::files) fn close(&mut self, id: Id) -> Option<Body> {
        let before = self.files[id].cost();
        self.files[id].set_fd(None);
        self.charge.change(before, self.files[id].cost());
        match self.files[id].name {
            Some(_) => None,
            None => Some(self.forget(id)),
        }
    }

    /// Sets what will end a file. Returns what would have.
    fn set_end(&mut self, id: Id, end: Option<End>) -> Option<End> {
        let entry = &mut self.files[id];
        let before = entry.cost();
        let old = entry.set_end(end);
        self.charge.change(before, entry.cost());
        old
    }

    /// Updates the index of ends: replaces a file's old end and version by the new ones. Wakes the
    /// sweeper if it would sleep too long.
    fn move_end(&mut self, id: Id, old: Option<(End, u64)>, new: Option<End>) {
        let entry = &self.files[id];
        let Some(name) = &entry.name else { return };
        if let Some((end, version)) = old {
            self.ends.remove(end, version, name);
        }
        let Some(end) = new else { return };
        self.ends.insert(end, entry.version, id, name);
        if let (End::At(deadline), Some(sweeper)) = (end, &mut self.sweeper)
            && sweeper.wakes.is_none_or(|at| deadline < at)
        {
            sweeper.wakes = Some(deadline);
            sweeper.thread.unpark();
        }
    }

    /// Returns whether the file has decided changes that are not visible.
    pub(in crate::files) fn is_pending(&self, file: FileRef<'_>) -> bool {
        let Some(journal) = &self.journal else { return false };
        journal.has(self.files.referred(file))
    }

    /// Returns what to wait for before the file is judged by its visible state.
    pub(in crate::files) fn ticket(&mut self, file: FileRef<'_>) -> Option<Ticket> {
        let journal = self.journal.as_mut()?;
        journal.ticket(self.files.referred(file))
    }
}
