//! What is under the table's lock: the entries, and what follows from a change to one.

use super::clock::Clock;
use super::deadlines::Deadlines;
use super::table::Stat;
use crate::contents::{Budget, Charge, Contents};
use crate::exptime::Exptime;
use crate::name::{Name, NameRef};
use crate::refusal::Refusal;
use std::collections::HashMap;
use std::sync::{Arc, MutexGuard};
use std::thread::Thread;
use std::time::Duration;

/// What an entry counts in the memory budget beside its name and contents, in bytes.
pub(super) const ENTRY_BYTES: u64 = 100;

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) files: HashMap<Name, Entry>,
    pub(super) deadlines: Deadlines,
    /// The version that the latest change took.
    pub(super) version: u64,
    /// The contents of all files, in bytes.
    pub(super) bytes: u64,
    pub(super) sweeper: Option<Sweeper>,
    pub(super) closed: bool,
}

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) version: u64,
    pub(super) contents: Contents,
    deadline: Option<Duration>,
    /// For the name and the entry itself; the contents bring their own.
    charge: Charge,
}

#[derive(Debug)]
pub(super) struct Sweeper {
    pub(super) thread: Thread,
    /// When it will wake by itself.
    pub(super) wakes: Option<Duration>,
}

/// The table's lock, and what was taken out of it: fields drop in the order in which they stand,
/// so the lock is let go before a large value is freed.
pub(super) struct Locked<'a> {
    pub(super) state: MutexGuard<'a, State>,
    pub(super) removed: Option<Entry>,
}

impl Locked<'_> {
    /// Looks at the file if it is there and has not expired. One that has is removed first: a
    /// change of its own.
    pub(super) fn find<T>(
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
    pub(super) fn version_of(&mut self, name: NameRef<'_>, clock: &Clock) -> u64 {
        self.find(name, clock, |entry, _| entry.version).unwrap_or(0)
    }

    /// Puts the contents under the name; `current` is its version now.
    pub(super) fn put(
        &mut self,
        name: NameRef<'_>,
        current: u64,
        contents: Contents,
        deadline: Option<Duration>,
        budget: &Arc<Budget>,
    ) -> Result<u64, Refusal> {
        let mut charge = Charge::none(budget);
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
    pub(super) fn remove(&mut self, name: NameRef<'_>) -> Option<Entry> {
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
    pub(super) fn stat(&self, now: Duration) -> Stat {
        let exptime = match self.deadline {
            None => Exptime::Never,
            Some(deadline) => Exptime::remaining(deadline.saturating_sub(now)),
        };
        Stat { version: self.version, numbytes: self.contents.len() as u64, exptime }
    }
}
