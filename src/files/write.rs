//! Changes that clients ask for: what is there is judged and what shall be is decided in one step.

use super::entry::Body;
use super::expiry::Expiry;
use super::kept::Ticket;
use super::locked::Locked;
use super::table::Table;
use crate::contents::Contents;
use crate::name::{FileRef, Name, Stem};
use crate::refusal::Refusal;

/// A change that is decided. In a table that is [kept](Table::load) nobody sees it before it is on
/// disk.
#[derive(Debug)]
#[must_use = "it is decided, but nobody may have seen it yet"]
pub struct Decided<T> {
    /// What to answer, once it is seen.
    pub answer: T,
    /// Until when to wait with that.
    pub ticket: Ticket,
}

impl<T> Decided<T> {
    /// Waits until the change is seen; its answer.
    ///
    /// # Errors
    /// See [`Ticket::wait`].
    pub fn seen(self) -> Result<T, Refusal> {
        self.ticket.wait().map(|()| self.answer)
    }
}

impl Table {
    /// Makes the file, or replaces its contents and expiry; the version that this takes.
    ///
    /// # Errors
    /// [`Limit::Memory`](crate::Limit::Memory) if there is no room for a new entry, and those of
    /// the file's type.
    pub fn write(
        &self,
        file: FileRef<'_>,
        contents: Contents,
        expiry: Expiry,
    ) -> Result<Decided<u64>, Refusal> {
        self.put(file, None, contents, expiry)
    }

    /// A [`write`](Table::write), if the file is at `version`; 0 is a file that does not exist.
    ///
    /// # Errors
    /// [`Refusal::Version`] with the version that the file is at. Neither the file nor its expiry
    /// has changed then. Otherwise those of a write.
    pub fn cas(
        &self,
        file: FileRef<'_>,
        version: u64,
        contents: Contents,
        expiry: Expiry,
    ) -> Result<Decided<u64>, Refusal> {
        self.put(file, Some(version), contents, expiry)
    }

    fn put(
        &self,
        file: FileRef<'_>,
        expected: Option<u64>,
        contents: Contents,
        expiry: Expiry,
    ) -> Result<Decided<u64>, Refusal> {
        loop {
            let mut table = self.lock();
            if let Some(upon) = table.put_on(file)
                && expected.is_none_or(|version| version == upon.1)
            {
                let end = table.end(expiry);
                let (answer, ticket) = table.put(upon, Body::Bytes(contents), end);
                return Ok(Decided { answer, ticket });
            }
            let (mut table, found) =
                self.look_on_to_change(table, file, |entry, _| match &entry.body {
                    Body::Bytes(_) | Body::Stored(_) => (entry.version, None),
                    Body::Code(code, _) => (entry.version, Some(code.clone())),
                })?;
            let current = match found {
                Some((_, Some(code))) => {
                    drop(table);
                    match self.write_code(file, &code, expected, &contents, expiry) {
                        Some(done) => {
                            return done.map(|answer| Decided { answer, ticket: Ticket::DONE });
                        }
                        None => continue,
                    }
                }
                Some((version, None)) => Some(version),
                None if table.is_busy(file) => {
                    self.wait_calm(table);
                    continue;
                }
                None => None,
            };
            if expected.is_some_and(|version| version != current.unwrap_or(0)) {
                return Err(Refusal::Version(current.unwrap_or(0)));
            }
            let (body, end) = (Body::Bytes(contents), table.end(expiry));
            let (answer, ticket) = match (current, file) {
                (Some(_), _) => table.change(file, body, end),
                (None, FileRef::Name(name)) => table.insert(name.to_name(), body, end)?,
                (None, FileRef::Descriptor(_)) => return Err(Refusal::BadDescriptor),
            };
            return Ok(Decided { answer, ticket });
        }
    }

    /// Makes a file that did not exist, called after the version that this takes.
    ///
    /// # Errors
    /// [`Limit::Memory`](crate::Limit::Memory) if there is no room for a new entry.
    pub fn create(
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
            // Somebody has called a file so: the next one.
            table.state.taken += 1;
        };
        match table.insert(name.clone(), Body::Bytes(contents), end) {
            Ok((version, ticket)) => Ok(Decided { answer: (version, name), ticket }),
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
    pub fn touch(
        &self,
        file: FileRef<'_>,
        version: u64,
        expiry: Expiry,
    ) -> Result<Decided<u64>, Refusal> {
        let (mut table, name) = self.find_named(file, Some(version))?;
        let end = table.end(expiry);
        let ticket = table.touch(name, end);
        Ok(Decided { answer: version, ticket })
    }

    /// Removes a file's name, if the file is at `version` where one is given. Who has it open
    /// keeps it.
    ///
    /// # Errors
    /// [`Refusal::NotFound`], [`Refusal::Version`]
    pub fn delete(&self, file: FileRef<'_>, version: Option<u64>) -> Result<Decided<()>, Refusal> {
        let (mut table, name) = self.find_named(file, version)?;
        let ticket = table.remove(name.as_ref());
        Ok(Decided { answer: (), ticket })
    }

    /// A file that has a name, at `version` where one is given.
    fn find_named(
        &self,
        file: FileRef<'_>,
        version: Option<u64>,
    ) -> Result<(Locked<'_>, Name), Refusal> {
        let (table, current) = self.look_to_change(file, |entry, _| entry.version)?;
        let name = table.state.name_of(file).ok_or(Refusal::NotFound)?;
        match (current, version) {
            (Some(current), Some(version)) if current != version => Err(Refusal::Version(current)),
            _ => Ok((table, name)),
        }
    }
}
