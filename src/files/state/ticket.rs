//! Tickets: what a client waits for after it has changed something.

use crate::files::stat::Looked;
use crate::refusal::Refusal;
use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

/// The shared state of one commit and the tickets that wait for it.
#[derive(Debug)]
pub(in crate::files) struct Commit {
    known: Mutex<Known>,
    published: Condvar,
    /// Wakes the committer.
    to_commit: Arc<Condvar>,
}

#[derive(Debug, Default)]
struct Known {
    outcome: Option<Result<(), Refusal>>,
    /// Answers that replace success at some places. Only used if the commit succeeds.
    instead: HashMap<usize, Instead>,
}

/// The answer to a request that found no room, or that was judged by a change that found none.
#[derive(Clone, Debug)]
pub(in crate::files) enum Instead {
    Refused(Refusal),
    Read(Looked),
}

/// A promise: the change will be on disk and visible to all, or will be reported as refused.
#[derive(Clone, Debug)]
#[must_use = "nobody has seen it yet"]
pub(crate) struct Ticket(Option<(Arc<Commit>, usize)>);

impl Ticket {
    /// The ticket of a change that is already visible.
    pub(crate) const DONE: Ticket = Ticket(None);

    /// Returns whether there is nothing to wait for.
    pub(crate) fn is_done(&self) -> bool {
        self.0.is_none()
    }

    /// Blocks until the committer has made the change visible, or has refused it.
    ///
    /// # Errors
    /// [`Limit::Data`](crate::Limit::Data) if there was no room, [`Refusal::Internal`] if the disk
    /// failed. Then the change never happened. A request that was judged by a change that
    /// found no room is judged again without it, and returns that refusal, if any.
    pub(crate) fn wait(&self) -> Result<(), Refusal> {
        self.hurry();
        self.outcome().map(drop)
    }

    /// Asks the committer to commit now what waits.
    pub(crate) fn hurry(&self) {
        if let Some((commit, _)) = &self.0
            && !self.is_known()
        {
            commit.to_commit.notify_one();
        }
    }

    /// Blocks until the outcome of the commit is known: somebody commits. For a read of a change that
    /// found no room, returns the state without it.
    pub(in crate::files) fn outcome(&self) -> Result<Option<Looked>, Refusal> {
        let Some((commit, place)) = &self.0 else { return Ok(None) };
        let known = commit.known.lock().unwrap_or_else(PoisonError::into_inner);
        let waits = |known: &mut Known| known.outcome.is_none();
        let known = commit.published.wait_while(known, waits);
        let known = known.unwrap_or_else(PoisonError::into_inner);
        known.outcome.clone().unwrap_or(Err(Refusal::Internal))?;
        match known.instead.get(place) {
            None => Ok(None),
            Some(Instead::Read(looked)) => Ok(Some(looked.clone())),
            Some(Instead::Refused(refusal)) => Err(refusal.clone()),
        }
    }

    /// Returns whether [`wait`](Ticket::wait) returns at once.
    pub(crate) fn is_known(&self) -> bool {
        let Some((commit, _)) = &self.0 else { return true };
        commit.known.lock().unwrap_or_else(PoisonError::into_inner).outcome.is_some()
    }

    pub(super) fn is_of(&self, commit: &Arc<Commit>) -> bool {
        self.0.as_ref().is_some_and(|(own, _)| Arc::ptr_eq(own, commit))
    }

    pub(in crate::files) fn of(commit: &Arc<Commit>, place: usize) -> Self {
        Ticket(Some((commit.clone(), place)))
    }
}

impl Commit {
    pub(in crate::files) fn new(to_commit: &Arc<Condvar>) -> Arc<Self> {
        let (known, published) = (Mutex::default(), Condvar::new());
        Arc::new(Commit { known, published, to_commit: to_commit.clone() })
    }

    /// Sets the answer that replaces success at a place.
    pub(in crate::files) fn answer_instead(&self, place: usize, instead: Instead) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.instead.insert(place, instead);
    }

    /// Publishes the outcome to present and later waiters. The first outcome stays.
    pub(in crate::files) fn publish(&self, outcome: Result<(), Refusal>) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.outcome.get_or_insert(outcome);
        drop(known); // each waiter takes the lock as soon as it runs
        self.published.notify_all();
    }
}
