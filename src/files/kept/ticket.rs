//! What those wait for who have changed something.

use crate::refusal::Refusal;
use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

/// One commit, as those see it who wait for it.
#[derive(Debug, Default)]
pub(in crate::files) struct Commit {
    known: Mutex<Known>,
    told: Condvar,
}

#[derive(Debug, Default)]
struct Known {
    /// For which places there was no room.
    refused: HashMap<usize, Refusal>,
    /// Of all the others.
    outcome: Option<Result<(), Refusal>>,
}

/// A promise that something will be on disk and seen by all, or that it will be told that it is
/// not.
#[derive(Clone, Debug)]
#[must_use = "nobody has seen it yet"]
pub struct Ticket(Option<(Arc<Commit>, usize)>);

impl Ticket {
    /// Of a change that is seen already.
    pub(in crate::files) const DONE: Ticket = Ticket(None);

    /// Whether nothing has to be waited for.
    pub fn is_done(&self) -> bool {
        self.0.is_none()
    }

    /// Waits until it is so.
    ///
    /// # Errors
    /// [`Limit::Data`](crate::Limit::Data) if there was no room, [`Refusal::Internal`] if the disk
    /// failed. Then it never was.
    pub fn wait(&self) -> Result<(), Refusal> {
        let Some((commit, place)) = &self.0 else { return Ok(()) };
        let known = commit.known.lock().unwrap_or_else(PoisonError::into_inner);
        let waits = |known: &mut Known| known.of(*place).is_none();
        let known = commit.told.wait_while(known, waits);
        let known = known.unwrap_or_else(PoisonError::into_inner);
        known.of(*place).unwrap_or(Err(Refusal::Internal))
    }

    pub(super) fn of(commit: &Arc<Commit>, place: usize) -> Self {
        Ticket(Some((commit.clone(), place)))
    }

    /// There is no room for it, whatever becomes of the others.
    pub(super) fn refuse(&self, why: Refusal) {
        let Some((commit, place)) = &self.0 else { return };
        let mut known = commit.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.refused.insert(*place, why);
        commit.told.notify_all();
    }

    /// Its place, if it is of this commit.
    pub(super) fn place_in(&self, commit: &Arc<Commit>) -> Option<usize> {
        self.0.as_ref().filter(|(its, _)| Arc::ptr_eq(its, commit)).map(|(_, place)| *place)
    }
}

impl Known {
    fn of(&self, place: usize) -> Option<Result<(), Refusal>> {
        match self.refused.get(&place) {
            Some(refusal) => Some(Err(refusal.clone())),
            None => self.outcome.clone(),
        }
    }
}

impl Commit {
    /// Tells all who have not been told.
    pub(super) fn tell(&self, outcome: Result<(), Refusal>) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.outcome.get_or_insert(outcome);
        self.told.notify_all();
    }
}
