//! A step of the table: its lock, a moment at which time stands still, and the changes decided
//! meanwhile.

use crate::budget::{Budget, Charge};
use crate::files::clock::Clock;
use crate::files::state::State;
use crate::files::state::asked::Asked;
use crate::files::state::chain::{Done, Draft};
use crate::files::state::entry::{Body, Entry};
use crate::files::state::expiry::{End, Expiry};
use crate::files::state::journal::Journal;
use crate::files::state::ticket::Ticket;
use crate::name::{FileRef, Name};
use crate::refusal::Refusal;
use std::collections::HashMap;
use std::sync::{Arc, Condvar, MutexGuard};
use std::time::Duration;

/// The table's lock, and what was taken out of the table. Fields drop in declaration order, so the
/// lock is released before a large value is freed.
pub(in crate::files) struct Locked<'a> {
    pub(in crate::files) state: MutexGuard<'a, State>,
    pub(in crate::files) clock: &'a Clock,
    pub(in crate::files) budget: &'a Arc<Budget>,
    /// What the committer waits on.
    pub(in crate::files) staged: &'a Condvar,
    /// The moment of this step, once something has asked for it.
    pub(in crate::files) moment: Option<Duration>,
    pub(in crate::files) removed: Vec<Entry>,
    pub(in crate::files) replaced: Option<Body>,
}

impl Locked<'_> {
    /// Returns the time, which stands still while the lock is held. Otherwise a file could be found
    /// alive and be given a life that begins after its end.
    pub(in crate::files) fn now(&mut self) -> Duration {
        *self.moment.get_or_insert_with(|| self.clock.now())
    }

    /// Returns what will end a file that is given this expiry now.
    pub(in crate::files) fn end(&mut self, expiry: Expiry) -> Option<End> {
        match expiry {
            Expiry::Never => None,
            Expiry::Seconds(n) => Some(End::At(self.now() + Duration::from_secs(n))),
            Expiry::With(client) => Some(End::With(client)),
        }
    }

    /// Returns whether a type is making or ending the file of this name.
    pub(in crate::files) fn is_busy(&self, file: FileRef<'_>) -> bool {
        matches!(file, FileRef::Name(name) if self.state.busy.contains(name.as_str()))
    }

    /// Returns whether a file of this name exists, will exist or may exist.
    pub(in crate::files) fn has(&self, name: &Name) -> bool {
        let State { files, busy, journal, .. } = &*self.state;
        files.contains_key(name)
            || busy.contains(name)
            || journal.as_ref().is_some_and(|journal| journal.has(name.as_str()))
    }

    /// Looks at a file, if it exists. Returns `Err` with its name if it has expired.
    pub(in crate::files) fn find(
        &mut self,
        file: FileRef<'_>,
    ) -> Result<Option<(&Entry, Duration)>, Name> {
        let Some(entry) = self.state.entry(file) else { return Ok(None) };
        let Some(End::At(deadline)) = entry.end else { return Ok(Some((entry, Duration::ZERO))) };
        // As in `now`; the entry is borrowed.
        let now = *self.moment.get_or_insert_with(|| self.clock.now());
        if now < deadline {
            return Ok(Some((entry, now)));
        }
        self.state.name_of(file).map_or(Ok(None), Err)
    }

    /// Returns the name of a file with a decided change that is not visible yet, and the version
    /// that the change gives it, if `asked` may be decided on top of that.
    pub(in crate::files) fn decided(
        &mut self,
        file: FileRef<'_>,
        asked: Asked,
    ) -> Option<(Name, Option<u64>)> {
        let journal = self.state.journal.as_ref()?;
        let found;
        let (name, by_name) = match file {
            FileRef::Name(name) => (name, true),
            FileRef::Descriptor(_) => {
                found = self.state.name_of(file)?;
                (found.as_ref(), false)
            }
        };
        let (name, draft) = journal.decided(name.as_str(), asked, by_name)?;
        if self.state.busy.contains(name) {
            return None;
        }
        let name = name.clone();
        let Some(Draft { version, end, .. }) = draft else { return Some((name, None)) };
        let (version, Some(end)) = (*version, *end) else { return Some((name, Some(*version))) };
        if !end.is_over(self.now()) {
            return Some((name, Some(version)));
        }
        self.state.journal.as_ref()?.decided(name.as_str(), Asked::End, by_name)?;
        let removed = Done::Removed(self.take_version());
        let _ = self.decide(&name, Asked::End, removed, None);
        Some((name, None))
    }

    /// Records what was [judged](Locked::decided) and changes nothing. Returns when to answer.
    pub(in crate::files) fn answer_later(&mut self, name: &Name, asked: Asked) -> Ticket {
        self.decide(name, asked, Done::Nothing, None)
    }

    /// Makes a file for a name that has none. This and the following methods are changes.
    pub(in crate::files) fn insert(
        &mut self,
        name: Name,
        body: Body,
        end: Option<End>,
    ) -> Result<(u64, Ticket), Refusal> {
        if self.state.journal.is_some() {
            return self.put(&name, Asked::Put(Some(0)), body, end);
        }
        let charge = self.charge(&name, &body)?;
        let version = self.take_version();
        let fd = body.descriptor();
        self.state.insert(name, Box::new(Entry { version, body, end, charge, fd }));
        Ok((version, Ticket::DONE))
    }

    /// Gives an existing file a new body and end. A file without a name has no end.
    pub(in crate::files) fn change(
        &mut self,
        file: FileRef<'_>,
        asked: Asked,
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
        let ticket = match (name, file) {
            (None, FileRef::Descriptor(fd)) => {
                self.stage(|journal, _| journal.change_unnamed(fd, version, body))
            }
            (Some(name), _) | (None, FileRef::Name(name)) => {
                let put = Done::Put(Draft { version, body, end });
                self.decide(&name.to_name(), asked, put, None)
            }
        };
        (version, ticket)
    }

    /// Decides the contents of a name, on top of what is [decided](Locked::decided) on it.
    pub(in crate::files) fn put(
        &mut self,
        name: &Name,
        asked: Asked,
        body: Body,
        end: Option<End>,
    ) -> Result<(u64, Ticket), Refusal> {
        let State { journal, files, .. } = &*self.state;
        let makes = journal.as_ref().is_some_and(|j| j.makes_file(name, files.contains_key(name)));
        let charge = if makes { Some(self.charge(name, &body)?) } else { None };
        let version = self.take_version();
        let put = Done::Put(Draft { version, body, end });
        Ok((version, self.decide(name, asked, put, charge)))
    }

    /// Removes an existing name.
    pub(in crate::files) fn remove(&mut self, name: &Name, asked: Asked) -> Ticket {
        let version = self.take_version();
        if self.state.journal.is_none() {
            self.removed.extend(self.state.remove(name.as_ref(), version).map(|entry| *entry));
            return Ticket::DONE;
        }
        self.decide(name, asked, Done::Removed(version), None)
    }

    /// Gives a file that has a name another end. This is no change.
    pub(in crate::files) fn touch(
        &mut self,
        name: &Name,
        asked: Asked,
        end: Option<End>,
    ) -> Ticket {
        if self.state.journal.is_none() {
            self.state.touch(name.as_ref(), end);
            return Ticket::DONE;
        }
        self.decide(name, asked, Done::Touched(end), None)
    }

    /// Returns the memory charge for a new entry of this name.
    fn charge(&self, name: &Name, body: &Body) -> Result<Charge, Refusal> {
        let mut charge = Charge::none(self.budget);
        charge.grow(Entry::cost_with(name.as_ref()) + body.cost())?;
        Ok(charge)
    }

    fn take_version(&mut self) -> u64 {
        self.state.taken += 1;
        self.state.taken
    }

    fn decide(&mut self, name: &Name, asked: Asked, done: Done, charge: Option<Charge>) -> Ticket {
        let mut replaced = None;
        let ticket = self.stage(|journal, files| {
            let ticket;
            (ticket, replaced) = journal.decide(name, files, asked, done, charge);
            ticket
        });
        self.replaced = replaced;
        ticket
    }

    /// Stages something in the journal. If nothing else was waiting, wakes the committer.
    fn stage(
        &mut self,
        stage: impl FnOnce(&mut Journal, &HashMap<Name, Box<Entry>>) -> Ticket,
    ) -> Ticket {
        let State { journal, files, .. } = &mut *self.state;
        let Some(journal) = journal else { return Ticket::DONE };
        let was_empty = journal.is_empty();
        let ticket = stage(journal, files);
        if was_empty && !journal.is_empty() {
            self.staged.notify_one();
        }
        ticket
    }
}
