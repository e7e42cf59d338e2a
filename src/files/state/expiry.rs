//! What ends files automatically: time, and the end of a connection.

use super::cost;
use super::files::slab::Id;
use crate::budget::{Budget, Charge};
use crate::exptime::Exptime;
use crate::files::file::ClientId;
use crate::name::Name;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound::{Excluded, Included, Unbounded};
use std::sync::Arc;
use std::time::Duration;

/// How long a written file lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expiry {
    /// Until it is deleted.
    Never,
    /// This number of seconds from the change.
    Seconds(u64),
    /// Until this client's connection [ends](crate::Table::end_client).
    With(ClientId),
}

impl Expiry {
    /// Returns the meaning of an `exptime` sent by this client.
    pub(crate) fn new(exptime: Exptime, client: ClientId) -> Self {
        match exptime {
            Exptime::Never => Expiry::Never,
            Exptime::Seconds(n) => Expiry::Seconds(n),
            Exptime::Connection => Expiry::With(client),
        }
    }
}

/// What will end a file that is not permanent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::files) enum End {
    /// A time on the table's clock.
    At(Duration),
    /// The end of this client's connection.
    With(ClientId),
}

impl End {
    /// Returns whether this time has come.
    pub(in crate::files) fn is_over(self, now: Duration) -> bool {
        matches!(self, End::At(deadline) if deadline <= now)
    }

    /// Returns the end as a reply shows it.
    pub(in crate::files) fn exptime(self, now: Duration) -> Exptime {
        match self {
            End::At(deadline) => Exptime::remaining(deadline.saturating_sub(now)),
            End::With(_) => Exptime::Connection,
        }
    }
}

/// The ends of all files that have one. A replaced end is removed at once, so that renewing a lease
/// forever takes no memory.
#[derive(Debug, Default)]
pub(in crate::files) struct Ends {
    by_time: BTreeMap<Deadline, Id>,
    by_client: BTreeMap<ClientId, BTreeSet<Name>>,
    /// For both. May exceed the budget: a lease is renewed however full the memory is.
    charge: Charge,
}

/// A deadline, and the file's version, which distinguishes equal times.
pub(in crate::files) type Deadline = (Duration, u64);

/// The cost of a deadline.
const AT_COST: u64 = cost::in_map::<Deadline, Id>();

/// The cost of an end with a connection.
const WITH_COST: u64 = cost::in_map::<Name, ()>();

/// The cost of the first such end of a connection, which allocates a set.
const CLIENT_COST: u64 = cost::first_in_map::<Name, ()>() + cost::in_map::<ClientId, [usize; 3]>();

impl Ends {
    /// Creates an empty index.
    pub(in crate::files) fn new(budget: &Arc<Budget>) -> Self {
        Ends { charge: Charge::none(budget), ..Ends::default() }
    }

    pub(in crate::files) fn insert(&mut self, end: End, version: u64, id: Id, name: &Name) {
        match end {
            End::At(at) => {
                self.charge.grow_over(AT_COST);
                self.by_time.insert((at, version), id);
            }
            End::With(client) => {
                let names = self.by_client.entry(client).or_default();
                if names.is_empty() {
                    self.charge.grow_over(CLIENT_COST);
                }
                self.charge.grow_over(WITH_COST);
                names.insert(name.clone());
            }
        }
    }

    /// Sets the new id of a file.
    pub(in crate::files) fn set_id(&mut self, end: End, version: u64, id: Id) {
        if let End::At(at) = end {
            self.by_time.insert((at, version), id);
        }
    }

    pub(in crate::files) fn remove(&mut self, end: End, version: u64, name: &Name) {
        match end {
            End::At(at) => {
                if self.by_time.remove(&(at, version)).is_some() {
                    self.charge.shrink(AT_COST);
                }
            }
            End::With(client) => {
                let Some(names) = self.by_client.get_mut(&client) else { return };
                if names.remove(name) {
                    self.charge.shrink(WITH_COST);
                }
                if names.is_empty() {
                    self.by_client.remove(&client);
                    self.charge.shrink(CLIENT_COST);
                }
            }
        }
    }

    /// Returns the earliest deadline.
    pub(in crate::files) fn next(&self) -> Option<Duration> {
        self.by_time.first_key_value().map(|((at, _), _)| *at)
    }

    /// Returns the files whose deadlines have come, ordered by deadline and version, after `after`.
    pub(in crate::files) fn due(
        &self,
        now: Duration,
        after: Option<Deadline>,
    ) -> impl Iterator<Item = (Deadline, Id)> {
        let after = after.map_or(Unbounded, Excluded);
        let due = self.by_time.range((after, Included((now, u64::MAX))));
        due.map(|(deadline, id)| (*deadline, *id))
    }

    /// Returns the files that end with this client's connection, ordered by name, after `after`.
    pub(in crate::files) fn of(
        &self,
        client: ClientId,
        after: Option<&Name>,
    ) -> impl Iterator<Item = &Name> {
        let names = self.by_client.get(&client).into_iter();
        let behind = (after.map_or(Unbounded, Excluded), Unbounded);
        names.flat_map(move |names| names.range::<Name, _>(behind))
    }
}
