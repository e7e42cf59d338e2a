//! The threads that a table has beside those of its clients.

use super::shared::Shared;
use std::io;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

/// The threads of a table that is served.
#[derive(Debug)]
pub(super) struct Threads {
    shared: Arc<Shared>,
    sweeper: Option<JoinHandle<()>>,
    notifier: Option<JoinHandle<()>>,
    committer: Option<JoinHandle<io::Result<()>>>,
}

impl Threads {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Threads { shared, sweeper: None, notifier: None, committer: None }
    }

    /// Starts them. `lost` is called if the table's store fails, or at the end of the committer.
    ///
    /// # Errors
    /// A thread cannot be created. Those before it run, until [`close_down`](Threads::close_down).
    pub(super) fn start(&mut self, lost: impl FnOnce() + Send + 'static) -> io::Result<()> {
        let named = |name: &str| thread::Builder::new().name(name.to_string());
        let shared = self.shared.clone();
        self.sweeper = Some(named("sweep").spawn(move || shared.table.sweep())?);
        let shared = self.shared.clone();
        self.notifier = Some(named("notify").spawn(move || shared.table.notify())?);
        let shared = self.shared.clone();
        self.committer = Some(named("commit").spawn(move || {
            let done = shared.table.commit();
            if done.is_err() {
                lost();
            }
            done
        })?);
        Ok(())
    }

    /// Ends the sessions and the threads, and waits for the last commit.
    ///
    /// # Errors
    /// Those of the store, or the committer has panicked.
    pub(super) fn close_down(self) -> io::Result<()> {
        self.shared.close_down();
        for helper in self.sweeper.into_iter().chain(self.notifier) {
            helper.join().unwrap_or_else(|panic| resume_unwind(panic));
        }
        let Some(committer) = self.committer else { return Ok(()) };
        let panicked = |_| Err(io::Error::other("the committer panicked"));
        committer.join().unwrap_or_else(panicked)
    }
}
