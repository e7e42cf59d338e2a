//! Files that end by themselves, and waking watches: the work of threads that serve no client.

use super::Table;
use super::locked::Locked;
use crate::files::file::ClientId;
use crate::files::state::Sweeper;
use crate::files::state::asked::Asked;
use crate::files::state::ticket::Ticket;
use crate::name::{FileRef, Name};
use crate::refusal::Refusal;
use std::collections::VecDeque;
use std::time::Duration;

/// How long to wait before retrying a removal that failed because the disk is full.
const TRY_AGAIN: Duration = Duration::from_secs(1);

/// How many names a bulk removal removes before it lets others in.
pub(in crate::files) const SWEEP_NAMES: usize = 256;

/// How many removals may wait to become visible. They are in one commit, or in two, and others wait
/// as long for theirs: a matter of milliseconds.
const MAX_PENDING: usize = 1024;

impl Table {
    /// Removes expired files, sleeps until the next expiry, and repeats this until
    /// [`close`](Table::close). Runs in a thread of its own.
    pub(crate) fn sweep(&self) {
        loop {
            let (mut table, swept) = self.lock_swept();
            if table.state.closed {
                return;
            }
            let next = table.state.ends.next();
            let wakes = if swept.is_ok() { next } else { Some(table.now() + TRY_AGAIN) };
            table.state.sweeper = Some(Sweeper { thread: std::thread::current(), wakes });
            drop(table);
            self.clock.park_until(wakes);
        }
    }

    /// Wakes the watches that a change concerns, until [`close`](Table::close). Runs in a thread of
    /// its own: waking a thousand takes milliseconds, which the change's author should not wait.
    pub(crate) fn notify(&self) {
        for news in &self.woken {
            // The author of the change is answered first, if it runs on the same processor.
            std::thread::yield_now();
            news.waker.wake();
        }
    }

    /// Ends the threads in [`sweep`](Table::sweep) and [`notify`](Table::notify). Wakes waiting
    /// watches first; none waits from now on.
    pub(crate) fn close(&self) {
        let mut state = self.lock().state;
        state.closed = true;
        state.watchers.close();
        if let Some(sweeper) = &state.sweeper {
            sweeper.thread.unpark();
        }
    }

    /// Removes all files that [live as long as](crate::Expiry::With) this client. This comes after
    /// the client's last request and before its open files are closed.
    pub(crate) fn end_client(&self, client: ClientId) {
        let mut after = None;
        self.remove_for_sure(|table, first| {
            let after_it = after.take_if(|_| !first);
            let names = table.state.ends.of(client, after_it.as_ref()).take(SWEEP_NAMES);
            let names: Vec<Name> = names.cloned().collect();
            after = names.last().cloned();
            names
        });
    }

    /// Removes an ended file whose name nobody else can take.
    pub(in crate::files) fn remove_ended(&self, name: &Name) {
        self.remove_for_sure(|table, first| {
            let exists =
                first && table.state.files.find(FileRef::Name(name.as_name_ref())).is_some();
            exists.then(|| name.clone()).into_iter().collect()
        });
    }

    /// Removes everything that has expired by now. Returns the lock, and the error if that failed.
    pub(in crate::files) fn lock_swept(&self) -> (Locked<'_>, Result<(), Refusal>) {
        let mut after = None;
        self.remove_each(|table, first| {
            if table.state.ends.next().is_none() {
                return Vec::new(); // the usual case, without reading the clock
            }
            let now = table.now();
            let due = table.state.ends.due(now, after.take_if(|_| !first)).take(SWEEP_NAMES);
            let due: Vec<_> = due.collect();
            after = due.last().map(|(deadline, _)| *deadline);
            due.into_iter().filter_map(|(_, id)| table.state.files[id].name.clone()).collect()
        })
    }

    /// Removes what `pick` picks. Retries while there is no room to write that down.
    fn remove_for_sure(&self, mut pick: impl FnMut(&mut Locked<'_>, bool) -> Vec<Name>) {
        loop {
            let (table, removed) = self.remove_each(&mut pick);
            if removed.is_ok() || table.state.closed {
                return;
            }
            drop(table);
            std::thread::sleep(TRY_AGAIN);
        }
    }

    /// Removes what `pick` picks: some names at a time, from the first and then after those, until
    /// it picks none from the first. Returns the lock under which it picked none, or the error.
    fn remove_each(
        &self,
        mut pick: impl FnMut(&mut Locked<'_>, bool) -> Vec<Name>,
    ) -> (Locked<'_>, Result<(), Refusal>) {
        let mut table = self.lock();
        loop {
            let (mut tickets, mut first) = (VecDeque::new(), true);
            loop {
                let names = pick(&mut table, first);
                if names.is_empty() {
                    break;
                }
                first = false;
                let many = names.len() == SWEEP_NAMES;
                for name in names {
                    let file = FileRef::Name(name.as_name_ref());
                    let ticket = table.state.ticket(file).or_else(|| {
                        let id = table.state.files.find(file)?;
                        Some(table.remove(id, Asked::End))
                    });
                    tickets.extend(ticket.filter(|ticket| !ticket.is_done()));
                }
                if !many {
                    break;
                }
                table = self.let_others(table);
                if tickets.len() > MAX_PENDING {
                    drop(table);
                    let removed =
                        tickets.drain(..tickets.len() - MAX_PENDING).try_for_each(|t| t.wait());
                    table = self.lock();
                    if removed.is_err() {
                        return (table, removed);
                    }
                }
            }
            if first {
                return (table, Ok(()));
            }
            if !tickets.is_empty() {
                drop(table);
                let removed = tickets.iter().try_for_each(Ticket::wait);
                table = self.lock();
                if removed.is_err() {
                    return (table, removed);
                }
            }
        }
    }
}
