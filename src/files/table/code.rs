//! Reading and writing files that are code.
//!
//! A type's code runs under its file's lock and never under the table's. The order is always one
//! file's lock, then the table's.

use super::Table;
use crate::contents::Contents;
use crate::files::file::File;
use crate::files::stat::Stat;
use crate::files::state::asked::Asked;
use crate::files::state::code::Code;
use crate::files::state::entry::{Body, Entry};
use crate::files::state::expiry::Expiry;
use crate::name::FileRef;
use crate::refusal::{Limit, Refusal};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

/// A type's code panicked; it has been logged.
pub(in crate::files) struct Panicked;

/// Runs a type's code.
pub(in crate::files) fn run<T>(
    kind: &str,
    operation: &str,
    code: impl FnOnce() -> T,
) -> Result<T, Panicked> {
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
pub(in crate::files) fn ask<T>(
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
    pub(in crate::files) fn read_code(
        &self,
        file: FileRef<'_>,
        code: &Arc<Code>,
    ) -> Option<Result<(Stat, Contents), Refusal>> {
        let mut held = code.lock();
        let value = held.as_mut()?;
        // Nobody can write meanwhile; and a name that is lost meanwhile was there when it began.
        let stat = match self.current(file, code, value) {
            // Who writes on that version later will be told that it is over.
            Err(Refusal::Limit(Limit::Data, _)) => self.look(file, stat_of(code)).1.flatten()?,
            Err(refusal) => return Some(Err(refusal)),
            Ok(stat) => stat?,
        };
        let read = ask(code.kind(), "read", || value.read());
        let numbytes = run(code.kind(), "numbytes", || value.numbytes()).unwrap_or(0);
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
    pub(in crate::files) fn write_code(
        &self,
        file: FileRef<'_>,
        code: &Arc<Code>,
        expected: Option<u64>,
        contents: &Contents,
        expiry: Expiry,
    ) -> Option<Result<u64, Refusal>> {
        let mut held = code.lock();
        let value = held.as_mut()?;
        let current = match self.current(file, code, value) {
            Ok(stat) => stat?.version,
            Err(refusal) => return Some(Err(refusal)),
        };
        if expected.is_some_and(|version| version != current) {
            return Some(Err(Refusal::Version(current)));
        }
        let written = match run(code.kind(), "write", || value.write(contents.clone())) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(refusal)) => return Some(Err(allowed(refusal))),
            // Nobody knows what it has done: the file counts as changed.
            Err(Panicked) => Err(Refusal::Internal),
        };
        let numbytes = run(code.kind(), "numbytes", || value.numbytes()).unwrap_or(0);
        // Before the change: it must not give a name that has expired meanwhile a new deadline.
        let (mut table, stat) = match self.look_to_change(file, stat_of(code)) {
            Ok(looked) => looked,
            Err(refusal) => return Some(Err(refusal)),
        };
        let end = table.end(expiry);
        let body = Body::Code(code.clone(), numbytes);
        let (version, ticket) = table.change(code.descriptor(), Asked::Put(None), body, end);
        let lost = stat.flatten().is_none();
        let now = table.state.entry(file).map_or(0, |entry| entry.version);
        drop(table);
        // The file's lock is held until everybody sees the version.
        if ticket.wait().is_err() {
            // The type has taken it all the same, so the next command takes a version first.
            code.set_changed(true);
            return Some(Err(Refusal::Internal));
        }
        if lost && expected.is_some() {
            return Some(Err(Refusal::Version(now)));
        }
        Some(written.map(|()| version))
    }

    /// What a file of code is, after its type has looked whether something else has changed it.
    /// Nothing if it no longer has the name that was asked for.
    fn current(
        &self,
        file: FileRef<'_>,
        code: &Arc<Code>,
        value: &mut Box<dyn File>,
    ) -> Result<Option<Stat>, Refusal> {
        if run(code.kind(), "refresh", || value.refresh()).unwrap_or(false) {
            code.set_changed(true);
        }
        if code.is_changed() && self.look(file, stat_of(code)).1.flatten().is_some() {
            let body_and_end = |entry: &Entry, _| (entry.body.clone(), entry.end);
            let (mut table, found) = self.look_to_change(code.descriptor(), body_and_end)?;
            let Some((body, end)) = found else { return Ok(None) };
            let (_, ticket) = table.change(code.descriptor(), Asked::Put(None), body, end);
            drop(table);
            ticket.wait()?;
            code.set_changed(false);
        }
        Ok(self.look(file, stat_of(code)).1.flatten())
    }
}

/// What an entry is, if it is that of this file.
fn stat_of(code: &Arc<Code>) -> impl Fn(&Entry, Duration) -> Option<Stat> + '_ {
    |entry, now| match &entry.body {
        Body::Code(found, _) if Arc::ptr_eq(found, code) => Some(entry.stat(now)),
        _ => None,
    }
}
