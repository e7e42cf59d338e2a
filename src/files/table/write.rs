//! Changes that clients request. Each checks the current state and decides the change in one step.

use super::Table;
use super::locked::Locked;
use crate::contents::Contents;
use crate::files::file::ClientId;
use crate::files::state::asked::Asked;
use crate::files::state::chain::Done;
use crate::files::state::expiry::Expiry;
use crate::files::state::files::entry::Body;
use crate::files::state::key::Key;
use crate::files::state::ticket::Ticket;
use crate::name::{FileRef, Name, Stem};
use crate::refusal::Refusal;

/// A decided request. In a [stored](Table::load) table, its effect is not visible before it
/// is on disk, and nothing is refused because of a change that is not on disk.
#[derive(Debug)]
#[must_use = "it is decided, but nobody may have seen it yet"]
pub(crate) struct Decided<T> {
    /// The answer, valid once everything that it depends on is visible.
    pub(crate) outcome: Result<T, Refusal>,
    /// The ticket to wait for before giving it.
    pub(crate) ticket: Ticket,
}

impl<T> Decided<T> {
    pub(in crate::files) fn done(answer: T, ticket: Ticket) -> Self {
        Decided { outcome: Ok(answer), ticket }
    }

    pub(crate) fn map<U>(self, f: impl FnOnce(T) -> U) -> Decided<U> {
        Decided { outcome: self.outcome.map(f), ticket: self.ticket }
    }

    /// Blocks until everything that the request depends on is visible. Returns the answer.
    ///
    /// # Errors
    /// The reason for a refusal; also see [`Ticket::wait`].
    #[cfg(test)]
    pub(crate) fn seen(self) -> Result<T, Refusal> {
        self.ticket.wait().and(self.outcome)
    }
}

impl Table {
    /// Makes the file, or replaces its contents and expiry, for a client. Returns the version that this
    /// takes.
    ///
    /// # Errors
    /// [`Limit::Memory`](crate::Limit::Memory) if there is no room for a new entry, and those of
    /// the file's type.
    pub(crate) fn write(
        &self,
        file: FileRef<'_>,
        contents: Contents,
        expiry: Expiry,
        by: ClientId,
    ) -> Result<Decided<u64>, Refusal> {
        self.put(file, None, contents, expiry, by)
    }

    /// Does a [`write`](Table::write) if the file is at `version`; 0 means that it does not exist.
    ///
    /// # Errors
    /// [`Refusal::Version`] with the version that the file is at; then neither the file nor its
    /// expiry has changed. Otherwise those of a write.
    pub(crate) fn cas(
        &self,
        file: FileRef<'_>,
        version: u64,
        contents: Contents,
        expiry: Expiry,
        by: ClientId,
    ) -> Result<Decided<u64>, Refusal> {
        self.put(file, Some(version), contents, expiry, by)
    }

    fn put(
        &self,
        file: FileRef<'_>,
        expected: Option<u64>,
        contents: Contents,
        expiry: Expiry,
        by: ClientId,
    ) -> Result<Decided<u64>, Refusal> {
        let asked = Asked::Put(expected);
        loop {
            let mut table = self.lock();
            if let Some((key, current)) = table.decided(file, asked) {
                if let Err(refusal) = asked.judge(current) {
                    let ticket = table.decide(&key, asked, Done::Nothing);
                    return Ok(Decided { outcome: Err(refusal), ticket });
                }
                let end = table.end(expiry);
                let (version, ticket) = table.put(&key, asked, Body::Bytes(contents), end)?;
                return Ok(Decided::done(version, ticket));
            }
            let (mut table, found) =
                self.look_on_to_change(table, file, |entry| match &entry.body {
                    Body::Bytes(_) | Body::Stored(_) => (entry.version, None),
                    Body::Code(code, _) => (entry.version, Some(code.clone())),
                })?;
            let found = match found {
                Some((_, (_, Some(code)))) => {
                    drop(table);
                    match self.write_code(file, &code, expected, &contents, expiry, by) {
                        Some(done) => {
                            return done.map(|version| Decided::done(version, Ticket::DONE));
                        }
                        None => {
                            self.wait_ended(file);
                            continue;
                        }
                    }
                }
                Some((id, (version, None))) => Some((id, version)),
                None if table.is_busy(file) => {
                    self.wait_calm(table);
                    continue;
                }
                None => None,
            };
            asked.judge(found.map(|(_, version)| version))?;
            let (body, end) = (Body::Bytes(contents), table.end(expiry));
            let (version, ticket) = match (found, file) {
                (Some((id, _)), _) => table.change(id, asked, body, end),
                (None, FileRef::Name(name)) => table.insert(name.to_name(), body, end)?,
                (None, FileRef::Descriptor(_)) => return Err(Refusal::BadDescriptor),
            };
            return Ok(Decided::done(version, ticket));
        }
    }

    /// Makes a new file, named after the version that this takes.
    ///
    /// # Errors
    /// [`Limit::Memory`](crate::Limit::Memory) if there is no room for a new entry.
    pub(crate) fn create(
        &self,
        stem: Stem<'_>,
        contents: Contents,
        expiry: Expiry,
    ) -> Result<Decided<(u64, Name)>, Refusal> {
        let mut table = self.lock();
        let end = table.end(expiry);
        let before = table.state.taken;
        let name = loop {
            let name = stem.numbered(table.state.taken + 1);
            if !table.has(&name) {
                break name;
            }
            // A file of this name exists: try the next one.
            table.state.taken += 1;
        };
        match table.insert(name.clone(), Body::Bytes(contents), end) {
            Ok((version, ticket)) => Ok(Decided::done((version, name), ticket)),
            Err(refusal) => {
                table.state.taken = before;
                Err(refusal)
            }
        }
    }

    /// Gives a file another expiry, if it is at `version`. This is no change: it keeps its version.
    ///
    /// # Errors
    /// [`Refusal::NotFound`], also for a file that has lost its name; [`Refusal::Version`].
    pub(crate) fn touch(
        &self,
        file: FileRef<'_>,
        version: u64,
        expiry: Expiry,
    ) -> Result<Decided<u64>, Refusal> {
        let asked = Asked::Touch(version);
        let touched = self.change_named(file, asked, |table| Done::Touched(table.end(expiry)));
        touched.map(|touched| touched.map(|()| version))
    }

    /// Removes a file's name, if the file is at `version` where one is given. Clients that have the
    /// file open keep it.
    ///
    /// # Errors
    /// [`Refusal::NotFound`], [`Refusal::Version`]
    pub(crate) fn delete(
        &self,
        file: FileRef<'_>,
        version: Option<u64>,
    ) -> Result<Decided<()>, Refusal> {
        let asked = Asked::Remove(version);
        self.change_named(file, asked, |table| Done::Removed(table.take_version()))
    }

    /// Changes a file that has a name, if it is in the state that was asked for.
    fn change_named(
        &self,
        file: FileRef<'_>,
        asked: Asked,
        change: impl FnOnce(&mut Locked<'_>) -> Done,
    ) -> Result<Decided<()>, Refusal> {
        let mut table = self.lock();
        if let Some((key, current)) = table.decided(file, asked) {
            if let Key::Open(_) = key {
                return Err(Refusal::NotFound);
            }
            let outcome = asked.judge(current);
            let done = if outcome.is_ok() { change(&mut table) } else { Done::Nothing };
            let ticket = table.decide(&key, asked, done);
            return Ok(Decided { outcome, ticket });
        }
        let (mut table, found) =
            self.look_on_to_change(table, file, |entry| (entry.version, entry.name.is_some()))?;
        let named = found.filter(|(_, (_, is_named))| *is_named);
        let (id, (version, _)) = named.ok_or(Refusal::NotFound)?;
        asked.judge(Some(version))?;
        let done = change(&mut table);
        Ok(Decided::done((), table.carry_out(id, asked, done)))
    }
}
