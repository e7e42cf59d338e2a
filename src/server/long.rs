//! Lists and changes: short ones at once, long ones when there is room for them.
//!
//! A list is a snapshot, so it has to be in memory until its client has taken it. A client that asks
//! and does not read would keep it there, and a thousand such clients a thousand lists.

use super::answer::Answer;
use super::room::Taken;
use super::session::Session;
use crate::files::{Changes, Listing, Watch};
use crate::refusal::Refusal;
use crate::wire::MAX_ITEMS;
use std::time::{Duration, Instant};

/// What has no more lines than this needs no room: each connection may have it.
const SHORT: usize = 64;

/// How long a long list waits for room. A client that does not take its replies is let go after the
/// write time-out, and clients wait for replies for some time longer than this.
const MAX_WAIT: Duration = Duration::from_secs(10);

/// Something in memory, and its room if it is long.
pub(super) struct Long<'a, T> {
    pub(super) value: T,
    _room: Option<Taken<'a>>,
}

impl<T> Long<'_, T> {
    fn short(value: T) -> Self {
        Long { value, _room: None }
    }
}

impl<'a> Session<'a> {
    pub(super) fn list(
        &self,
        prefix: &str,
        limit: u64,
        after: Option<&str>,
    ) -> Result<Answer<'a>, Refusal> {
        let table = &self.server.table;
        let limit = limit as usize;
        let first = table.list(prefix, limit.min(SHORT), after);
        if limit <= SHORT || !first.more {
            return Ok(Answer::Listing(Long::short(first)));
        }
        let most = table.totals().files.min(limit as u64);
        let guess = first.bytes() / SHORT as u64 * most;
        drop(first);
        let list = || Ok(table.list(prefix, limit, after));
        self.in_room(guess, list, Listing::bytes).map(Answer::Listing)
    }

    pub(super) fn watch(
        &self,
        prefix: &str,
        rev: u64,
        seconds: u64,
    ) -> Result<Answer<'a>, Refusal> {
        Ok(match self.server.table.watch(prefix, rev, SHORT, seconds > 0)? {
            Watch::Now(first) => Answer::Changes(self.all_changes(prefix, first)?),
            Watch::Later(waiting) => Answer::ChangesWithin(Duration::from_secs(seconds), waiting),
        })
    }

    /// All changes of which these are the first, if they are the first of many.
    pub(super) fn all_changes(
        &self,
        prefix: &str,
        first: Changes,
    ) -> Result<Long<'a, Changes>, Refusal> {
        if first.changes.len() < SHORT {
            return Ok(Long::short(first));
        }
        let rev = first.changes[0].version - 1;
        let guess = first.bytes() / SHORT as u64 * MAX_ITEMS;
        drop(first);
        let look = || match self.server.table.watch(prefix, rev, MAX_ITEMS as usize, false)? {
            Watch::Now(changes) => Ok(changes),
            Watch::Later(_) => Err(Refusal::Internal), // it was not to wait
        };
        self.in_room(guess, look, Changes::bytes)
    }

    /// Makes something when there is room for as much as it may take.
    fn in_room<T>(
        &self,
        guess: u64,
        make: impl Fn() -> Result<T, Refusal>,
        bytes: impl Fn(&T) -> u64,
    ) -> Result<Long<'a, T>, Refusal> {
        let deadline = Instant::now() + MAX_WAIT;
        let mut needed = guess;
        loop {
            let mut room = self.server.room.take(needed, deadline).inspect_err(|_| {
                log::warn!("no room for a list of about {needed} bytes within {MAX_WAIT:?}");
            })?;
            let value = make()?;
            needed = bytes(&value);
            if room.resize(needed) {
                return Ok(Long { value, _room: Some(room) });
            }
            // Longer than it seemed: once more, with room for all of it.
        }
    }
}
