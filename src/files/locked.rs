//! A step of the table: its lock, a moment at which the time stands still, and the changes that are
//! decided meanwhile.

use super::clock::Clock;
use super::cost;
use super::entry::{Body, Entry};
use super::expiry::{End, Expiry};
use super::kept::{Journal, Step, Ticket};
use super::state::State;
use crate::budget::{Budget, Charge};
use crate::name::{FileRef, Name, NameRef};
use crate::refusal::Refusal;
use std::sync::{Arc, Condvar, MutexGuard};
use std::time::Duration;

/// The table's lock, and what was taken out of it: fields drop in the order in which they stand,
/// so the lock is let go before a large value is freed.
pub(super) struct Locked<'a> {
    pub(super) state: MutexGuard<'a, State>,
    pub(super) clock: &'a Clock,
    pub(super) budget: &'a Arc<Budget>,
    /// Where the committer waits.
    pub(super) staged: &'a Condvar,
    /// The moment of this step, once it was asked for.
    pub(super) moment: Option<Duration>,
    pub(super) removed: Vec<Entry>,
    pub(super) replaced: Option<Body>,
}

impl Locked<'_> {
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

    /// Whether a type is making or ending the file of this name.
    pub(super) fn is_busy(&self, file: FileRef<'_>) -> bool {
        matches!(file, FileRef::Name(name) if self.state.busy.contains(name.as_str()))
    }

    /// Whether there is a file of this name, or will be, or may be.
    pub(super) fn has(&self, name: &Name) -> bool {
        let State { files, busy, journal, .. } = &*self.state;
        files.contains_key(name)
            || busy.contains(name)
            || journal.as_ref().is_some_and(|journal| journal.has(name.as_str()))
    }

    /// Looks at a file, if it is there. `Err` with its name if its time is over.
    pub(super) fn find(&mut self, file: FileRef<'_>) -> Result<Option<(&Entry, Duration)>, Name> {
        let Some(entry) = self.state.entry(file) else { return Ok(None) };
        let Some(End::At(deadline)) = entry.end else { return Ok(Some((entry, Duration::ZERO))) };
        // As in `now`; the entry is borrowed.
        let now = *self.moment.get_or_insert_with(|| self.clock.now());
        if now < deadline {
            return Ok(Some((entry, now)));
        }
        self.state.name_of(file).map_or(Ok(None), Err)
    }

    /// Makes a file of a name that has none. This and the following are changes.
    pub(super) fn insert(
        &mut self,
        name: Name,
        body: Body,
        end: Option<End>,
    ) -> Result<(u64, Ticket), Refusal> {
        let mut charge = Charge::none(self.budget);
        charge.grow(cost::ENTRY + cost::NAMED + cost::name(name.as_ref()) + body.cost())?;
        let version = self.take_version();
        let fd = body.descriptor();
        let entry = Box::new(Entry { version, body, end, charge, fd });
        if self.state.journal.is_some() {
            return Ok((version, self.stage(Step::Insert { name, entry })));
        }
        self.state.insert(name, entry);
        Ok((version, Ticket::DONE))
    }

    /// Gives a file that is there a new body and end. One without a name has no end.
    pub(super) fn change(
        &mut self,
        file: FileRef<'_>,
        body: Body,
        end: Option<End>,
    ) -> (u64, Ticket) {
        let version = self.take_version();
        let found;
        let name = match file {
            FileRef::Name(name) => Some(name),
            FileRef::Descriptor(_) => {
                found = self.state.name_of(file);
                found.as_ref().map(Name::as_ref)
            }
        };
        if self.state.journal.is_none() {
            self.replaced = match (name, file) {
                (Some(name), _) => self.state.change(name, version, body, end),
                (None, FileRef::Descriptor(fd)) => self.state.change_unnamed(fd, version, body),
                (None, FileRef::Name(_)) => None,
            };
            return (version, Ticket::DONE);
        }
        let old = self.state.entry(file).map_or(0, |entry| entry.version);
        let step = match (name, file) {
            (None, FileRef::Descriptor(fd)) => Step::ChangeUnnamed { fd, version, body },
            (Some(name), _) | (None, FileRef::Name(name)) => {
                Step::Change { name: name.to_name(), version, old, body, end }
            }
        };
        (version, self.stage(step))
    }

    /// The name of a file for which contents are decided that are not seen yet, and their version,
    /// if others may be put upon them.
    pub(super) fn put_on(&self, file: FileRef<'_>) -> Option<(Name, u64)> {
        let journal = self.state.journal.as_ref()?;
        let found;
        let name = match file {
            FileRef::Name(name) => name,
            FileRef::Descriptor(_) => {
                found = self.state.name_of(file)?;
                found.as_ref()
            }
        };
        let version = journal.put_on(name.as_str())?;
        Some((name.to_name(), version))
    }

    /// Puts contents [upon](Locked::put_on) others.
    pub(super) fn put(
        &mut self,
        (name, old): (Name, u64),
        body: Body,
        end: Option<End>,
    ) -> (u64, Ticket) {
        let version = self.take_version();
        let Some(journal) = self.journal() else { return (version, Ticket::DONE) };
        let (ticket, replaced) = journal.put(name, old, version, body, end);
        self.replaced = replaced;
        (version, ticket)
    }

    /// Removes a name that is there.
    pub(super) fn remove(&mut self, name: NameRef<'_>) -> Ticket {
        let version = self.take_version();
        if self.state.journal.is_none() {
            self.removed.extend(self.state.remove(name, version).map(|entry| *entry));
            return Ticket::DONE;
        }
        let Some(entry) = self.state.files.get(name.as_str()) else { return Ticket::DONE };
        let open = match entry.body {
            Body::Stored(numbytes) if entry.fd.is_some() => Some(Body::Stored(numbytes)),
            _ => None,
        };
        let old = entry.version;
        self.stage(Step::Remove { name: name.to_name(), version, old, open })
    }

    /// Gives a file that has a name another end. This is no change.
    pub(super) fn touch(&mut self, name: Name, end: Option<End>) -> Ticket {
        if self.state.journal.is_none() {
            self.state.touch(name.as_ref(), end);
            return Ticket::DONE;
        }
        self.stage(Step::Touch { name, end })
    }

    fn take_version(&mut self) -> u64 {
        self.state.taken += 1;
        self.state.taken
    }

    fn stage(&mut self, step: Step) -> Ticket {
        self.journal().map_or(Ticket::DONE, |journal| journal.stage(step))
    }

    /// The journal, for one who takes something into it: if that is the first, the committer wakes.
    fn journal(&mut self) -> Option<&mut Journal> {
        let journal = self.state.journal.as_mut()?;
        if journal.is_empty() {
            self.staged.notify_one();
        }
        Some(journal)
    }
}
