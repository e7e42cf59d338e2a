//! What those wait for who have changed something.

use crate::files::stat::Looked;
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
    outcome: Option<Result<(), Refusal>>,
    /// What holds at some places instead, if that is a success.
    instead: HashMap<usize, Instead>,
}

/// What becomes of a request for which, or for whose reasons, there was no room.
#[derive(Clone, Debug)]
pub(in crate::files) enum Instead {
    Refused(Refusal),
    Read(Looked),
}

/// A promise that something will be on disk and seen by all, or that it will be told that it is
/// not.
#[derive(Clone, Debug)]
#[must_use = "nobody has seen it yet"]
pub struct Ticket(Option<(Arc<Commit>, usize)>);

impl Ticket {
    /// Of a change that is seen already.
    pub(crate) const DONE: Ticket = Ticket(None);

    /// Whether nothing has to be waited for.
    pub fn is_done(&self) -> bool {
        self.0.is_none()
    }

    /// Waits until it is so.
    ///
    /// # Errors
    /// [`Limit::Data`](crate::Limit::Data) if there was no room, [`Refusal::Internal`] if the disk
    /// failed. Then it never was. What was judged by a change for which there was no room is
    /// refused as it is without that, if it is.
    pub fn wait(&self) -> Result<(), Refusal> {
        self.outcome().map(drop)
    }

    /// [Waits](Ticket::wait); for a read of what there was no room for, what is there instead.
    pub(crate) fn outcome(&self) -> Result<Option<Looked>, Refusal> {
        let Some((commit, place)) = &self.0 else { return Ok(None) };
        let known = commit.known.lock().unwrap_or_else(PoisonError::into_inner);
        let waits = |known: &mut Known| known.outcome.is_none();
        let known = commit.told.wait_while(known, waits);
        let known = known.unwrap_or_else(PoisonError::into_inner);
        known.outcome.clone().unwrap_or(Err(Refusal::Internal))?;
        match known.instead.get(place) {
            None => Ok(None),
            Some(Instead::Read(looked)) => Ok(Some(looked.clone())),
            Some(Instead::Refused(refusal)) => Err(refusal.clone()),
        }
    }

    /// Whether [`wait`](Ticket::wait) returns at once.
    pub(in crate::files) fn is_known(&self) -> bool {
        let Some((commit, _)) = &self.0 else { return true };
        commit.known.lock().unwrap_or_else(PoisonError::into_inner).outcome.is_some()
    }

    /// There is no room for it.
    pub(in crate::files) fn refuse(&self, why: Refusal) {
        if let Some((commit, place)) = &self.0 {
            commit.answer_instead(*place, Instead::Refused(why));
        }
    }

    pub(in crate::files) fn of(commit: &Arc<Commit>, place: usize) -> Self {
        Ticket(Some((commit.clone(), place)))
    }
}

impl Commit {
    /// Takes what to tell at a place instead of a success.
    pub(in crate::files) fn answer_instead(&self, place: usize, instead: Instead) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.instead.insert(place, instead);
    }

    /// Tells all who wait, and who comes later.
    pub(in crate::files) fn tell(&self, outcome: Result<(), Refusal>) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.outcome.get_or_insert(outcome);
        self.told.notify_all();
    }
}
