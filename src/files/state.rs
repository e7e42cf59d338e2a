//! What is under the table's lock: the entries, and what follows from a change to one.

use super::changes::ChangeLog;
use super::clock::Clock;
use super::descriptors::{Descriptors, Place};
use super::entry::{Body, ENTRY_BYTES, Entry};
use super::expiry::{End, Ends, Expiry};
use super::watchers::Watchers;
use crate::contents::{Budget, Charge};
use crate::name::{FileRef, Name, NameRef};
use crate::refusal::Refusal;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, MutexGuard};
use std::thread::Thread;
use std::time::Duration;

#[derive(Debug)]
pub(super) struct State {
    /// Every file that has a name.
    pub(super) files: HashMap<Name, Entry>,
    /// The same names in byte order.
    pub(super) names: BTreeSet<Name>,
    /// Every file that is open. One without a name is there itself.
    pub(super) descriptors: Descriptors,
    /// Names whose file a type is making or ending just now. Who wants to open or write one waits.
    pub(super) busy: HashSet<Name>,
    pub(super) ends: Ends,
    pub(super) changes: ChangeLog,
    pub(super) watchers: Watchers,
    /// The version that the latest change took.
    pub(super) version: u64,
    /// The contents of all files in `files`, in bytes.
    pub(super) bytes: u64,
    pub(super) sweeper: Option<Sweeper>,
    pub(super) closed: bool,
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
    pub(super) clock: &'a Clock,
    /// The moment of this step, once it was asked for.
    pub(super) moment: Option<Duration>,
    pub(super) removed: Vec<Entry>,
    pub(super) replaced: Option<Body>,
}

impl Locked<'_> {
    /// Looks at the file if it is there. A name that has expired is removed first: a change of its
    /// own.
    pub(super) fn find<T>(
        &mut self,
        file: FileRef<'_>,
        look: impl FnOnce(&Entry, Duration) -> T,
    ) -> Option<T> {
        let entry = self.state.entry(file)?;
        let Some(End::At(deadline)) = entry.end else { return Some(look(entry, Duration::ZERO)) };
        // As in `now`; the entry is borrowed.
        let now = *self.moment.get_or_insert_with(|| self.clock.now());
        if now < deadline {
            return Some(look(entry, now));
        }
        let name = self.state.name_of(file)?;
        self.remove(name.as_ref());
        // By a descriptor it is still there, and has no deadline any more.
        self.state.entry(file).map(|entry| look(entry, now))
    }

    /// The time, which stands still as long as the lock is held: else a file could be found alive
    /// and be given a life that begins after its end.
    pub(super) fn now(&mut self) -> Duration {
        *self.moment.get_or_insert_with(|| self.clock.now())
    }

    /// What will end a file that is given this expiry now.
    pub(super) fn end(&mut self, expiry: Expiry) -> Option<End> {
        match expiry {
            Expiry::Never => None,
            Expiry::Seconds(n) => Some(End::At(self.now() + Duration::from_secs(n))),
            Expiry::With(client) => Some(End::With(client)),
        }
    }

    /// Removes an existing name, which is a change.
    pub(super) fn remove(&mut self, name: NameRef<'_>) {
        self.removed.extend(self.state.remove(name));
    }

    /// Whether a type is making or ending the file of this name.
    pub(super) fn is_busy(&self, file: FileRef<'_>) -> bool {
        matches!(file, FileRef::Name(name) if self.state.busy.contains(name.as_str()))
    }
}

impl State {
    /// An empty table.
    pub(super) fn new(watchers: Watchers) -> Self {
        State {
            files: HashMap::new(),
            names: BTreeSet::new(),
            descriptors: Descriptors::default(),
            busy: HashSet::new(),
            ends: Ends::default(),
            changes: ChangeLog::default(),
            watchers,
            version: 0,
            bytes: 0,
            sweeper: None,
            closed: false,
        }
    }

    pub(super) fn entry(&self, file: FileRef<'_>) -> Option<&Entry> {
        match file {
            FileRef::Name(name) => self.files.get(name.as_str()),
            FileRef::Descriptor(fd) => match &self.descriptors.get(fd)?.place {
                Place::Named(name) => self.files.get(name),
                Place::Unlinked(entry) => Some(entry),
            },
        }
    }

    pub(super) fn entry_mut(&mut self, file: FileRef<'_>) -> Option<&mut Entry> {
        match file {
            FileRef::Name(name) => self.files.get_mut(name.as_str()),
            FileRef::Descriptor(fd) => match &mut self.descriptors.get_mut(fd)?.place {
                Place::Named(name) => self.files.get_mut(name),
                Place::Unlinked(entry) => Some(entry),
            },
        }
    }

    /// The name of a file that has one.
    pub(super) fn name_of(&self, file: FileRef<'_>) -> Option<Name> {
        match file {
            FileRef::Name(name) => self.files.get_key_value(name.as_str()).map(|(n, _)| n.clone()),
            FileRef::Descriptor(fd) => match &self.descriptors.get(fd)?.place {
                Place::Named(name) => Some(name.clone()),
                Place::Unlinked(_) => None,
            },
        }
    }

    /// Makes an entry for a name that has none, which is a change; returns its version.
    pub(super) fn insert(
        &mut self,
        name: Name,
        body: Body,
        end: Option<End>,
        budget: &Arc<Budget>,
    ) -> Result<u64, Refusal> {
        let mut charge = Charge::none(budget);
        charge.grow(name.as_str().len() as u64 + ENTRY_BYTES)?;
        self.version += 1;
        self.bytes += body.bytes();
        let version = self.version;
        let entry = Entry { version, body, end, _charge: charge, fd: None };
        self.files.insert(name.clone(), entry);
        self.names.insert(name.clone());
        self.changes.insert(name.clone(), version);
        self.watchers.changed(name.as_ref(), version);
        self.move_end(name.as_ref(), None, end.map(|end| (end, version)));
        Ok(version)
    }

    /// Gives an existing file a new body and end, which is a change; returns its version and the
    /// body that it had. For a file without a name the version is all that is taken.
    pub(super) fn change(
        &mut self,
        file: FileRef<'_>,
        body: Body,
        end: Option<End>,
    ) -> (u64, Option<Body>) {
        self.version += 1;
        let version = self.version;
        let found;
        let name = match file {
            FileRef::Name(name) => Some(name),
            FileRef::Descriptor(_) => {
                found = self.name_of(file);
                found.as_ref().map(Name::as_ref)
            }
        };
        let (new, Some(entry)) = (body.bytes(), self.entry_mut(file)) else {
            return (version, None);
        };
        let old_version = std::mem::replace(&mut entry.version, version);
        let replaced = std::mem::replace(&mut entry.body, body);
        if let Some(name) = name {
            let old_end = std::mem::replace(&mut entry.end, end);
            self.bytes = self.bytes + new - replaced.bytes();
            self.changes.renew(old_version, version);
            self.watchers.changed(name, version);
            let (old, new) = (old_end.map(|e| (e, old_version)), end.map(|e| (e, version)));
            self.move_end(name, old, new);
        }
        (version, Some(replaced))
    }

    /// Gives a file that was changed from elsewhere a new version; its end stays.
    pub(super) fn renew(&mut self, file: FileRef<'_>) -> Option<u64> {
        let entry = self.entry(file)?;
        let (body, end) = (entry.body.clone(), entry.end);
        Some(self.change(file, body, end).0)
    }

    /// Gives a file that has a name another end, which is no change.
    pub(super) fn touch(&mut self, name: NameRef<'_>, end: Option<End>) {
        let Some(entry) = self.files.get_mut(name.as_str()) else { return };
        let (version, old) = (entry.version, std::mem::replace(&mut entry.end, end));
        self.move_end(name, old.map(|e| (e, version)), end.map(|e| (e, version)));
    }

    /// Removes an existing name, which is a change. The entry comes out to be dropped, or stays
    /// with its descriptor.
    pub(super) fn remove(&mut self, name: NameRef<'_>) -> Option<Entry> {
        let mut removed = self.files.remove(name.as_str())?;
        self.version += 1;
        self.bytes -= removed.body.bytes();
        let end = removed.end.take().map(|end| (end, removed.version));
        self.move_end(name, end, None);
        self.names.remove(name.as_str());
        self.changes.remove(removed.version, self.version);
        self.watchers.changed(name, self.version);
        // A hash map keeps its room for ever; four times what is needed is enough.
        if self.files.capacity() > 1024 && self.files.len() < self.files.capacity() / 8 {
            self.files.shrink_to(self.files.len() * 2);
        }
        match removed.fd.and_then(|fd| self.descriptors.get_mut(fd)) {
            Some(open) => {
                open.place = Place::Unlinked(removed);
                None
            }
            None => Some(removed),
        }
    }

    /// Keeps the index of ends: a file of this name had one end at one version, and has another
    /// now. Wakes the sweeper if it would sleep too long.
    fn move_end(&mut self, name: NameRef<'_>, old: Option<(End, u64)>, new: Option<(End, u64)>) {
        if let Some((end, version)) = old {
            self.ends.remove(end, version, name);
        }
        let Some((end, version)) = new else { return };
        let Some((name, _)) = self.files.get_key_value(name.as_str()) else { return };
        self.ends.insert(end, version, name.clone());
        if let (End::At(deadline), Some(sweeper)) = (end, &mut self.sweeper)
            && sweeper.wakes.is_none_or(|at| deadline < at)
        {
            sweeper.wakes = Some(deadline);
            sweeper.thread.unpark();
        }
    }
}
