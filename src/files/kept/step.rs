//! A change that is decided: what it will do to the table, and what a store has to keep of it.

use super::store::{Change, Life};
use crate::files::descriptors::Fd;
use crate::files::entry::{Body, Entry};
use crate::files::expiry::End;
use crate::files::state::State;
use crate::name::Name;
use std::mem;

/// A change to the table.
#[derive(Debug)]
pub(in crate::files) enum Step {
    Insert {
        name: Name,
        entry: Box<Entry>,
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
    /// With `open` somebody has the file open whose contents the store will drop.
    Remove {
        name: Name,
        version: u64,
        old: u64,
        open: Option<Body>,
    },
}

impl Step {
    /// What it takes, if it takes one.
    pub(super) fn version(&self) -> Option<u64> {
        match self {
            Step::Insert { entry, .. } => Some(entry.version),
            Step::Change { version, .. }
            | Step::ChangeUnnamed { version, .. }
            | Step::Remove { version, .. } => Some(*version),
            Step::Touch { .. } => None,
        }
    }

    /// The version of contents that it puts.
    pub(super) fn put(&self) -> Option<u64> {
        match self {
            Step::Insert { entry, .. } if matches!(entry.body, Body::Bytes(_)) => {
                Some(entry.version)
            }
            Step::Change { version, body: Body::Bytes(_), .. } => Some(*version),
            _ => None,
        }
    }

    /// Puts this instead; what it would have put.
    pub(super) fn put_instead(
        &mut self,
        version: u64,
        body: Body,
        end: Option<End>,
    ) -> Option<Body> {
        let (v, b, e) = match self {
            Step::Insert { entry, .. } => (&mut entry.version, &mut entry.body, &mut entry.end),
            Step::Change { version, body, end, .. } => (version, body, end),
            _ => return None,
        };
        (*v, *e) = (version, end);
        Some(mem::replace(b, body))
    }

    pub(super) fn file(&self) -> Result<&Name, Fd> {
        match self {
            Step::Insert { name, .. }
            | Step::Change { name, .. }
            | Step::Touch { name, .. }
            | Step::Remove { name, .. } => Ok(name),
            Step::ChangeUnnamed { fd, .. } => Err(*fd),
        }
    }

    /// As a store keeps it.
    pub(super) fn kept(&self, state: &State) -> Change {
        match self {
            Step::Insert { name, entry } => Change::Put {
                name: name.clone(),
                version: entry.version,
                old: None,
                removed: state.changes.removed(name),
                life: life(entry.end),
                contents: entry.body.contents(),
            },
            Step::Change { name, version, old, body, end } => Change::Put {
                name: name.clone(),
                version: *version,
                old: Some(*old),
                removed: None,
                life: life(*end),
                contents: body.contents(),
            },
            Step::ChangeUnnamed { version, .. } => Change::Unnamed { version: *version },
            Step::Touch { name, end } => Change::Touch { name: name.clone(), life: life(*end) },
            Step::Remove { name, version, old, .. } => {
                Change::Remove { name: name.clone(), version: *version, old: *old }
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
