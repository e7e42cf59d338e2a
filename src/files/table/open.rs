//! Opening a file. The first open makes a code file, whose name is busy meanwhile.

use super::Table;
use super::busy::Busy;
use super::close::Ending;
use super::code::{ask, run};
use super::locked::Locked;
use crate::contents::Contents;
use crate::files::file::ClientId;
use crate::files::file_type::Create;
use crate::files::registry::{DEFAULT, MEMORY_FILE};
use crate::files::state::code::Code;
use crate::files::state::files::entry::Body;
use crate::files::state::files::slab::Id;
use crate::files::state::ticket::Ticket;
use crate::name::{Fd, FileRef, Name, NameRef};
use crate::refusal::Refusal;
use std::sync::Arc;

/// The answer to `open`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Opened {
    /// The descriptor, the same for every client that has the file open.
    pub(crate) fd: Fd,
    /// The version that the file is at.
    pub(crate) version: u64,
    /// The name of its type.
    pub(crate) kind: &'static str,
}

/// The result of [`Table::open`].
#[derive(Debug)]
pub(crate) enum Open<'a> {
    /// The file is open.
    Now(Opened),
    /// The file is new, and not visible before it is on disk.
    Later(Opening<'a>),
}

/// An open of a new file that is not on disk yet.
#[derive(Debug)]
#[must_use = "the file stays open, and its name busy, until this is finished"]
pub(crate) struct Opening<'a> {
    table: &'a Table,
    by: ClientId,
    made: Made<'a>,
    ticket: Ticket,
}

/// A file made by an open.
#[derive(Debug)]
enum Made<'a> {
    /// A MemoryFile. It is opened like any other once it is visible.
    Memory(Name),
    /// A code file, which its first client has open.
    Code { _busy: Busy<'a>, code: Arc<Code>, version: u64 },
}

impl Open<'_> {
    /// Blocks until the file is open.
    ///
    /// # Errors
    /// Those of [`Opening::finish`].
    #[cfg(test)]
    pub(crate) fn opened(self) -> Result<Opened, Refusal> {
        let mut open = self;
        loop {
            match open {
                Open::Now(opened) => return Ok(opened),
                Open::Later(opening) => open = opening.finish()?,
            }
        }
    }
}

impl<'a> Opening<'a> {
    /// Returns what [`finish`](Opening::finish) waits for.
    #[cfg(test)]
    pub(crate) fn ticket(&self) -> &Ticket {
        &self.ticket
    }

    /// Blocks until the ticket is done, and ends the open. A `MemoryFile` that is deleted meanwhile
    /// is made again.
    ///
    /// # Errors
    /// Those of [`Ticket::wait`]: there is no new file. Also those of [`Table::open`].
    pub(crate) fn finish(self) -> Result<Open<'a>, Refusal> {
        let Opening { table, by, made, ticket } = self;
        let done = ticket.wait();
        match made {
            Made::Memory(name) => {
                done.and_then(|()| table.open(name.as_name_ref(), Some(MEMORY_FILE), by))
            }
            Made::Code { code, version, .. } => match done {
                Ok(()) => Ok(Open::Now(Opened { fd: code.fd(), version, kind: code.kind() })),
                Err(refusal) => {
                    table.undo_make(&code, by);
                    Err(refusal)
                }
            },
        }
    }

    /// Finishes the open if there is nothing to wait for.
    fn finish_if_done(self) -> Result<Open<'a>, Refusal> {
        if self.ticket.is_done() { self.finish() } else { Ok(Open::Later(self)) }
    }
}

/// An existing file, as `open` sees it.
struct Found {
    version: u64,
    kind: &'static str,
    fd: Option<Fd>,
    body: Body,
}

impl Table {
    /// Opens a file for a client. If none exists, makes it of type `kind` (`File` by default). Each
    /// open has to be [closed](Table::close_file) once.
    ///
    /// # Errors
    /// [`Refusal::WrongType`] if the file is of another type than `kind`,
    /// [`Refusal::TypeNotFound`], [`Limit::Memory`](crate::Limit::Memory), and those of the type.
    pub(crate) fn open(
        &self,
        name: NameRef<'_>,
        kind: Option<&str>,
        by: ClientId,
    ) -> Result<Open<'_>, Refusal> {
        loop {
            let (mut table, found) = self.look_to_change(FileRef::Name(name), |entry| Found {
                version: entry.version,
                kind: entry.kind(),
                fd: entry.fd(),
                body: entry.body.clone(),
            })?;
            if table.is_busy(FileRef::Name(name)) {
                self.wait_calm(table);
                continue;
            }
            if let Some((id, found)) = found {
                return self.open_found(table, id, found, kind, by).map(Open::Now);
            }
            let kind = kind.unwrap_or(DEFAULT);
            let (kind, create) = self.registry.find(kind).ok_or(Refusal::TypeNotFound)?;
            let Some(create) = create else {
                let empty = Contents::from(Vec::new()).charged(&self.budget)?;
                let (_, ticket) = table.insert(name.to_name(), Body::Bytes(empty), None)?;
                drop(table);
                let made = Made::Memory(name.to_name());
                return Opening { table: self, by, made, ticket }.finish_if_done();
            };
            let busy = self.busy(&mut table, name.to_name());
            drop(table);
            return self.make(busy, kind, create, by)?.finish_if_done();
        }
    }

    /// Opens an existing file, if it is of the requested type.
    fn open_found(
        &self,
        mut table: Locked<'_>,
        id: Id,
        found: Found,
        kind: Option<&str>,
        by: ClientId,
    ) -> Result<Opened, Refusal> {
        if let Some(kind) = kind.filter(|kind| *kind != found.kind) {
            self.registry.find(kind).ok_or(Refusal::TypeNotFound)?;
            let its = NameRef::new(found.kind).ok_or(Refusal::Internal)?;
            return Err(Refusal::WrongType(its.to_name()));
        }
        let fd = match found.fd {
            Some(fd) => {
                table.state.files.descriptors.reopen(fd);
                fd
            }
            None => table.state.open(id),
        };
        drop(table);
        if let Body::Code(code, _) = found.body {
            // The open is counted already, so the value cannot end meanwhile.
            let mut value = code.lock();
            let opened = match value.as_mut() {
                Some(value) => ask(code.kind(), "open", || value.open(by)),
                None => Err(Refusal::Internal),
            };
            if let Err(refusal) = opened {
                self.release(fd, value).into_iter().for_each(Ending::finish);
                return Err(refusal);
            }
        }
        Ok(Opened { fd, version: found.version, kind: found.kind })
    }

    /// Makes a code file and opens it for the first time, while its name is busy.
    fn make<'a>(
        &'a self,
        busy: Busy<'a>,
        kind: &'static str,
        create: &Create,
        by: ClientId,
    ) -> Result<Opening<'a>, Refusal> {
        let name = busy.name.clone();
        let mut value = ask(kind, "create", || create(&name))?;
        if let Err(refusal) = ask(kind, "open", || value.open(by)) {
            let _ = run(kind, "drop", || drop(value));
            return Err(refusal);
        }
        let numbytes = run(kind, "numbytes", || value.numbytes()).unwrap_or(0);
        let mut table = self.lock();
        let fd = table.state.files.descriptors.insert(None);
        let code = Code::new(kind, fd, value);
        let inserted = table.insert(name, Body::Code(code.clone(), numbytes), None);
        drop(table);
        match inserted {
            Ok((version, ticket)) => {
                let made = Made::Code { _busy: busy, code, version };
                Ok(Opening { table: self, by, made, ticket })
            }
            Err(refusal) => {
                self.undo_make(&code, by);
                Err(refusal)
            }
        }
    }

    /// Closes a new code file that has no entry.
    fn undo_make(&self, code: &Code, by: ClientId) {
        self.lock().state.files.descriptors.release(code.fd());
        let value = code.lock().take();
        if let Some(mut value) = value {
            let _ = run(code.kind(), "close", || value.close(by));
            let _ = run(code.kind(), "drop", || drop(value));
        }
    }
}
