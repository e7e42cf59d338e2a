//! A decided change: its effect on the table, and what a store keeps of it.

use super::expiry::End;
use super::files::entry::{Body, Entry};
use super::key::Key;
use super::ticket::Commit;
use crate::budget::Charge;
use crate::files::stat::{Looked, Stat};
use crate::files::store::{Life, Mutation};
use crate::name::Name;
use std::sync::Arc;
use std::time::Duration;

/// The decided state of a file.
#[derive(Clone, Debug)]
pub(in crate::files) struct Draft {
    pub(in crate::files) version: u64,
    pub(in crate::files) body: Body,
    pub(in crate::files) end: Option<End>,
}

/// A change to the table.
#[derive(Debug)]
pub(in crate::files) struct Step {
    pub(in crate::files) key: Key,
    pub(in crate::files) effect: Effect,
}

/// What a change does. A file without a name can only be changed.
#[derive(Debug)]
pub(in crate::files) enum Effect {
    /// `removed` is the version of an earlier file's removal from this name, if remembered.
    Insert {
        draft: Draft,
        charge: Charge,
        removed: Option<u64>,
    },
    Change {
        draft: Draft,
        old: u64,
    },
    Touch {
        end: Option<End>,
    },
    /// `open` is the body of a file that is open and whose contents the store will drop.
    Remove {
        version: u64,
        old: u64,
        open: Option<Body>,
    },
    /// A name got a file and lost it again.
    Pass {
        version: u64,
        removed: Option<u64>,
    },
}

/// The changes of one commit.
#[derive(Debug)]
pub(in crate::files) struct Batch {
    /// In the order of their versions.
    pub(in crate::files) steps: Vec<CommitStep>,
    /// Files whose requests leave them unchanged.
    pub(in crate::files) unchanged: Vec<Key>,
    pub(in crate::files) commit: Arc<Commit>,
}

/// A commit's change to a file, and its replacement if there is no room for the contents.
#[derive(Debug)]
pub(in crate::files) struct CommitStep {
    pub(in crate::files) step: Step,
    pub(in crate::files) instead: Option<Step>,
    /// The first of the versions that this change combines.
    pub(in crate::files) first: Option<u64>,
}

impl CommitStep {
    /// Returns both for the store.
    pub(in crate::files) fn mutations(&self) -> (Mutation, Option<Mutation>) {
        (self.step.mutation(), self.instead.as_ref().map(Step::mutation))
    }
}

impl Draft {
    pub(in crate::files) fn of(entry: &Entry) -> Self {
        Draft { version: entry.version, body: entry.body.clone(), end: entry.end() }
    }

    pub(in crate::files) fn is_over(&self, now: Duration) -> bool {
        self.end.is_some_and(|end| end.is_over(now))
    }

    /// Returns what a read shows, if the contents are in memory.
    pub(in crate::files) fn look(&self, now: Duration) -> Option<Looked> {
        let contents = self.body.contents()?;
        Some(Looked { stat: Stat::new(self.version, &self.body, self.end, now), contents })
    }
}

impl Step {
    /// Returns the version that the step takes, if any.
    pub(in crate::files) fn version(&self) -> Option<u64> {
        match &self.effect {
            Effect::Insert { draft, .. } | Effect::Change { draft, .. } => Some(draft.version),
            Effect::Remove { version, .. } | Effect::Pass { version, .. } => Some(*version),
            Effect::Touch { .. } => None,
        }
    }

    /// Returns the change for the store.
    pub(in crate::files) fn mutation(&self) -> Mutation {
        let name = match &self.key {
            Key::Name(name) => name.clone(),
            Key::Open(_) => return Mutation::Unnamed { version: self.version().unwrap_or(0) },
        };
        match &self.effect {
            Effect::Insert { draft, removed, .. } => put(name, draft, None, *removed),
            Effect::Change { draft, old } => put(name, draft, Some(*old), None),
            Effect::Touch { end } => Mutation::Touch { name, life: life(*end) },
            Effect::Remove { version, old, .. } => {
                Mutation::Remove { name, version: *version, old: *old }
            }
            Effect::Pass { version, removed } => {
                Mutation::Pass { name, version: *version, removed: *removed }
            }
        }
    }
}

fn put(name: Name, draft: &Draft, old: Option<u64>, removed: Option<u64>) -> Mutation {
    let contents = draft.body.contents();
    Mutation::Put { name, version: draft.version, old, removed, life: life(draft.end), contents }
}

fn life(end: Option<End>) -> Life {
    match end {
        None => Life::Unlimited,
        Some(End::At(time)) => Life::Until(time),
        Some(End::With(_)) => Life::Connection,
    }
}
