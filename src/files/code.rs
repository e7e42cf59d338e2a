//! Files of code in the table: their values, and how they are read and written.
//!
//! A type's code runs under its file's lock and never under the table's. The order is always one
//! file's lock, then the table's.

use super::descriptors::Fd;
use super::entry::Body;
use super::expiry::Expiry;
use super::file::File;
use super::state::Locked;
use super::table::{Stat, Table};
use crate::contents::Contents;
use crate::name::FileRef;
use crate::refusal::{Limit, Refusal};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};

/// A file of code: a value of its type, and the lock around each operation on it.
pub(super) struct Code {
    kind: &'static str,
    /// As long as the value is there it has this descriptor, for it is open.
    fd: Fd,
    /// `None` when the last close has ended it.
    value: Mutex<Option<Box<dyn File>>>,
}

/// The value of a file, locked.
pub(super) type Value<'a> = MutexGuard<'a, Option<Box<dyn File>>>;

impl Code {
    pub(super) fn new(kind: &'static str, fd: Fd, value: Box<dyn File>) -> Arc<Self> {
        Arc::new(Code { kind, fd, value: Mutex::new(Some(value)) })
    }

    pub(super) fn kind(&self) -> &'static str {
        self.kind
    }

    /// The lock, if nobody has it.
    pub(super) fn try_lock(&self) -> Option<Value<'_>> {
        match self.value.try_lock() {
            Ok(value) => Some(value),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// A panic within is caught before it can poison the lock; whatever did, the type was told.
    pub(super) fn lock(&self) -> Value<'_> {
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
pub(super) struct Panicked;

/// Runs a type's code.
pub(super) fn run<T>(kind: &str, operation: &str, code: impl FnOnce() -> T) -> Result<T, Panicked> {
    catch_unwind(AssertUnwindSafe(code)).map_err(|payload| {
        log::error!("{operation} of a {kind} panicked");
        // The type's code once more: what it panicked with may panic when it is dropped.
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            std::mem::forget(payload);
        }
        Panicked
    })
}

/// [`run`], for what may refuse. What is not a type's to say becomes [`Refusal::Internal`].
pub(super) fn ask<T>(
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

impl Table {
    /// Reads a file of code. `None` if it ended, or lost the name that was asked for, before its
    /// lock was had: then the table is asked again.
    pub(super) fn read_code(
        &self,
        file: FileRef<'_>,
        code: &Arc<Code>,
    ) -> Option<Result<(Stat, Contents), Refusal>> {
        let mut held = code.lock();
        let value = held.as_mut()?;
        // Nobody can write meanwhile; and a name that is lost meanwhile was there when it began.
        let stat = self.current(file, code, value)?;
        let read = ask(code.kind, "read", || value.read());
        let numbytes = run(code.kind, "numbytes", || value.numbytes()).unwrap_or(0);
        if let Some(entry) = self.lock().state.entry_mut(code.descriptor()) {
            entry.body = Body::Code(code.clone(), numbytes);
        }
        Some(read.and_then(|contents| Ok((stat, contents.charged(&self.budget)?))))
    }

    /// Writes a file of code, if it is at the version that is expected. `None` as in
    /// [`read_code`](Table::read_code).
    ///
    /// A cas that was asked for by name guards the name: if that is lost while the type writes, it
    /// is refused, though those who have the file open see what was written.
    pub(super) fn write_code(
        &self,
        file: FileRef<'_>,
        code: &Arc<Code>,
        expected: Option<u64>,
        contents: &Contents,
        expiry: Expiry,
    ) -> Option<Result<u64, Refusal>> {
        let mut held = code.lock();
        let value = held.as_mut()?;
        let current = self.current(file, code, value)?.version;
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
        let mut table = self.lock();
        let end = table.end(expiry);
        // Before the change: it must not give a name that has expired meanwhile a new deadline.
        let lost = self.stat_of(&mut table, file, code).is_none();
        let body = Body::Code(code.clone(), numbytes);
        let (version, replaced) = table.state.change(code.descriptor(), body, end);
        table.replaced = replaced;
        if lost && expected.is_some() {
            let now = table.find(file, |entry, _| entry.version).unwrap_or(0);
            return Some(Err(Refusal::Version(now)));
        }
        Some(written.map(|()| version))
    }

    /// What a file of code is, after its type has looked whether something else has changed it.
    /// `None` if it no longer has the name that was asked for.
    fn current(
        &self,
        file: FileRef<'_>,
        code: &Arc<Code>,
        value: &mut Box<dyn File>,
    ) -> Option<Stat> {
        let changed = run(code.kind, "refresh", || value.refresh()).unwrap_or(false);
        let mut table = self.lock();
        let stat = self.stat_of(&mut table, file, code)?;
        if changed {
            table.state.renew(code.descriptor())?;
            return self.stat_of(&mut table, file, code);
        }
        Some(stat)
    }

    /// What the file is that is meant, if that is this one.
    fn stat_of(&self, table: &mut Locked<'_>, file: FileRef<'_>, code: &Arc<Code>) -> Option<Stat> {
        let found = table.find(file, |entry, now| match &entry.body {
            Body::Code(found, _) if Arc::ptr_eq(found, code) => Some(entry.stat(now)),
            _ => None,
        });
        found.flatten()
    }
}
