//! What ends by itself, and who has to be told: the work of threads that serve no client.

use super::file::ClientId;
use super::state::{Locked, Sweeper};
use super::table::Table;

/// Who removes many names at once lets others in after so many.
const SWEEP_NAMES: usize = 256;

impl Table {
    /// Removes what has expired, sleeps until something else will have, and so on until
    /// [`close`](Table::close). For a thread of its own.
    pub fn sweep(&self) {
        loop {
            let mut table = self.lock_swept();
            if table.state.closed {
                return;
            }
            let wakes = table.state.ends.next().map(|(at, _)| at);
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

    /// Removes all files that [live as long as](super::Expiry::With) this client. It ends after the
    /// client's last request, before what the client has open is closed.
    pub fn end_client(&self, client: ClientId) {
        let mut table = self.lock();
        loop {
            for _ in 0..SWEEP_NAMES {
                let Some(name) = table.state.ends.of(client).cloned() else { return };
                table.remove(name.as_ref());
            }
            table = self.let_others(table);
        }
    }

    /// The lock, when everything is removed that has expired by now.
    pub(super) fn lock_swept(&self) -> Locked<'_> {
        let mut table = self.lock();
        loop {
            let mut names = 0;
            while names < SWEEP_NAMES
                && let Some((at, name)) =
                    table.state.ends.next().map(|(at, name)| (at, name.clone()))
                && at <= table.now()
            {
                table.remove(name.as_ref());
                names += 1;
            }
            if names < SWEEP_NAMES {
                return table;
            }
            table = self.let_others(table);
        }
    }
}
