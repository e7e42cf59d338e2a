//! One batch: whether there is room for it, the transaction, and what follows a failure.

use super::disk::Trouble;
use super::durable::Durable;
use super::error::{Result, damaged, guarded};
use super::format::Stamp;
use super::tables::{Tables, View};
use crate::files::store::{CommitError, Head};
use redb::{Database, Error};
use std::io;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

/// The free room on disk that a new file leaves alone: other programs need some too.
const MARGIN_BYTES: u64 = 16 << 20;

/// What even a removal leaves free: closing the database writes too.
const LAST_MARGIN_BYTES: u64 = 4 << 20;

/// How long a batch that did not fit is refused without another try, which takes milliseconds.
const REFUSED_AGAIN: Duration = Duration::from_secs(1);

/// After this many further batches the database reuses what a batch has freed. Where nothing fits,
/// these are empty.
const RIPE_AFTER: u8 = 2;

/// The writer's state.
#[derive(Debug)]
pub(super) struct Writer {
    /// The stamp of the last confirmed batch.
    pub(super) stamp: Stamp,
    /// The batch that did not fit.
    refused: Option<Refused>,
    /// After this many further batches, all freed room can be reused.
    unripe: u8,
    /// The state of the disk is unknown: nothing more is written.
    pub(super) lost: bool,
}

/// A batch for which there was no room.
#[derive(Debug)]
struct Refused {
    adds: u64,
    limit: u64,
    at: Instant,
}

/// How much a batch may use.
struct Room {
    /// How far the file may reach.
    limit: u64,
    /// The part of the free room below the limit, in bytes, that the batch must leave.
    reserve: u64,
    /// The most that the store may have.
    max: u64,
}

/// How an attempt to write a batch went.
enum Written {
    Done(Stamp),
    /// There was no room below the limit, or on the disk. Nothing was written.
    OverLimit,
    NoRoom,
}

impl Writer {
    pub(super) fn new(stamp: Stamp) -> Self {
        Writer { stamp, refused: None, unripe: 0, lost: false }
    }
}

impl Durable {
    /// Writes a batch, whatever its contents. `adds` is how many bytes it adds; `None` if it makes
    /// room. Whether it `frees` any matters to later batches.
    pub(super) fn transact(
        &self,
        head: &Head,
        adds: Option<u64>,
        frees: bool,
        change: impl Fn(&mut Tables<'_>) -> Result<()>,
    ) -> Result<(), CommitError> {
        let mut writer = self.writer();
        if writer.lost {
            return Err(self.failed(Error::PreviousIo));
        }
        let room = self.room(adds.is_some()).map_err(|e| self.failed(Error::Io(e)))?;
        let is_as_much = |refused: &Refused| {
            adds >= Some(refused.adds)
                && room.limit <= refused.limit
                && refused.at.elapsed() < REFUSED_AGAIN
        };
        if writer.refused.as_ref().is_some_and(is_as_much) {
            return Err(CommitError::Full(room.max));
        }
        let mut written = self.write_next(&writer, *head, &room, &change);
        while matches!(written, Ok(Written::OverLimit | Written::NoRoom)) && writer.unripe > 0 {
            writer.unripe -= 1;
            // Within the same limit, or the reserve for removals would shrink each time.
            let within = Room { reserve: 0, ..room };
            match self.write_next(&writer, writer.stamp.head, &within, |_| Ok(())) {
                Ok(Written::Done(stamp)) => writer.stamp = stamp,
                Ok(_) => break,
                Err(e) => {
                    written = Err(e);
                    break;
                }
            }
            written = self.write_next(&writer, *head, &room, &change);
        }
        match written {
            Ok(Written::Done(stamp)) => {
                let unripe = if frees { RIPE_AFTER } else { writer.unripe.saturating_sub(1) };
                *writer = Writer { unripe, ..Writer::new(stamp) };
                Ok(())
            }
            Ok(Written::OverLimit) => {
                let (limit, at) = (room.limit, Instant::now());
                if let Some(adds) = adds {
                    writer.refused = Some(Refused { adds, limit, at });
                }
                Err(CommitError::Full(room.max))
            }
            Ok(Written::NoRoom) => Err(CommitError::Full(room.max)),
            Err(e) => {
                writer.lost = true;
                Err(self.failed(e))
            }
        }
    }

    /// Writes the batch that follows the last confirmed one.
    fn write_next(
        &self,
        writer: &Writer,
        head: Head,
        room: &Room,
        change: impl Fn(&mut Tables<'_>) -> Result<()>,
    ) -> Result<Written> {
        let stamp = Stamp { batch: writer.stamp.batch + 1, head };
        self.write(writer.stamp, stamp, room, change)
    }

    fn write(
        &self,
        before: Stamp,
        stamp: Stamp,
        room: &Room,
        change: impl Fn(&mut Tables<'_>) -> Result<()>,
    ) -> Result<Written> {
        self.reopen_if_troubled()?;
        let mut tries = 0;
        loop {
            tries += 1;
            let error = match self.attempt(stamp, room, &change) {
                Ok(stamp) => return Ok(Written::Done(stamp)),
                Err(e) => e,
            };
            let over = self.disk.had(Trouble::Limit);
            if !(over || self.disk.had(Trouble::Full)) || self.disk.had(Trouble::Write) {
                return Err(error);
            }
            let full = self.disk.had(Trouble::Full);
            let fitted = self.reopen_if_troubled_with(|disk| Ok(over && disk.fit(room.limit)?))?;
            match self.look(View::stamp)? {
                found if found.batch == before.batch => {}
                found if found.batch == stamp.batch => {
                    // It was refused when everything but the last fsync was done.
                    self.disk.sync()?;
                    return Ok(Written::Done(found));
                }
                found => return Err(damaged(format!("batch {} is there again", found.batch))),
            }
            match (full, fitted) {
                (true, _) => return Ok(Written::NoRoom),
                (false, Some(true)) if tries == 1 => {}
                _ => return Ok(Written::OverLimit),
            }
        }
    }

    fn attempt(
        &self,
        stamp: Stamp,
        room: &Room,
        change: impl Fn(&mut Tables<'_>) -> Result<()>,
    ) -> Result<Stamp> {
        let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
        let database = database.as_ref().ok_or(Error::DatabaseClosed)?;
        self.disk.set_limit(room.limit);
        let written = guarded(|| {
            write(database, stamp, |tables| {
                change(tables).and_then(|()| tables.prove(room.reserve))
            })
        });
        self.disk.set_limit(u64::MAX);
        written
    }

    fn room(&self, adds: bool) -> io::Result<Room> {
        let (end, free) = (self.disk.end(), self.disk.free()?);
        let max_data = self.options.max_data.unwrap_or(u64::MAX);
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
}

/// Writes a batch in a transaction of its own. Returns its final stamp.
pub(super) fn write(
    database: &Database,
    stamp: Stamp,
    change: impl Fn(&mut Tables<'_>) -> Result<()>,
) -> Result<Stamp> {
    let mut transaction = database.begin_write()?;
    // Strangers choose contents, and might find some that look like a whole batch.
    transaction.set_two_phase_commit(true);
    // Otherwise the first start after a crash reads the whole database.
    transaction.set_quick_repair(true);
    let mut tables = Tables::open(&transaction)?;
    change(&mut tables)?;
    let stamp = tables.finish(stamp)?;
    transaction.commit()?;
    Ok(stamp)
}
