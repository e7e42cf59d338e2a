//! A decided change: its effect on the table, and what a store keeps of it.

use super::entry::{Body, Entry};
use super::expiry::End;
use crate::files::stat::Fd;
use crate::files::store::{Life, Mutation};
use crate::name::Name;

/// A change to the table.
#[derive(Debug)]
pub(in crate::files) enum Step {
    /// `removed` is the version of an earlier file's removal from this name, if remembered.
    Insert {
        name: Name,
        entry: Box<Entry>,
        removed: Option<u64>,
    },
    Change {
        name: Name,
        version: u64,
        old: u64,
        body: Body,
        end: Option<End>,
    },
    ChangeUnnamed {
        fd: Fd,
        version: u64,
        body: Body,
    },
    Touch {
        name: Name,
        end: Option<End>,
    },
    /// `open` is the body of a file that is open and whose contents the store will drop.
    Remove {
        name: Name,
        version: u64,
        old: u64,
        open: Option<Body>,
    },
    /// A name got a file and lost it again.
    Pass {
        name: Name,
        version: u64,
        removed: Option<u64>,
    },
}

impl Step {
    /// Returns the version that the step takes, if any.
    pub(in crate::files) fn version(&self) -> Option<u64> {
        match self {
            Step::Insert { entry, .. } => Some(entry.version),
            Step::Change { version, .. }
            | Step::ChangeUnnamed { version, .. }
            | Step::Remove { version, .. }
            | Step::Pass { version, .. } => Some(*version),
            Step::Touch { .. } => None,
        }
    }

    pub(in crate::files) fn file(&self) -> Result<&Name, Fd> {
        match self {
            Step::Insert { name, .. }
            | Step::Change { name, .. }
            | Step::Touch { name, .. }
            | Step::Remove { name, .. }
            | Step::Pass { name, .. } => Ok(name),
            Step::ChangeUnnamed { fd, .. } => Err(*fd),
        }
    }

    /// Returns the change for the store.
    pub(in crate::files) fn mutation(&self) -> Mutation {
        match self {
            Step::Insert { name, entry, removed } => Mutation::Put {
                name: name.clone(),
                version: entry.version,
                old: None,
                removed: *removed,
                life: life(entry.end),
                contents: entry.body.contents(),
            },
            Step::Change { name, version, old, body, end } => Mutation::Put {
                name: name.clone(),
                version: *version,
                old: Some(*old),
                removed: None,
                life: life(*end),
                contents: body.contents(),
            },
            Step::ChangeUnnamed { version, .. } => Mutation::Unnamed { version: *version },
            Step::Touch { name, end } => Mutation::Touch { name: name.clone(), life: life(*end) },
            Step::Remove { name, version, old, .. } => {
                Mutation::Remove { name: name.clone(), version: *version, old: *old }
            }
            Step::Pass { name, version, removed } => {
                Mutation::Pass { name: name.clone(), version: *version, removed: *removed }
            }
        }
    }
}

fn life(end: Option<End>) -> Life {
    match end {
        None => Life::Unlimited,
        Some(End::At(time)) => Life::Until(time),
        Some(End::With(_)) => Life::Connection,
    }
}
