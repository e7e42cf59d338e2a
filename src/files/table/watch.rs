//! What has changed since a version, and waiting for it.

use super::locked::Locked;
use super::wait::Place;
use super::{PAUSE, SHORT, Table};
use crate::budget::block;
use crate::files::state::changes::{Logged, shows};
use crate::files::state::watchers::{Awaited, First};
use crate::files::state::{State, cost};
use crate::name::Name;
use crate::refusal::Refusal;
use crate::waker::Waker;
use std::collections::HashSet;
use std::thread;

/// What has changed: the latest state of each name, in the order of versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changes {
    /// Watch on from here.
    pub rev: u64,
    /// Empty if nothing has changed.
    pub changes: Vec<Change>,
}

impl Changes {
    /// How much memory they take, with the names, which may have no other holder any more.
    pub fn bytes(&self) -> u64 {
        let names = self.changes.iter().map(|change| cost::name(change.name.as_ref()));
        block(self.changes.capacity() * size_of::<Change>()) + names.sum::<u64>()
    }
}

/// The state of a name after its latest change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The version that the change took.
    pub version: u64,
    /// Whose change it was.
    pub name: Name,
    /// The length of the contents, as far as it is known without the type's code. `None` if the
    /// name has no file any more.
    pub numbytes: Option<u64>,
}

impl Change {
    fn of(First { version, name, numbytes }: First) -> Option<Self> {
        name.map(|name| Change { version, name, numbytes })
    }
}

/// What [`Table::watch`] finds.
#[derive(Debug)]
pub enum Watch<'a> {
    /// There are changes, or the table is closed and there will be none.
    Now(Changes),
    /// There are none yet.
    Later(Waiting<'a>),
}

/// A watch that waits. Nothing that changes from now on is missed, however late it is looked at.
#[derive(Debug)]
pub struct Waiting<'a> {
    table: &'a Table,
    place: Place<'a>,
    prefix: String,
    max: usize,
    /// When it was joined, nothing was newer.
    since: u64,
}

impl Waiting<'_> {
    /// Wakes at the first change, and when the table is closed.
    pub fn waker(&self) -> &Waker {
        self.place.waker()
    }

    /// The prefix that is watched.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Ends the wait: what has changed since it began, nothing if that is so. At least the first
    /// change, however long ago that was; then a watch from its version says what is forgotten.
    pub fn changes(self) -> Changes {
        let (table, news) = self.place.leave();
        let since = match news.first() {
            Some(first) => first.version - 1,
            // Nobody has told it since the table was closed.
            None if table.state.closed => self.since,
            None => return Changes { rev: table.state.version, changes: Vec::new() },
        };
        match self.table.look_since(table, &self.prefix, since, self.max) {
            Ok((changes, _)) => changes,
            Err(_) => {
                let first = news.first().cloned().and_then(Change::of);
                Changes {
                    rev: first.as_ref().map_or(since, |c| c.version),
                    changes: first.into_iter().collect(),
                }
            }
        }
    }
}

impl Table {
    /// What has changed since version `rev` among the names that begin with `prefix`: at most
    /// `max` names, those that changed first. Without `waits`, that may be nothing.
    ///
    /// A name with a [secret](crate::NameRef::secret) is there only for a prefix that has the
    /// secret too.
    ///
    /// # Errors
    /// [`Refusal::Compacted`] if names that were removed since are forgotten, or `rev` is greater
    /// than any version of this table. [`Refusal::Internal`] if no file descriptor is left to wait
    /// with.
    pub fn watch(
        &self,
        prefix: &str,
        rev: u64,
        max: usize,
        waits: bool,
    ) -> Result<Watch<'_>, Refusal> {
        let (table, _) = self.lock_swept();
        if rev > table.state.version {
            return Err(Refusal::Compacted(table.state.version));
        }
        let (found, table) = self.look_since(table, prefix, rev, max)?;
        if !found.changes.is_empty() || !waits {
            return Ok(Watch::Now(found));
        }
        // Under the same lock as the last look.
        let place = Place::join(self, table, Awaited::Prefix(prefix.into()))?;
        Ok(match place {
            None => Watch::Now(found),
            Some(place) => {
                let (prefix, since) = (prefix.to_string(), found.rev);
                Watch::Later(Waiting { table: self, place, prefix, max, since })
            }
        })
    }

    /// Looks through the changes since `rev`, with pauses if they are many. The lock comes back as
    /// it was when the last of them was seen.
    fn look_since<'a>(
        &'a self,
        mut table: Locked<'a>,
        prefix: &str,
        rev: u64,
        max: usize,
    ) -> Result<(Changes, Locked<'a>), Refusal> {
        let (mut changes, mut from, mut turn) = (Vec::new(), rev, None);
        let rev = loop {
            if !table.state.changes.reaches(from) {
                return Err(Refusal::Compacted(table.state.version));
            }
            match table.state.gather(prefix, from, max, &mut changes) {
                Look::All => break table.state.version,
                Look::Full(rev) => break rev,
                Look::Paused(seen) => {
                    from = seen;
                    drop(table);
                    turn.get_or_insert_with(|| self.take_turn());
                    thread::sleep(PAUSE);
                    table = self.lock();
                }
            }
        };
        if turn.is_some() {
            keep_latest(&mut changes);
        }
        changes.shrink_to_fit();
        Ok((Changes { rev, changes }, table))
    }
}

/// How far a look has come.
enum Look {
    All,
    /// As many changes as were asked for, up to this version; there are more.
    Full(u64),
    /// This version was the last that was looked at.
    Paused(u64),
}

impl State {
    /// Adds changes after version `from`.
    fn gather(&self, prefix: &str, from: u64, max: usize, found: &mut Vec<Change>) -> Look {
        for (looked, logged) in self.changes.since(from).enumerate() {
            let Logged { version, name, gone } = logged;
            if shows(prefix, name) {
                if let Some(last) = found.get(max - 1) {
                    return Look::Full(last.version);
                }
                let entry = self.files.get(name).filter(|_| !gone);
                let numbytes = entry.map(|entry| entry.body.numbytes());
                found.push(Change { version, name: name.clone(), numbytes });
            }
            if looked + 1 == SHORT {
                return Look::Paused(version);
            }
        }
        Look::All
    }
}

/// What changed again during a pause was seen twice.
fn keep_latest(changes: &mut Vec<Change>) {
    let mut seen = HashSet::new();
    changes.reverse();
    changes.retain(|change| seen.insert(change.name.clone()));
    changes.reverse();
}
