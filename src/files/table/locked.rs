//! A step of the table: its lock, a moment at which time stands still, and the changes decided
//! meanwhile.

use crate::budget::{Budget, Charge};
use crate::files::clock::Clock;
use crate::files::state::asked::Asked;
use crate::files::state::chain::Done;
use crate::files::state::expiry::{End, Expiry};
use crate::files::state::files::entry::{Body, Entry};
use crate::files::state::files::slab::Id;
use crate::files::state::journal::Journal;
use crate::files::state::key::Key;
use crate::files::state::step::Draft;
use crate::files::state::ticket::Ticket;
use crate::files::state::{State, cost_of};
use crate::name::{FileRef, Name};
use crate::refusal::Refusal;
use std::sync::{Arc, MutexGuard};
use std::time::Duration;

/// The table's lock, and what was taken out of the table. Fields drop in declaration order, so the
/// lock is released before a large value is freed.
pub(in crate::files) struct Locked<'a> {
    pub(in crate::files) state: MutexGuard<'a, State>,
    clock: &'a Clock,
    budget: &'a Arc<Budget>,
    /// The moment of this step, once something has asked for it.
    moment: Option<Duration>,
    dropped: Option<Body>,
    more_dropped: Vec<Body>,
}

impl<'a> Locked<'a> {
    pub(in crate::files) fn new(
        state: MutexGuard<'a, State>,
        clock: &'a Clock,
        budget: &'a Arc<Budget>,
    ) -> Self {
        let (moment, dropped, more_dropped) = (None, None, Vec::new());
        Locked { state, clock, budget, moment, dropped, more_dropped }
    }
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
        let file = FileRef::Name(name.as_name_ref());
        files.find(file).is_some()
            || busy.contains(name)
            || journal.as_ref().is_some_and(|journal| journal.has(file))
    }

    /// Looks for a file. Returns `Err` with its id if it has expired.
    pub(in crate::files) fn find(
        &mut self,
        file: FileRef<'_>,
    ) -> Result<Option<(Id, &Entry, Duration)>, Id> {
        let Some(id) = self.state.files.find(file) else { return Ok(None) };
        self.current(id).map(|(entry, now)| Some((id, entry, now)))
    }

    /// Returns a file, and the time if the file has a deadline. Returns `Err` with its id if it has
    /// expired.
    pub(in crate::files) fn current(&mut self, id: Id) -> Result<(&Entry, Duration), Id> {
        let entry = &self.state.files[id];
        let Some(End::At(deadline)) = entry.end() else { return Ok((entry, Duration::ZERO)) };
        // As in `now`; the entry is borrowed.
        let now = *self.moment.get_or_insert_with(|| self.clock.now());
        if now < deadline { Ok((entry, now)) } else { Err(id) }
    }

    /// Returns what refers to a file with a decided change that is not visible yet, and the version
    /// that the change gives it, if `asked` may be decided on top of that.
    pub(in crate::files) fn decided(
        &mut self,
        file: FileRef<'_>,
        asked: Asked,
    ) -> Option<(Key, Option<u64>)> {
        let journal = self.state.journal.as_ref()?;
        let by_name = matches!(file, FileRef::Name(_));
        let file = self.state.files.referred(file);
        let draft = journal.decided(file, asked, by_name)?;
        if self.is_busy(file) {
            return None;
        }
        let key = Key::of(file);
        let Some(Draft { version, end, .. }) = draft else { return Some((key, None)) };
        let (version, Some(end)) = (*version, *end) else { return Some((key, Some(*version))) };
        if !end.is_over(self.now()) {
            return Some((key, Some(version)));
        }
        self.state.journal.as_ref()?.decided(key.as_ref(), Asked::End, by_name)?;
        let removed = Done::Removed(self.take_version());
        self.state.expired += 1;
        let _ = self.decide(&key, Asked::End, removed);
        Some((key, None))
    }

    /// Records a request and its effect on what is [decided](Locked::decided) on its file. Returns
    /// when to answer it.
    pub(in crate::files) fn decide(&mut self, key: &Key, asked: Asked, done: Done) -> Ticket {
        self.record(key, asked, done, None)
    }

    /// Makes a file for a name that has none. This and the following methods are changes.
    pub(in crate::files) fn insert(
        &mut self,
        name: Name,
        body: Body,
        end: Option<End>,
    ) -> Result<(u64, Ticket), Refusal> {
        if self.state.journal.is_some() {
            return self.put(&Key::Name(name), Asked::Put(Some(0)), body, end);
        }
        let mut entry = Entry::new(name, 0, body, end);
        let charge = self.charge(&entry)?;
        entry.version = self.take_version();
        let version = entry.version;
        self.state.insert(entry, charge);
        Ok((version, Ticket::DONE))
    }

    /// Decides the contents of a file, on top of what is [decided](Locked::decided) on it.
    pub(in crate::files) fn put(
        &mut self,
        key: &Key,
        asked: Asked,
        body: Body,
        end: Option<End>,
    ) -> Result<(u64, Ticket), Refusal> {
        let State { journal, files, .. } = &*self.state;
        let file = key.as_ref();
        let makes = |journal: &Journal| journal.makes_file(file, files.find(file).is_some());
        let charge = match key {
            Key::Name(name) if journal.as_ref().is_some_and(makes) => {
                Some(self.charge(&Entry::new(name.clone(), 0, body.clone(), None))?)
            }
            _ => None,
        };
        let version = self.take_version();
        let put = Done::Put(Draft { version, body, end });
        Ok((version, self.record(key, asked, put, charge)))
    }

    /// Gives an existing file a new body and end.
    pub(in crate::files) fn change(
        &mut self,
        id: Id,
        asked: Asked,
        body: Body,
        end: Option<End>,
    ) -> (u64, Ticket) {
        let version = self.take_version();
        (version, self.carry_out(id, asked, Done::Put(Draft { version, body, end })))
    }

    /// Removes the name of an existing file.
    pub(in crate::files) fn remove(&mut self, id: Id, asked: Asked) -> Ticket {
        if let (Asked::End, Some(end @ End::At(_))) = (asked, self.state.files[id].end())
            && end.is_over(self.now())
        {
            self.state.expired += 1;
        }
        let removed = Done::Removed(self.take_version());
        self.carry_out(id, asked, removed)
    }

    /// Carries out what was decided on the visible state of a file.
    pub(in crate::files) fn carry_out(&mut self, id: Id, asked: Asked, done: Done) -> Ticket {
        if self.state.journal.is_none() {
            let dropped = self.state.apply(id, done);
            self.drop_later(dropped);
            return Ticket::DONE;
        }
        match self.state.files[id].key() {
            Some(key) => self.decide(&key, asked, done),
            None => Ticket::DONE, // there is no such file
        }
    }

    /// Drops what was taken out of the table once the lock is released.
    pub(in crate::files) fn drop_later(&mut self, body: Option<Body>) {
        match &mut self.dropped {
            dropped @ None => *dropped = body,
            Some(_) => self.more_dropped.extend(body),
        }
    }

    /// Returns the memory charge for a new file.
    fn charge(&self, entry: &Entry) -> Result<Charge, Refusal> {
        let mut charge = Charge::none(self.budget);
        if self.state.files.is_full() {
            return Err(charge.refusal());
        }
        charge.grow(cost_of(entry))?;
        Ok(charge)
    }

    /// Takes the next version, for a change that is decided now.
    pub(in crate::files) fn take_version(&mut self) -> u64 {
        self.state.taken += 1;
        self.state.taken
    }

    /// Records a decided change. It is committed once a thread waits for its ticket.
    fn record(
        &mut self,
        key: &Key,
        asked: Asked,
        mut done: Done,
        charge: Option<Charge>,
    ) -> Ticket {
        let State { journal, files, .. } = &mut *self.state;
        let Some(journal) = journal else { return Ticket::DONE };
        if let (Key::Open(_), Done::Put(draft)) = (key, &mut done) {
            draft.end = None; // a file without a name ends when it is closed
        }
        let (ticket, dropped) = journal.decide(key, files, asked, done, charge);
        self.drop_later(dropped);
        ticket
    }
}
