//! Finding what has changed since a version, and waiting for changes.

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

/// The changes found: the latest state of each name, in version order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Changes {
    /// The version to continue watching from.
    pub(crate) rev: u64,
    /// The changes; empty if nothing has changed.
    pub(crate) changes: Vec<Change>,
}

impl Changes {
    /// Returns the memory they take, including names that may have no other holder any more.
    pub(crate) fn bytes(&self) -> u64 {
        let names = self.changes.iter().map(|change| cost::name(change.name.as_name_ref()));
        block(self.changes.capacity() * size_of::<Change>()) + names.sum::<u64>()
    }
}

/// The state of a name after its latest change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    /// The version that the change took.
    pub(crate) version: u64,
    /// The name that changed.
    pub(crate) name: Name,
    /// The length of the contents, as far as it is known without running the type's code. `None` if
    /// the name no longer has a file.
    pub(crate) numbytes: Option<u64>,
}

impl Change {
    fn of(First { version, name, numbytes }: First) -> Option<Self> {
        name.map(|name| Change { version, name, numbytes })
    }
}

/// The result of [`Table::watch`].
#[derive(Debug)]
pub(crate) enum Watch<'a> {
    /// There are changes, or the table is closed and there will be none.
    Now(Changes),
    /// There are no changes yet.
    Later(Waiting<'a>),
}

/// A waiting watch. It misses no change from now on, however late its result is read.
#[derive(Debug)]
pub(crate) struct Waiting<'a> {
    table: &'a Table,
    place: Place<'a>,
    prefix: String,
    max: usize,
    /// The version when the watch joined.
    since: u64,
}

impl Waiting<'_> {
    /// Returns the waker, which wakes at the first change and when the table is closed.
    pub(crate) fn waker(&self) -> &Waker {
        self.place.waker()
    }

    /// Returns the watched prefix.
    pub(crate) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Ends the wait. Returns what has changed since it began, perhaps nothing. Has at least the
    /// first change, however old; a watch from its version then reports what is forgotten.
    pub(crate) fn changes(self) -> Changes {
        let (table, news) = self.place.leave();
        let since = match news.first() {
            Some(first) => first.version - 1,
            // No news arrives after the table is closed.
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
    /// Returns what has changed since version `rev` among the names that begin with `prefix`: at
    /// most `max` names, those that changed first. Without `waits`, that may be nothing.
    ///
    /// A name with a [secret](crate::NameRef::secret) is included only if the prefix has the secret
    /// too.
    ///
    /// # Errors
    /// [`Refusal::Compacted`] if names removed since `rev` are forgotten, or `rev` is greater than
    /// any version of this table. [`Refusal::Internal`] if no file descriptor is left to wait with.
    pub(crate) fn watch(
        &self,
        prefix: &str,
        rev: u64,
        max: usize,
        waits: bool,
    ) -> Result<Watch<'_>, Refusal> {
        let (table, _) = self.lock_swept();
        if rev > table.state.version {
            return Err(Refusal::Compacted(table.state.version.into()));
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

    /// Scans the changes since `rev`, with pauses if there are many. Returns the lock under which
    /// the last of them was read.
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
                return Err(Refusal::Compacted(table.state.version.into()));
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

/// How far a scan has come.
enum Look {
    All,
    /// Found as many changes as requested, up to this version; there are more.
    Full(u64),
    /// Paused after this version.
    Paused(u64),
}

impl State {
    /// Adds changes after version `from`.
    fn gather(&self, prefix: &str, from: u64, max: usize, found: &mut Vec<Change>) -> Look {
        for (looked, (version, logged)) in self.changes.since(from).enumerate() {
            let (name, numbytes) = match logged {
                Logged::Gone(name) => (Some(name), None),
                Logged::File(id) => {
                    let entry = &self.files[id];
                    (entry.name.as_ref(), Some(entry.body.numbytes()))
                }
            };
            if let Some(name) = name.filter(|name| shows(prefix, name)) {
                if let Some(last) = found.get(max - 1) {
                    return Look::Full(last.version);
                }
                found.push(Change { version, name: name.clone(), numbytes });
            }
            if looked + 1 == SHORT {
                return Look::Paused(version);
            }
        }
        Look::All
    }
}

/// Keeps only the latest of each name: a name that changed again during a pause occurs twice.
fn keep_latest(changes: &mut Vec<Change>) {
    let mut seen = HashSet::new();
    changes.reverse();
    changes.retain(|change| seen.insert(change.name.clone()));
    changes.reverse();
}
