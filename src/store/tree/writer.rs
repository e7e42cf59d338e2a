//! Writes one batch after another: whether there is room, the attempt, and what follows a failure.

use super::copy::Copy;
use super::disk::Trouble;
use super::engine::Engine;
use super::room::Room;
use super::tables::Tables;
use super::view::View;
use crate::files::store::{CommitError, Head};
use crate::store::error::{Result, damaged};
use crate::store::format::Stamp;
use crate::store::planted::{Planted, planted};
use redb::Error;
use std::cell::Cell;
use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant};

/// How long a batch that did not fit is refused without another try, which takes milliseconds.
pub(in crate::store) const REFUSED_AGAIN: Duration = Duration::from_secs(1);

/// After this many further batches the database reuses what a batch has freed. Where nothing fits,
/// these are empty.
const RIPE_AFTER: u8 = 2;

/// The writer's state.
#[derive(Debug)]
pub(in crate::store) struct Writer {
    /// The stamp of the last confirmed batch.
    pub(in crate::store) stamp: Stamp,
    /// The batch that did not fit.
    refused: Option<Refused>,
    /// The limit that the last batch reached, if it was refused for that.
    reached: Option<u64>,
    /// The checkpoint that did not fit: when, its limit, and the most that the store may have.
    refused_checkpoint: Option<(Instant, u64, u64)>,
    /// After this many further batches, all freed room can be reused.
    unripe: u8,
    /// The state of the disk is unknown: nothing more is written.
    pub(in crate::store) is_lost: bool,
    /// By how many bytes the files have grown since the start.
    pub(in crate::store) growth: i64,
    /// What is to replace the database.
    pub(in crate::store) copy: Option<Copy>,
}

/// A batch for which there was no room.
#[derive(Debug)]
struct Refused {
    adds: u64,
    limit: u64,
    at: Instant,
}

/// How an attempt to write a batch went.
enum Written {
    Done(Stamp),
    /// There was no room below the limit, or on the disk. Nothing was written.
    OverLimit,
    NoRoom,
}

impl Writer {
    pub(in crate::store) fn new(stamp: Stamp) -> Self {
        Writer {
            stamp,
            refused: None,
            reached: None,
            refused_checkpoint: None,
            unripe: 0,
            is_lost: false,
            growth: 0,
            copy: None,
        }
    }

    /// Lets nothing more be written, nor the database be reopened.
    pub(in crate::store) fn end(&mut self) {
        (self.is_lost, self.copy) = (true, None);
    }

    /// Records that a copy has replaced the database.
    pub(in crate::store) fn renew(&mut self) {
        let growth = self.growth;
        *self = Writer { growth, unripe: RIPE_AFTER, ..Writer::new(self.stamp) };
    }

    /// Writes the batch after the last one. The files beside the database take `beside` bytes.
    /// `adds` is how many bytes the batch adds; `None` if it makes room. `frees` is whether it frees
    /// any, which later batches can use.
    pub(in crate::store) fn commit(
        &mut self,
        engine: &Engine,
        head: &Head,
        beside: u64,
        adds: Option<u64>,
        frees: bool,
        change: impl Fn(&mut Tables<'_>) -> Result<()>,
    ) -> Result<(), CommitError> {
        let sum = RandomState::new().hash_one(()) as u32;
        let stamp = Stamp { batch: self.stamp.batch + 1, head: *head, sum };
        self.commit_as(engine, stamp, beside, adds, frees, change)
    }

    /// Writes batches that are in the log, the last of which has this stamp.
    pub(in crate::store) fn checkpoint(
        &mut self,
        engine: &Engine,
        last: Stamp,
        beside: u64,
        change: impl Fn(&mut Tables<'_>) -> Result<()>,
    ) -> Result<(), CommitError> {
        self.commit_as(engine, last, beside, None, true, change)
    }

    /// Records that there was no room for a checkpoint of one batch.
    pub(in crate::store) fn refuse_checkpoints(&mut self, max: u64) {
        self.refused_checkpoint = self.reached.map(|limit| (Instant::now(), limit, max));
    }

    /// Returns the most that the store may have, if there was no room a moment ago and there is no more
    /// now.
    pub(in crate::store) fn refuses_checkpoints(
        &self,
        engine: &Engine,
        beside: u64,
    ) -> Option<u64> {
        let (at, limit, max) = self.refused_checkpoint?;
        let no_more = Room::of(engine, false, beside).is_ok_and(|room| room.limit <= limit);
        (no_more && at.elapsed() < REFUSED_AGAIN).then_some(max)
    }

    /// Writes what is no batch, under the stamp of the last one.
    pub(in crate::store) fn rewrite(
        &mut self,
        engine: &Engine,
        change: impl Fn(&mut Tables<'_>) -> Result<()>,
    ) -> Result<(), CommitError> {
        self.commit_as(engine, self.stamp, 0, None, false, change)
    }

    fn commit_as(
        &mut self,
        engine: &Engine,
        stamp: Stamp,
        beside: u64,
        adds: Option<u64>,
        frees: bool,
        change: impl Fn(&mut Tables<'_>) -> Result<()>,
    ) -> Result<(), CommitError> {
        if self.is_lost {
            return Err(engine.failed(Error::PreviousIo));
        }
        let room =
            Room::of(engine, adds.is_some(), beside).map_err(|e| engine.failed(Error::Io(e)))?;
        let is_as_much = |refused: &Refused| {
            adds >= Some(refused.adds)
                && room.limit <= refused.limit
                && refused.at.elapsed() < REFUSED_AGAIN
        };
        if self.refused.as_ref().is_some_and(is_as_much) {
            return Err(CommitError::Full(room.max));
        }
        let growth = Cell::new(0);
        let change = |tables: &mut Tables<'_>| {
            change(tables)?;
            growth.set(tables.growth());
            Ok(())
        };
        let mut written = self.write(engine, stamp, &room, change);
        while matches!(written, Ok(Written::OverLimit | Written::NoRoom)) && self.unripe > 0 {
            self.unripe -= 1;
            // Within the same limit, or the reserve for removals would shrink each time.
            let within = Room { reserve: 0, ..room };
            match self.write(engine, self.stamp, &within, |_| Ok(())) {
                Ok(Written::Done(stamp)) => self.stamp = stamp,
                Ok(_) => break,
                Err(e) => {
                    written = Err(e);
                    break;
                }
            }
            written = self.write(engine, stamp, &room, change);
        }
        match written {
            Ok(Written::Done(stamp)) => {
                let unripe = if frees { RIPE_AFTER } else { self.unripe.saturating_sub(1) };
                let growth = self.growth + growth.get();
                let copy = self.copy.take().filter(|copy| {
                    let copied = match planted(Planted::Stale) {
                        true => Ok(()),
                        false => copy.transact(stamp, change),
                    };
                    copied.inspect_err(|e| log::warn!("a compaction ends: {e}")).is_ok()
                });
                *self = Writer { unripe, growth, copy, ..Writer::new(stamp) };
                Ok(())
            }
            Ok(Written::OverLimit) => {
                let (limit, at) = (room.limit, Instant::now());
                self.reached = Some(limit);
                if let Some(adds) = adds {
                    self.refused = Some(Refused { adds, limit, at });
                }
                Err(CommitError::Full(room.max))
            }
            Ok(Written::NoRoom) => {
                self.reached = None;
                Err(CommitError::Full(room.max))
            }
            Err(e) => {
                self.is_lost = true;
                Err(engine.failed(e))
            }
        }
    }

    /// Writes a transaction after which the tree has this stamp.
    fn write(
        &self,
        engine: &Engine,
        stamp: Stamp,
        room: &Room,
        change: impl Fn(&mut Tables<'_>) -> Result<()>,
    ) -> Result<Written> {
        // A part of a batch that did not fit may have forgotten removals of which the table knows later.
        let forgotten = stamp.head.forgotten.max(self.stamp.head.forgotten);
        let stamp = Stamp { head: Head { forgotten, ..stamp.head }, ..stamp };
        engine.reopen_if_troubled()?;
        let mut tries = 0;
        loop {
            tries += 1;
            let prove =
                |tables: &mut Tables<'_>| change(tables).and_then(|()| tables.prove(room.reserve));
            let error = match engine.write(stamp, room.limit, prove) {
                Ok(stamp) => return Ok(Written::Done(stamp)),
                Err(e) => e,
            };
            let disk = engine.disk();
            let (over, full) = (disk.had(Trouble::Limit), disk.had(Trouble::Full));
            if !(over || full) || disk.had(Trouble::Write) {
                return Err(error);
            }
            let fitted =
                engine.reopen_if_troubled_with(|disk| Ok(over && disk.fit(room.limit)?))?;
            match engine.look(View::stamp)? {
                found if found.batch == self.stamp.batch => {}
                found if found.batch == stamp.batch => {
                    // It was refused when everything but the last fsync was done.
                    disk.sync()?;
                    return Ok(Written::Done(found));
                }
                found => {
                    let (found, expected) = (found.batch, self.stamp.batch);
                    return Err(damaged(format!("its latest batch is {found}, not {expected}")));
                }
            }
            match (full, fitted) {
                (true, _) => return Ok(Written::NoRoom),
                (false, Some(true)) if tries == 1 => {}
                _ => return Ok(Written::OverLimit),
            }
        }
    }
}
