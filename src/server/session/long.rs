//! Lists and changes: short ones at once, long lists when there is room for them, and changes in
//! short parts where there is none.
//!
//! A list is a snapshot, so it stays in memory until its client has read it. A client that asks and
//! does not read keeps it there, and a thousand such clients keep a thousand lists.

use super::Session;
use super::answer::{Answer, Outcome, Pending};
use crate::files::{Changes, Listing, Watch};
use crate::refusal::Refusal;
use crate::server::room::Long;
use crate::wire::MAX_ITEMS;
use std::time::{Duration, Instant};

/// A reply of at most this many lines needs no room: every connection may have one.
const SHORT: usize = 64;

/// A list is first made with room for at most this many lines. So a list of few files waits for no
/// more room than it needs, however many files the table has.
const MEDIUM: usize = 1000;

/// How long a long list waits for room. A client that does not read its replies is disconnected
/// after the write time-out, and clients wait somewhat longer than this for replies.
const MAX_WAIT: Duration = Duration::from_secs(10);

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
        let line_bytes = first.bytes() / SHORT as u64;
        drop(first);
        let deadline = Instant::now() + MAX_WAIT;
        let list = |limit: usize| {
            let guess = line_bytes * table.totals().files.min(limit as u64);
            let list = || Ok(table.list(prefix, limit, after));
            self.in_room(guess, deadline, list, Listing::bytes).inspect_err(|_| {
                log::warn!("no room for a list of about {guess} bytes within {MAX_WAIT:?}");
            })
        };
        let medium = list(limit.min(MEDIUM))?;
        if limit <= MEDIUM || !medium.value.more {
            return Ok(Answer::Listing(medium));
        }
        drop(medium);
        list(limit).map(Answer::Listing)
    }

    pub(super) fn watch(
        &self,
        prefix: &str,
        since: u64,
        seconds: u64,
    ) -> Result<Outcome<'a>, Refusal> {
        let time = Duration::from_secs(seconds);
        Ok(match self.server.table.watch(prefix, since, SHORT, seconds > 0)? {
            Watch::Now(first) => Outcome::Answer(Answer::Changes(self.all_changes(prefix, first))),
            Watch::Later(waiting) => Outcome::Pending(Pending::Changes(time, waiting)),
        })
    }

    /// Returns all changes that start with `first`, if there may be more and there is room for all.
    /// Otherwise `first` alone is the answer: the client continues to watch from its `rev`.
    pub(super) fn all_changes(&self, prefix: &str, first: Changes) -> Long<'a, Changes> {
        if first.changes.len() < SHORT {
            return Long::short(first);
        }
        let table = &self.server.table;
        let since = first.changes[0].version - 1;
        let most = table.totals().version.saturating_sub(since).min(MAX_ITEMS);
        let guess = first.bytes() / SHORT as u64 * most;
        let look = || match table.watch(prefix, since, MAX_ITEMS as usize, false)? {
            Watch::Now(changes) => Ok(changes),
            Watch::Later(_) => Err(Refusal::Internal), // it was not asked to wait
        };
        let all = self.in_room(guess, Instant::now(), look, Changes::bytes);
        all.unwrap_or_else(|_| Long::short(first))
    }

    /// Makes a value once there is room for `guess` bytes. Waits for room until `deadline`.
    fn in_room<T>(
        &self,
        guess: u64,
        deadline: Instant,
        make: impl Fn() -> Result<T, Refusal>,
        bytes: impl Fn(&T) -> u64,
    ) -> Result<Long<'a, T>, Refusal> {
        let mut needed = guess;
        loop {
            let mut room = self.server.room.take(needed, deadline)?;
            let value = make()?;
            needed = bytes(&value);
            if room.resize(needed) {
                return Ok(Long::new(value, room));
            }
            // Longer than guessed: retry, with room for all of it.
        }
    }
}
