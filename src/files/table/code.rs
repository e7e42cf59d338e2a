//! Reading and writing code files.
//!
//! A type's code runs under its file's lock and never under the table's. The order of locks is
//! always one file's, then the table's.

use super::Table;
use crate::contents::Contents;
use crate::files::file::{Caller, ClientId};
use crate::files::file_type::AnyFile;
use crate::files::stat::Stat;
use crate::files::state::asked::Asked;
use crate::files::state::code::Code;
use crate::files::state::expiry::Expiry;
use crate::files::state::files::entry::{Body, Entry};
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
        // This may run the type's code again: dropping the panic's payload may panic.
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            std::mem::forget(payload);
        }
        Panicked
    })
}

/// [`run`]s code that may refuse. A refusal that no type may give becomes [`Refusal::Internal`].
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
    /// Reads a code file. Returns `None` if it ended, or lost the requested name, before its lock
    /// was taken: then the caller asks the table again.
    pub(in crate::files) fn read_code(
        &self,
        file: FileRef<'_>,
        code: &Arc<Code>,
        by: ClientId,
    ) -> Option<Result<(Stat, Contents), Refusal>> {
        let mut held = code.lock();
        let value = held.as_mut()?;
        // Nobody can write meanwhile, and a name that is lost meanwhile existed at the start.
        let stat = match self.current(file, code, value) {
            // A later write on that version will be refused as outdated.
            Err(Refusal::Limit(Limit::Data, _)) => self.look(file, stat_of(code)).1.flatten()?,
            Err(refusal) => return Some(Err(refusal)),
            Ok(stat) => stat?,
        };
        let read = ask(code.kind(), "read", || value.read(Caller::new(by, file)));
        let numbytes = run(code.kind(), "numbytes", || value.numbytes()).unwrap_or(0);
        let state = &mut *self.lock().state;
        if let Some(id) = state.files.find(code.descriptor()) {
            state.files[id].body = Body::Code(code.clone(), numbytes);
        }
        Some(read.and_then(|contents| Ok((stat, contents.charged(&self.budget)?))))
    }

    /// Writes a code file, if it is at the expected version. Returns `None` as in
    /// [`read_code`](Table::read_code).
    ///
    /// A cas by name guards the name: if the name is lost while the type writes, the cas is
    /// refused, though clients that have the file open see what was written.
    pub(in crate::files) fn write_code(
        &self,
        file: FileRef<'_>,
        code: &Arc<Code>,
        expected: Option<u64>,
        contents: &Contents,
        expiry: Expiry,
        by: ClientId,
    ) -> Option<Result<u64, Refusal>> {
        let mut held = code.lock();
        let value = held.as_mut()?;
        let current = match self.current(file, code, value) {
            Ok(stat) => stat?.version,
            Err(refusal) => return Some(Err(refusal)),
        };
        if expected.is_some_and(|version| version != current) {
            return Some(Err(Refusal::Version(current.into())));
        }
        let contents = match contents.clone().counted(&self.budget) {
            Ok(contents) => contents,
            Err(refusal) => return Some(Err(refusal)),
        };
        let caller = Caller::new(by, file);
        let written = match run(code.kind(), "write", || value.write(contents, caller)) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(refusal)) => return Some(Err(allowed(refusal))),
            // The effect is unknown: the file counts as changed.
            Err(Panicked) => Err(Refusal::Internal),
        };
        let numbytes = run(code.kind(), "numbytes", || value.numbytes()).unwrap_or(0);
        // Before the change, which must not give a name that has expired meanwhile a new deadline.
        let is_it = |entry: &Entry| is_of(entry, code);
        let (mut table, found) = match self.look_to_change(file, is_it) {
            Ok(looked) => looked,
            Err(refusal) => return Some(Err(refusal)),
        };
        let lost = found.is_none_or(|(_, is_it)| !is_it);
        let Some(id) = table.state.files.find(code.descriptor()) else {
            return Some(Err(Refusal::Internal)); // it is open, so there is one
        };
        let (body, end) = (Body::Code(code.clone(), numbytes), table.end(expiry));
        let (version, ticket) = table.change(id, Asked::Put(None), body, end);
        let now = table.state.files.entry(file).map_or(0, |entry| entry.version);
        drop(table);
        // The file's lock is held until the version is visible to everybody.
        if ticket.wait().is_err() {
            // The type has taken the write all the same, so the next command takes a version first.
            code.set_changed(true);
            return Some(Err(Refusal::Internal));
        }
        if lost && expected.is_some() {
            return Some(Err(Refusal::Version(now.into())));
        }
        Some(written.map(|()| version))
    }

    /// Returns the stat of a code file, after its type has checked for changes from elsewhere.
    /// Returns nothing if the file no longer has the requested name.
    fn current(
        &self,
        file: FileRef<'_>,
        code: &Arc<Code>,
        value: &mut Box<dyn AnyFile>,
    ) -> Result<Option<Stat>, Refusal> {
        if run(code.kind(), "refresh", || value.refresh()).unwrap_or(false) {
            code.set_changed(true);
        }
        if code.is_changed() && self.look(file, stat_of(code)).1.flatten().is_some() {
            let body_and_end = |entry: &Entry| (entry.body.clone(), entry.end());
            let (mut table, found) = self.look_to_change(code.descriptor(), body_and_end)?;
            let Some((id, (body, end))) = found else { return Ok(None) };
            let (_, ticket) = table.change(id, Asked::Put(None), body, end);
            drop(table);
            ticket.wait()?;
            code.set_changed(false);
        }
        Ok(self.look(file, stat_of(code)).1.flatten())
    }
}

/// Returns the stat of an entry, if it is that of this file.
fn stat_of(code: &Arc<Code>) -> impl Fn(&Entry, Duration) -> Option<Stat> + '_ {
    |entry, now| is_of(entry, code).then(|| entry.stat(now))
}

fn is_of(entry: &Entry, code: &Arc<Code>) -> bool {
    matches!(&entry.body, Body::Code(found, _) if Arc::ptr_eq(found, code))
}
