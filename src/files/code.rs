//! Files of code in the table: open, close, read, write.
//!
//! A type's code runs under its file's lock and never under the table's. The order is always one
//! file's lock, then the table's.

use super::descriptors::{Fd, Place};
use super::file::{ClientId, File};
use super::registry::{Create, DEFAULT};
use super::state::Body;
use super::table::{Stat, Table};
use crate::contents::Contents;
use crate::exptime::Exptime;
use crate::name::{FileRef, NameRef};
use crate::refusal::{Limit, Refusal};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A file of code: a value of its type, and the lock around each operation on it.
pub(super) struct Code {
    kind: &'static str,
    /// As long as the value is there it has this descriptor, for it is open.
    fd: Fd,
    /// `None` when the last close has ended it.
    value: Mutex<Option<Box<dyn File>>>,
}

/// What `open` answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opened {
    /// The descriptor, the same for all who have the file open.
    pub fd: Fd,
    /// The version that the file is at.
    pub version: u64,
    /// The name of its type.
    pub kind: &'static str,
}

impl Code {
    pub(super) fn kind(&self) -> &'static str {
        self.kind
    }

    /// A panic within is caught before it can poison the lock; whatever did, the type was told.
    fn lock(&self) -> MutexGuard<'_, Option<Box<dyn File>>> {
        self.value.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn descriptor(&self) -> FileRef<'static> {
        FileRef::Descriptor(self.fd)
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}(@{})", self.kind, self.fd)
    }
}

/// A type's code panicked; it has been logged.
struct Panicked;

/// Runs a type's code.
fn run<T>(kind: &str, operation: &str, code: impl FnOnce() -> T) -> Result<T, Panicked> {
    catch_unwind(AssertUnwindSafe(code)).map_err(|_| {
        log::error!("{operation} of a {kind} panicked");
        Panicked
    })
}

/// [`run`], for what may refuse. What is not a type's to say becomes [`Refusal::Internal`].
fn ask<T>(
    kind: &str,
    operation: &str,
    code: impl FnOnce() -> Result<T, Refusal>,
) -> Result<T, Refusal> {
    run(kind, operation, code).unwrap_or(Err(Refusal::Internal)).map_err(allowed)
}

fn allowed(refusal: Refusal) -> Refusal {
    match refusal {
        Refusal::Denied | Refusal::NotFound | Refusal::Internal => refusal,
        Refusal::Limit(what, _) if what != Limit::Connections => refusal,
        _ => Refusal::Internal,
    }
}

/// A name whose file a type is making or ending. Until it is dropped, others wait for it.
struct Busy<'a> {
    table: &'a Table,
    name: NameRef<'a>,
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.table.calm(self.name);
    }
}

impl Table {
    /// Opens a file for a client, and makes it of type `kind` if there is none (`File`, if none is
    /// given). Each open has to be [closed](Table::close_file), once.
    ///
    /// # Errors
    /// [`Refusal::WrongType`] if it is of another type than was given, [`Refusal::TypeNotFound`],
    /// [`Limit::Memory`], and those of the type.
    pub fn open(
        &self,
        name: NameRef<'_>,
        kind: Option<&str>,
        by: ClientId,
    ) -> Result<Opened, Refusal> {
        loop {
            let mut table = self.lock();
            if table.is_busy(FileRef::Name(name)) {
                self.wait_calm(table);
                continue;
            }
            let found = table.find(FileRef::Name(name), &self.clock, |entry, _| {
                (entry.version, entry.kind(), entry.fd, entry.body.clone())
            });
            let Some((version, found, fd, body)) = found else {
                let kind = kind.unwrap_or(DEFAULT);
                let (kind, create) = self.registry.find(kind).ok_or(Refusal::TypeNotFound)?;
                let Some(create) = create else {
                    let empty = Contents::from(Vec::new());
                    table.state.insert(name, Body::Bytes(empty), &self.budget)?;
                    continue; // and open it like any other
                };
                table.state.busy.insert(name.to_name());
                drop(table);
                let busy = Busy { table: self, name };
                return self.make(&busy, kind, create, by);
            };
            if kind.is_some_and(|kind| kind != found) {
                self.registry.find(kind.unwrap_or_default()).ok_or(Refusal::TypeNotFound)?;
                let kind = NameRef::new(found).ok_or(Refusal::Internal)?;
                return Err(Refusal::WrongType(kind.to_name()));
            }
            let state = &mut *table.state;
            let fd = match fd {
                Some(fd) => {
                    state.descriptors.reopen(fd);
                    fd
                }
                None => state.descriptors.insert(name.to_name()),
            };
            if let Some(entry) = state.entry_mut(FileRef::Name(name)) {
                entry.fd = Some(fd);
            }
            drop(table);
            if let Body::Code(code, _) = body {
                // The open is counted already, so the value cannot end meanwhile.
                let mut value = code.lock();
                let opened = match value.as_mut() {
                    Some(value) => ask(code.kind, "open", || value.open(by)),
                    None => Err(Refusal::Internal),
                };
                if let Err(refusal) = opened {
                    self.release(fd, value);
                    return Err(refusal);
                }
            }
            return Ok(Opened { fd, version, kind: found });
        }
    }

    /// Makes a file of code and opens it for the first time, while its name is busy.
    fn make(
        &self,
        busy: &Busy<'_>,
        kind: &'static str,
        create: &Create,
        by: ClientId,
    ) -> Result<Opened, Refusal> {
        let name = busy.name.to_name();
        let mut value = ask(kind, "create", || create(&name))?;
        if let Err(refusal) = ask(kind, "open", || value.open(by)) {
            let _ = run(kind, "drop", || drop(value));
            return Err(refusal);
        }
        let numbytes = run(kind, "numbytes", || value.numbytes()).unwrap_or(0);
        let mut table = self.lock();
        let state = &mut *table.state;
        let fd = state.descriptors.insert(name.clone());
        let code = Arc::new(Code { kind, fd, value: Mutex::new(Some(value)) });
        match state.insert(name.as_ref(), Body::Code(code.clone(), numbytes), &self.budget) {
            Ok(version) => {
                if let Some(entry) = state.entry_mut(FileRef::Descriptor(fd)) {
                    entry.fd = Some(fd);
                }
                Ok(Opened { fd, version, kind })
            }
            Err(refusal) => {
                state.descriptors.release(fd);
                drop(table);
                let value = code.lock().take();
                if let Some(mut value) = value {
                    let _ = run(kind, "close", || value.close(by));
                    let _ = run(kind, "drop", || drop(value));
                }
                Err(refusal)
            }
        }
    }

    /// Takes back one open that the client has. With the last one a file of code ends.
    ///
    /// # Errors
    /// [`Refusal::BadDescriptor`] if nobody has the descriptor open.
    pub fn close_file(&self, fd: Fd, by: ClientId) -> Result<(), Refusal> {
        let table = self.lock();
        let entry = table.state.entry(FileRef::Descriptor(fd)).ok_or(Refusal::BadDescriptor)?;
        let body = entry.body.clone();
        drop(table);
        match body {
            Body::Code(code, _) => {
                let mut value = code.lock();
                if let Some(value) = value.as_mut() {
                    let _ = run(code.kind, "close", || value.close(by)); // a panic counts as closed
                }
                self.release(fd, value);
            }
            Body::Bytes(_) => {
                let mut table = self.lock();
                match table.state.descriptors.release(fd) {
                    Some(Place::Named(name)) => {
                        if let Some(entry) = table.state.files.get_mut(&name) {
                            entry.fd = None;
                        }
                    }
                    Some(Place::Unlinked(entry)) => table.removed = Some(entry),
                    None => {}
                }
            }
        }
        Ok(())
    }

    /// Counts one open less of a file of code whose lock is held. The last one ends it: the name
    /// goes, which is a change, and stays busy until the value has been dropped, so that a new file
    /// of this name does not meet the old one.
    fn release(&self, fd: Fd, mut value: MutexGuard<'_, Option<Box<dyn File>>>) {
        let mut table = self.lock();
        let Some(place) = table.state.descriptors.release(fd) else { return };
        let (name, entry) = match place {
            Place::Named(name) => {
                table.state.busy.insert(name.clone());
                let entry = table.state.remove(name.as_ref());
                (Some(name), entry)
            }
            Place::Unlinked(entry) => (None, Some(entry)),
        };
        drop(table);
        let ended = value.take();
        drop(value);
        let kind = entry.as_ref().map_or("file", |entry| entry.kind());
        let _ = run(kind, "drop", || drop(ended));
        drop(entry);
        if let Some(name) = name {
            drop(Busy { table: self, name: name.as_ref() });
        }
    }

    /// Reads a file of code. `None` if it ended, or lost the name that was asked for, before its
    /// lock was had: then the table is asked again.
    pub(super) fn read_code(
        &self,
        file: FileRef<'_>,
        code: &Arc<Code>,
    ) -> Option<Result<(Stat, Contents), Refusal>> {
        let mut held = code.lock();
        let value = held.as_mut()?;
        self.current(file, code, value)?;
        let read = ask(code.kind, "read", || value.read());
        let numbytes = run(code.kind, "numbytes", || value.numbytes()).unwrap_or(0);
        let mut table = self.lock();
        if let Some(entry) = table.state.entry_mut(code.descriptor()) {
            entry.body = Body::Code(code.clone(), numbytes);
        }
        let stat = table.find(code.descriptor(), &self.clock, |entry, now| entry.stat(now));
        Some(read.and_then(|contents| Ok((stat.ok_or(Refusal::Internal)?, contents))))
    }

    /// Writes a file of code, if it is at the version that is expected. `None` as in
    /// [`read_code`](Table::read_code).
    pub(super) fn write_code(
        &self,
        file: FileRef<'_>,
        code: &Arc<Code>,
        expected: Option<u64>,
        contents: &Contents,
        exptime: Exptime,
    ) -> Option<Result<u64, Refusal>> {
        let mut held = code.lock();
        let value = held.as_mut()?;
        let current = self.current(file, code, value)?;
        if expected.is_some_and(|version| version != current) {
            return Some(Err(Refusal::Version(current)));
        }
        let written = match run(code.kind, "write", || value.write(contents.clone())) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(refusal)) => return Some(Err(allowed(refusal))),
            // Nobody knows what it has done: the file counts as changed.
            Err(Panicked) => Err(Refusal::Internal),
        };
        let numbytes = run(code.kind, "numbytes", || value.numbytes()).unwrap_or(0);
        let deadline = self.deadline(exptime);
        let mut table = self.lock();
        let body = Body::Code(code.clone(), numbytes);
        let (version, replaced) = table.state.change(code.descriptor(), body, deadline);
        table.replaced = replaced;
        Some(written.map(|()| version))
    }

    /// The version that a file of code is at, after its type has looked whether something else has
    /// changed it. `None` if it no longer has the name that was asked for.
    fn current(
        &self,
        file: FileRef<'_>,
        code: &Arc<Code>,
        value: &mut Box<dyn File>,
    ) -> Option<u64> {
        let changed = run(code.kind, "refresh", || value.refresh()).unwrap_or(false);
        let mut table = self.lock();
        let same = table.find(file, &self.clock, |entry, _| match &entry.body {
            Body::Code(found, _) if Arc::ptr_eq(found, code) => Some(entry.version),
            _ => None,
        });
        let version = same.flatten()?;
        if !changed {
            return Some(version);
        }
        table.state.renew(code.descriptor())
    }
}
