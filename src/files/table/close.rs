//! Closing a file. The last close ends a code file, whose name is busy until its value is dropped.

use super::Table;
use super::busy::Busy;
use super::code::run;
use crate::files::file::ClientId;
use crate::files::file_type::AnyFile;
use crate::files::state::asked::Asked;
use crate::files::state::code::{Code, Value};
use crate::files::state::files::entry::Body;
use crate::files::state::ticket::Ticket;
use crate::name::{Fd, FileRef};
use crate::refusal::Refusal;
use std::collections::VecDeque;

/// A value whose last open was closed. Its file is removed, and then the value is dropped.
pub(super) struct Ending<'a> {
    /// Present if the file has a name: keeps a new file of this name from meeting the value.
    busy: Option<Busy<'a>>,
    kind: &'static str,
    value: Option<Box<dyn AnyFile>>,
    ticket: Ticket,
}

/// How many values may wait until their files are removed, by one commit or two.
const MAX_ENDINGS: usize = 256;

/// The pending ends of files of a client that closes many.
#[derive(Default)]
pub(crate) struct Endings<'a>(VecDeque<Ending<'a>>);

impl Table {
    /// Closes one open that the client has. The last close ends a code file.
    ///
    /// # Errors
    /// [`Refusal::BadDescriptor`] if nobody has the descriptor open.
    pub(crate) fn close_file(&self, fd: Fd, by: ClientId) -> Result<(), Refusal> {
        if let Some(Some(ending)) = self.close_locked(fd, by, |code| Some(code.lock()))? {
            ending.finish();
        }
        Ok(())
    }

    /// Does a [`close_file`](Table::close_file) if no operation of the file is running. Returns
    /// whether it is done, apart from what is left to `endings`.
    pub(crate) fn try_close_file<'a>(
        &'a self,
        fd: Fd,
        by: ClientId,
        endings: &mut Endings<'a>,
    ) -> bool {
        match self.close_locked(fd, by, Code::try_lock) {
            Ok(None) => false,
            Ok(Some(ending)) => {
                ending.into_iter().for_each(|ending| endings.push(ending));
                true
            }
            Err(_) => true,
        }
    }

    /// Returns `None` if the file's lock was not available.
    fn close_locked(
        &self,
        fd: Fd,
        by: ClientId,
        lock: impl Fn(&Code) -> Option<Value<'_>>,
    ) -> Result<Option<Option<Ending<'_>>>, Refusal> {
        let table = self.lock();
        let entry =
            table.state.files.entry(FileRef::Descriptor(fd)).ok_or(Refusal::BadDescriptor)?;
        let body = entry.body.clone();
        drop(table);
        let ending = match body {
            Body::Code(code, _) => {
                let Some(mut value) = lock(&code) else { return Ok(None) };
                if let Some(value) = value.as_mut() {
                    let _ = run(code.kind(), "close", || value.close(by)); // a panic counts as closed
                }
                self.release(fd, value)
            }
            Body::Bytes(_) | Body::Stored(_) => {
                let mut table = self.lock_visible(FileRef::Descriptor(fd));
                if let Some(closed) = table.state.files.descriptors.release(fd) {
                    let body = closed.file.and_then(|id| table.state.close(id));
                    table.drop_later(body);
                }
                None
            }
        };
        Ok(Some(ending))
    }

    /// Counts one open fewer of a code file whose lock is held. The last one ends the file: the
    /// name is removed, which is a change, and stays busy until the value has been dropped.
    pub(super) fn release(&self, fd: Fd, mut value: Value<'_>) -> Option<Ending<'_>> {
        let mut table = self.lock_visible(FileRef::Descriptor(fd));
        let file = table.state.files.descriptors.release(fd)?.file?;
        let entry = &table.state.files[file];
        let (kind, name) = (entry.kind(), entry.name.clone());
        // Another file may soon have the number.
        let body = table.state.close(file);
        table.drop_later(body);
        let (busy, ticket) = match name {
            Some(name) => {
                let busy = self.busy(&mut table, name);
                (Some(busy), table.remove(file, Asked::End))
            }
            None => (None, Ticket::DONE),
        };
        drop(table);
        Some(Ending { busy, kind, value: value.take(), ticket })
    }
}

impl Ending<'_> {
    /// Waits until the file is removed, and drops the value.
    pub(super) fn finish(self) {
        if let (Err(_), Some(Busy { table, name })) = (self.ticket.wait(), &self.busy) {
            table.remove_ended(name);
        }
        let _ = run(self.kind, "drop", || drop(self.value));
    }
}

impl<'a> Endings<'a> {
    /// Adds an ending, and finishes those that need no wait.
    fn push(&mut self, ending: Ending<'a>) {
        self.0.push_back(ending);
        while self.0.len() > MAX_ENDINGS || self.0.front().is_some_and(|e| e.ticket.is_known()) {
            self.0.pop_front().into_iter().for_each(Ending::finish);
        }
    }

    /// Finishes all endings.
    pub(crate) fn finish(self) {
        self.0.into_iter().for_each(Ending::finish);
    }
}
