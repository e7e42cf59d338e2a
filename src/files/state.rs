//! What is under the table's lock: the entries, and what follows from a change to one.

use super::clock::Clock;
use super::code::Code;
use super::deadlines::Deadlines;
use super::descriptors::{Descriptors, Fd, Place};
use super::registry::MEMORY_FILE;
use super::table::Stat;
use crate::contents::{Budget, Charge, Contents};
use crate::exptime::Exptime;
use crate::name::{FileRef, Name, NameRef};
use crate::refusal::Refusal;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, MutexGuard};
use std::thread::Thread;
use std::time::Duration;

/// What an entry counts in the memory budget beside its name and contents, in bytes.
pub(super) const ENTRY_BYTES: u64 = 100;

#[derive(Debug, Default)]
pub(super) struct State {
    /// Every file that has a name.
    pub(super) files: HashMap<Name, Entry>,
    /// Every file that is open. One without a name is there itself.
    pub(super) descriptors: Descriptors,
    /// Names whose file a type is making or ending just now. Who wants to open or write one waits.
    pub(super) busy: HashSet<Name>,
    pub(super) deadlines: Deadlines,
    /// The version that the latest change took.
    pub(super) version: u64,
    /// The contents of all files in `files`, in bytes.
    pub(super) bytes: u64,
    pub(super) sweeper: Option<Sweeper>,
    pub(super) closed: bool,
}

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) version: u64,
    pub(super) body: Body,
    deadline: Option<Duration>,
    /// For the name and the entry itself; the contents bring their own.
    _charge: Charge,
    /// While it is open. A file of code always is.
    pub(super) fd: Option<Fd>,
}

#[derive(Clone, Debug)]
pub(super) enum Body {
    /// A MemoryFile.
    Bytes(Contents),
    /// A file of any other type, and the size that it last told.
    Code(Arc<Code>, u64),
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
    pub(super) replaced: Option<Body>,
}

impl Locked<'_> {
    /// Looks at the file if it is there. A name that has expired is removed first: a change of its
    /// own.
    pub(super) fn find<T>(
        &mut self,
        file: FileRef<'_>,
        clock: &Clock,
        look: impl FnOnce(&Entry, Duration) -> T,
    ) -> Option<T> {
        let entry = self.state.entry(file)?;
        let Some(deadline) = entry.deadline else { return Some(look(entry, Duration::ZERO)) };
        let now = clock.now();
        if now < deadline {
            return Some(look(entry, now));
        }
        let name = self.state.name_of(file)?;
        self.removed = self.state.remove(name.as_ref());
        // By a descriptor it is still there, and has no deadline any more.
        self.state.entry(file).map(|entry| look(entry, now))
    }

    /// Whether a type is making or ending the file of this name.
    pub(super) fn is_busy(&self, file: FileRef<'_>) -> bool {
        matches!(file, FileRef::Name(name) if self.state.busy.contains(name.as_str()))
    }
}

impl State {
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
        name: NameRef<'_>,
        body: Body,
        deadline: Option<Duration>,
        budget: &Arc<Budget>,
    ) -> Result<u64, Refusal> {
        let mut charge = Charge::none(budget);
        charge.grow(name.as_str().len() as u64 + ENTRY_BYTES)?;
        self.version += 1;
        self.bytes += body.bytes();
        let version = self.version;
        let entry = Entry { version, body, deadline: None, _charge: charge, fd: None };
        self.files.insert(name.to_name(), entry);
        self.expire(name, deadline);
        Ok(version)
    }

    /// Gives an existing file a new body and deadline, which is a change; returns its version and
    /// the body that it had. A file without a name has no deadline.
    pub(super) fn change(
        &mut self,
        file: FileRef<'_>,
        body: Body,
        deadline: Option<Duration>,
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
        if let Some(name) = name {
            self.expire(name, None);
        }
        let (new, Some(entry)) = (body.bytes(), self.entry_mut(file)) else {
            return (version, None);
        };
        entry.version = version;
        let replaced = std::mem::replace(&mut entry.body, body);
        if let Some(name) = name {
            self.bytes = self.bytes + new - replaced.bytes();
            self.expire(name, deadline);
        }
        (version, Some(replaced))
    }

    /// Gives a file that was changed from elsewhere a new version; its deadline stays.
    pub(super) fn renew(&mut self, file: FileRef<'_>) -> Option<u64> {
        let entry = self.entry(file)?;
        let (body, deadline) = (entry.body.clone(), entry.deadline);
        Some(self.change(file, body, deadline).0)
    }

    /// Removes an existing name, which is a change. The entry comes out to be dropped, or stays
    /// with its descriptor.
    pub(super) fn remove(&mut self, name: NameRef<'_>) -> Option<Entry> {
        self.expire(name, None);
        let removed = self.files.remove(name.as_str())?;
        self.version += 1;
        self.bytes -= removed.body.bytes();
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

    /// Replaces the deadline of a file that has a name, and wakes the sweeper if it would sleep
    /// too long.
    fn expire(&mut self, name: NameRef<'_>, deadline: Option<Duration>) {
        if deadline.is_none() && self.deadlines.is_empty() {
            return; // the usual case, spared a look
        }
        let Some((name, _)) = self.files.get_key_value(name.as_str()) else { return };
        let name = name.clone();
        let Some(entry) = self.files.get_mut(&name) else { return };
        let (version, old) = (entry.version, std::mem::replace(&mut entry.deadline, deadline));
        if let Some(old) = old {
            self.deadlines.remove(old, version);
        }
        let Some(deadline) = deadline else { return };
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
    /// The type's name.
    pub(super) fn kind(&self) -> &'static str {
        match &self.body {
            Body::Bytes(_) => MEMORY_FILE,
            Body::Code(code, _) => code.kind(),
        }
    }

    pub(super) fn stat(&self, now: Duration) -> Stat {
        let exptime = match self.deadline {
            None => Exptime::Never,
            Some(deadline) => Exptime::remaining(deadline.saturating_sub(now)),
        };
        let numbytes = match &self.body {
            Body::Bytes(contents) => contents.len() as u64,
            Body::Code(_, numbytes) => *numbytes,
        };
        Stat { version: self.version, numbytes, exptime }
    }
}

impl Body {
    /// What it holds in the table's memory.
    fn bytes(&self) -> u64 {
        match self {
            Body::Bytes(contents) => contents.len() as u64,
            Body::Code(..) => 0,
        }
    }
}
