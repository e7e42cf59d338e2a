//! How much room a batch may use, and whether what is in the log will find some in the tree.

use super::engine::Engine;
use std::io;

/// The free room on disk that a new file leaves alone: other programs need some too.
pub(in crate::store) const MARGIN_BYTES: u64 = 16 << 20;

/// What even a removal leaves free: closing the database writes too.
const LAST_MARGIN_BYTES: u64 = 4 << 20;

/// A page of the database.
const PAGE_BYTES: u64 = 4096;

/// How much a batch may use.
pub(in crate::store) struct Room {
    /// How far the file may reach.
    pub(in crate::store) limit: u64,
    /// The part of the free room below the limit, in bytes, that the batch must leave.
    pub(in crate::store) reserve: u64,
    /// The most that the store may have.
    pub(in crate::store) max: u64,
}

/// How much the log has, for a look at the room that is left.
#[derive(Clone, Copy, Debug)]
pub(in crate::store) struct Amount {
    /// What its files take.
    pub(in crate::store) made: u64,
    /// What its files would take if it had all of them.
    pub(in crate::store) full: u64,
    /// What waits for a checkpoint.
    pub(in crate::store) pending: u64,
    /// How many names that changes.
    pub(in crate::store) names: u64,
}

impl Room {
    /// Returns how much a batch may use, which `adds` bytes or makes room.
    /// The files beside the database take `beside` bytes.
    pub(in crate::store) fn of(engine: &Engine, adds: bool, beside: u64) -> io::Result<Self> {
        let (end, free) = engine.room()?;
        let max_data = engine.options().max_data.unwrap_or(u64::MAX);
        // What makes room, such as a checkpoint, ends what the others take.
        let max_data = max_data.saturating_sub(if adds { beside } else { 0 });
        // Each batch records which pages are free, two bits for each.
        let of_database = end / 1024;
        let margin = if adds { MARGIN_BYTES } else { LAST_MARGIN_BYTES } + of_database;
        let reserve = (max_data / 8).min(LAST_MARGIN_BYTES + of_database);
        let of_store = match adds {
            true => max_data - reserve,
            false if end > max_data => end + reserve, // it had a larger maximum before
            false => max_data,
        };
        let limit = of_store.min(end.saturating_add(free.saturating_sub(margin)));
        let max = max_data.min(end.saturating_add(free));
        // Removals have used the reserve, so not everything free lies below the limit.
        match limit < end {
            true => Ok(Room { limit: end, reserve, max }),
            false => Ok(Room { limit, reserve: 0, max }),
        }
    }

    /// Returns whether what is in the log, and a batch of `changes` more, will find room in the tree
    /// whatever they are.
    ///
    /// # Errors
    /// Also if the database was removed.
    pub(in crate::store) fn ample(engine: &Engine, log: &Amount, changes: u64) -> io::Result<bool> {
        let (end, free) = engine.room()?;
        let max_data = engine.options().max_data.unwrap_or(u64::MAX);
        let of_store = max_data.saturating_sub(end.saturating_add(log.made));
        // A changed page is copied before the old one is free: at worst the page of each name, and
        // never more than there are. Large contents fill their pages, and small ones half of them.
        let names = log.names.saturating_add(changes);
        let copied = end.min(names.saturating_mul(2 * PAGE_BYTES));
        let pending = 3 * log.full.min(log.pending.saturating_add(log.full / 4));
        // Files that are still to be made, and some more: what is made is not removed right away.
        let made = (log.full - log.made) * 2;
        let needed = copied + pending + made;
        let margin = MARGIN_BYTES + end / 1024;
        let reserve = (max_data / 8).min(LAST_MARGIN_BYTES + end / 1024);
        Ok(free >= needed + margin && of_store >= needed + reserve)
    }
}
