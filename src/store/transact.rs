//! One batch: whether there is room for it, the transaction, and what follows when it fails.

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

/// What a new file may not take of the disk's free room: others need some too.
const MARGIN_BYTES: u64 = 16 << 20;

/// What even a removal leaves: closing the database writes too.
const LAST_MARGIN_BYTES: u64 = 4 << 20;

/// For so long what did not fit is refused again without another try, which takes milliseconds.
const REFUSED_AGAIN: Duration = Duration::from_secs(1);

/// The database uses again what a batch has freed when so many more were written. Where nothing fits,
/// these are empty.
const RIPE_AFTER: u8 = 2;

/// What the one who writes knows.
#[derive(Debug)]
pub(super) struct Writer {
    /// Of the last batch that was confirmed.
    pub(super) stamp: Stamp,
    /// What did not fit.
    refused: Option<Refused>,
    /// After so many more batches all that was freed can be used again.
    unripe: u8,
    /// What is on the disk is not known: nothing more is written.
    pub(super) lost: bool,
}

/// A batch for which there was no room.
#[derive(Debug)]
struct Refused {
    adds: u64,
    limit: u64,
    at: Instant,
}

/// What a batch may take.
struct Room {
    /// How far the file may reach.
    limit: u64,
    /// Of what is free below that, the batch may not take so many bytes.
    reserve: u64,
    /// What the store may have at most.
    max: u64,
}

/// How an attempt to write a batch went.
enum Written {
    Done(Stamp),
    /// Behind the limit, or on the disk, there was no room. Nothing was written.
    OverLimit,
    NoRoom,
}

impl Writer {
    pub(super) fn new(stamp: Stamp) -> Self {
        Writer { stamp, refused: None, unripe: 0, lost: false }
    }
}

impl Durable {
    /// Writes a batch, whatever it consists of. `adds` is how many bytes it brings; `None` if it
    /// is to make room. Whether it `frees` some is of use to the next ones.
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
            // Within the same limit, else what is kept for removals would shrink each time.
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

    /// Writes the next batch after the last one that was confirmed.
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
                    // It was refused when all but the last fsync was done.
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
        // Each batch writes down which pages are free, two bits for each.
        let of_database = end / 1024;
        let margin = if adds { MARGIN_BYTES } else { LAST_MARGIN_BYTES } + of_database;
        let reserve = (max_data / 8).min(LAST_MARGIN_BYTES + of_database);
        let of_store = match adds {
            true => max_data - reserve,
            false if end > max_data => end + reserve, // it was opened with a larger one before
            false => max_data,
        };
        let limit = of_store.min(end.saturating_add(free.saturating_sub(margin)));
        let max = max_data.min(end.saturating_add(free));
        // Removals were in the reserve already, so not all that is free lies below the limit.
        match limit < end {
            true => Ok(Room { limit: end, reserve, max }),
            false => Ok(Room { limit, reserve: 0, max }),
        }
    }
}

/// Writes a batch in a transaction of its own; returns what it was stamped with in the end.
pub(super) fn write(
    database: &Database,
    stamp: Stamp,
    change: impl Fn(&mut Tables<'_>) -> Result<()>,
) -> Result<Stamp> {
    let mut transaction = database.begin_write()?;
    // Contents are chosen by strangers, who might find some that look like a whole batch.
    transaction.set_two_phase_commit(true);
    // Else the first start after a crash reads the whole database.
    transaction.set_quick_repair(true);
    let mut tables = Tables::open(&transaction)?;
    change(&mut tables)?;
    let stamp = tables.finish(stamp)?;
    transaction.commit()?;
    Ok(stamp)
}
