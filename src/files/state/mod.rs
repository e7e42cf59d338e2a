//! The data behind the table's lock: the entries, and the consequences of a change to one.
//! Does not depend on [`Table`](super::Table), never blocks, and never calls a file type.

pub(in crate::files) mod asked;
pub(in crate::files) mod chain;
pub(in crate::files) mod changes;
pub(in crate::files) mod code;
pub(in crate::files) mod cost;
pub(in crate::files) mod descriptors;
pub(in crate::files) mod entry;
pub(in crate::files) mod expiry;
pub(in crate::files) mod journal;
pub(in crate::files) mod step;
pub(in crate::files) mod ticket;
pub(in crate::files) mod watchers;

use crate::budget::Budget;
use crate::files::stat::Fd;
use crate::name::{FileRef, Name, NameRef};
use changes::ChangeLog;
use descriptors::{Descriptors, Place};
use entry::{Body, Entry};
use expiry::{End, Ends};
use journal::Journal;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::thread::Thread;
use std::time::Duration;
use ticket::Ticket;
use watchers::Watchers;

#[derive(Debug)]
pub(in crate::files) struct State {
    /// Every file that has a name.
    pub(in crate::files) files: HashMap<Name, Box<Entry>>,
    /// The same names in byte order.
    pub(in crate::files) names: BTreeSet<Name>,
    /// Every open file. Owns the entries of the files without a name.
    pub(in crate::files) descriptors: Descriptors,
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
    /// The total size of all MemoryFiles in `files`, in bytes.
    pub(in crate::files) bytes: u64,
    pub(in crate::files) sweeper: Option<Sweeper>,
    pub(in crate::files) closed: bool,
}

#[derive(Debug)]
pub(in crate::files) struct Sweeper {
    pub(in crate::files) thread: Thread,
    /// When it wakes on its own.
    pub(in crate::files) wakes: Option<Duration>,
}

impl State {
    /// Creates an empty table.
    pub(in crate::files) fn new(watchers: Watchers, budget: &Arc<Budget>) -> Self {
        State {
            files: HashMap::new(),
            names: BTreeSet::new(),
            descriptors: Descriptors::new(budget),
            busy: HashSet::new(),
            ends: Ends::new(budget),
            changes: ChangeLog::new(budget),
            watchers,
            version: 0,
            taken: 0,
            journal: None,
            bytes: 0,
            sweeper: None,
            closed: false,
        }
    }

    pub(in crate::files) fn entry(&self, file: FileRef<'_>) -> Option<&Entry> {
        match file {
            FileRef::Name(name) => self.files.get(name.as_str()).map(|entry| &**entry),
            FileRef::Descriptor(fd) => match &self.descriptors.get(fd)?.place {
                Place::Named(name) => self.files.get(name).map(|entry| &**entry),
                Place::Unlinked(entry) => Some(entry),
            },
        }
    }

    pub(in crate::files) fn entry_mut(&mut self, file: FileRef<'_>) -> Option<&mut Entry> {
        match file {
            FileRef::Name(name) => self.files.get_mut(name.as_str()).map(|entry| &mut **entry),
            FileRef::Descriptor(fd) => match &mut self.descriptors.get_mut(fd)?.place {
                Place::Named(name) => self.files.get_mut(name).map(|entry| &mut **entry),
                Place::Unlinked(entry) => Some(entry),
            },
        }
    }

    /// Returns the number of opens of a file.
    pub(in crate::files) fn opens(&self, file: FileRef<'_>) -> u64 {
        let fd = self.entry(file).and_then(|entry| entry.fd);
        fd.and_then(|fd| self.descriptors.get(fd)).map_or(0, |open| open.opens)
    }

    /// Returns the file's name, if it has one.
    pub(in crate::files) fn name_of(&self, file: FileRef<'_>) -> Option<Name> {
        match file {
            FileRef::Name(name) => self.files.get_key_value(name.as_str()).map(|(n, _)| n.clone()),
            FileRef::Descriptor(fd) => match &self.descriptors.get(fd)?.place {
                Place::Named(name) => Some(name.clone()),
                Place::Unlinked(_) => None,
            },
        }
    }

    /// Adds a file under a name, at the version of its entry.
    pub(in crate::files) fn insert(&mut self, name: Name, entry: Box<Entry>) {
        let (version, end, numbytes) = (entry.version, entry.end, entry.body.numbytes());
        self.version = version;
        self.bytes += entry.body.bytes();
        self.files.insert(name.clone(), entry);
        self.names.insert(name.clone());
        self.changes.insert(name.clone(), version);
        self.watchers.changed(name.as_ref(), None, version, Some(numbytes));
        self.move_end(name.as_ref(), None, end.map(|end| (end, version)));
    }

    /// Moves a named file to its next version. Returns the previous body.
    pub(in crate::files) fn change(
        &mut self,
        name: NameRef<'_>,
        version: u64,
        body: Body,
        end: Option<End>,
    ) -> Option<Body> {
        self.version = version;
        let (new, numbytes) = (body.bytes(), body.numbytes());
        let entry = self.files.get_mut(name.as_str())?;
        let fd = entry.fd;
        let old_version = std::mem::replace(&mut entry.version, version);
        let old_end = std::mem::replace(&mut entry.end, end);
        let replaced = std::mem::replace(&mut entry.body, body);
        self.bytes = self.bytes + new - replaced.bytes();
        self.changes.renew(old_version, version);
        self.watchers.changed(name, fd, version, Some(numbytes));
        let (old, new) = (old_end.map(|e| (e, old_version)), end.map(|e| (e, version)));
        self.move_end(name, old, new);
        Some(replaced)
    }

    /// Sets the body that a file keeps after it has lost its name.
    pub(in crate::files) fn keep_unnamed(&mut self, fd: Fd, body: Body) {
        if let Some(Place::Unlinked(entry)) =
            self.descriptors.get_mut(fd).map(|open| &mut open.place)
        {
            entry.body = body;
        }
    }

    /// Moves a file without a name to its next version. Only clients that have it open are
    /// notified. Returns the previous body.
    pub(in crate::files) fn change_unnamed(
        &mut self,
        fd: Fd,
        version: u64,
        body: Body,
    ) -> Option<Body> {
        self.version = version;
        match &mut self.descriptors.get_mut(fd)?.place {
            Place::Named(_) => None,
            Place::Unlinked(entry) => {
                entry.version = version;
                let replaced = std::mem::replace(&mut entry.body, body);
                self.watchers.file_changed(fd, version);
                Some(replaced)
            }
        }
    }

    /// Gives a named file another end. This is not a change.
    pub(in crate::files) fn touch(&mut self, name: NameRef<'_>, end: Option<End>) {
        let Some(entry) = self.files.get_mut(name.as_str()) else { return };
        let (version, old) = (entry.version, std::mem::replace(&mut entry.end, end));
        self.move_end(name, old.map(|e| (e, version)), end.map(|e| (e, version)));
    }

    /// Removes a name's file. Returns the entry to be dropped, unless its descriptor keeps it.
    pub(in crate::files) fn remove(
        &mut self,
        name: NameRef<'_>,
        version: u64,
    ) -> Option<Box<Entry>> {
        let mut removed = self.files.remove(name.as_str())?;
        self.version = version;
        self.bytes -= removed.body.bytes();
        let end = removed.end.take().map(|end| (end, removed.version));
        self.move_end(name, end, None);
        self.names.remove(name.as_str());
        self.changes.remove(removed.version, version);
        self.watchers.changed(name, None, version, None);
        removed.charge.shrink(cost::NAMED + cost::name(name));
        // A hash map never shrinks by itself; four times the needed capacity is enough.
        if self.files.capacity() > 1024 && self.files.len() < self.files.capacity() / 4 {
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

    /// Records that a name got a file and lost it again.
    pub(in crate::files) fn pass(&mut self, name: Name, version: u64) {
        self.version = version;
        self.watchers.changed(name.as_ref(), None, version, None);
        self.changes.insert(name, version);
        self.changes.remove(version, version);
    }

    /// Updates the index of ends: replaces a file's old end and version by the new ones. Wakes the
    /// sweeper if it would sleep too long.
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

    /// Returns whether the file has decided changes that are not visible.
    pub(in crate::files) fn is_staged(&self, file: FileRef<'_>) -> bool {
        let Some(journal) = &self.journal else { return false };
        match (file, self.name_of(file)) {
            (FileRef::Name(name), _) => journal.has(name.as_str()),
            (_, Some(name)) => journal.has(name.as_str()),
            (FileRef::Descriptor(fd), None) => journal.staged_unnamed(fd).is_some(),
        }
    }

    /// Returns what to wait for before the file can be judged by its visible state.
    pub(in crate::files) fn staged(&mut self, file: FileRef<'_>) -> Option<Ticket> {
        self.journal.as_ref()?;
        match file {
            FileRef::Name(name) => self.journal.as_mut()?.staged(name.as_str()),
            FileRef::Descriptor(fd) => match self.name_of(file) {
                Some(name) => self.journal.as_mut()?.staged(name.as_str()),
                None => self.journal.as_ref()?.staged_unnamed(fd),
            },
        }
    }
}
