//! What ends by itself, and who has to be told: the work of threads that serve no client.

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

/// After so long it is tried again to remove what could not be, because the disk is full.
const TRY_AGAIN: Duration = Duration::from_secs(1);

/// Who removes many names at once lets others in after so many.
pub(in crate::files) const SWEEP_NAMES: usize = 256;

/// So many of their removals may wait to be seen. They are in one commit, or in two, and others wait
/// as long for theirs: it takes milliseconds.
const MAX_STAGED: usize = 1024;

impl Table {
    /// Removes what has expired, sleeps until something else will have, and so on until
    /// [`close`](Table::close). For a thread of its own.
    pub fn sweep(&self) {
        loop {
            let (mut table, swept) = self.lock_swept();
            if table.state.closed {
                return;
            }
            let next = table.state.ends.next().map(|(at, _)| at);
            let wakes = if swept.is_ok() { next } else { Some(table.now() + TRY_AGAIN) };
            table.state.sweeper = Some(Sweeper { thread: std::thread::current(), wakes });
            drop(table);
            self.clock.park_until(wakes);
        }
    }

    /// Wakes the watches that a change concerns, until [`close`](Table::close). For a thread of its
    /// own: to wake a thousand takes milliseconds, and who made the change shall not wait so long.
    pub fn notify(&self) {
        for news in &self.woken {
            // Who made the change is answered first, if it runs on the same processor.
            std::thread::yield_now();
            news.waker.wake();
        }
    }

    /// Ends the threads in [`sweep`](Table::sweep) and [`notify`](Table::notify). Waiting watches
    /// are woken before, and none waits from now on.
    pub fn close(&self) {
        let mut state = self.lock().state;
        state.closed = true;
        state.watchers.close();
        if let Some(sweeper) = &state.sweeper {
            sweeper.thread.unpark();
        }
    }

    /// Removes all files that [live as long as](crate::Expiry::With) this client. It ends after the
    /// client's last request, before what the client has open is closed.
    pub fn end_client(&self, client: ClientId) {
        let mut after = None;
        self.remove_for_sure(|table, first| {
            let after_it = after.take_if(|_| !first);
            let names = table.state.ends.of(client, after_it.as_ref()).take(SWEEP_NAMES);
            let names: Vec<Name> = names.cloned().collect();
            after = names.last().cloned();
            names
        });
    }

    /// Removes a file that has ended, whose name nobody else can take.
    pub(in crate::files) fn remove_ended(&self, name: &Name) {
        self.remove_for_sure(|table, first| {
            let is_there = first && table.state.files.contains_key(name);
            is_there.then(|| name.clone()).into_iter().collect()
        });
    }

    /// The lock, when everything is removed that has expired by now, or cannot be.
    pub(in crate::files) fn lock_swept(&self) -> (Locked<'_>, Result<(), Refusal>) {
        let mut after = None;
        self.remove_each(|table, first| {
            if table.state.ends.next().is_none() {
                return Vec::new(); // the usual case, spared a look at the clock
            }
            let now = table.now();
            let due = table.state.ends.due(now, after.take_if(|_| !first)).take(SWEEP_NAMES);
            let (places, names): (Vec<_>, Vec<_>) =
                due.map(|(at, name)| (at, name.clone())).unzip();
            after = places.last().copied();
            names
        })
    }

    /// Removes what `pick` picks, however long there is no room to write that down.
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

    /// Removes what `pick` picks: some names at a time, from the first and then behind those, until
    /// it picks none from the first. The lock under which it picked none, or why that cannot be.
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
                    let staged = table.state.staged(FileRef::Name(name.as_ref()));
                    let ticket = staged.unwrap_or_else(|| table.remove(&name, Asked::End));
                    if !ticket.is_done() {
                        tickets.push_back(ticket);
                    }
                }
                if !many {
                    break;
                }
                table = self.let_others(table);
                if tickets.len() > MAX_STAGED {
                    drop(table);
                    let removed =
                        tickets.drain(..tickets.len() - MAX_STAGED).try_for_each(|t| t.wait());
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
