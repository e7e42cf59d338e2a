//! Commits: a batch goes into the log if there is room, or directly into the tree.

use super::{Core, Last, lock};
use crate::files::store::{CommitError, Head, Mutation};
use crate::store::error::{Result, damaged};
use crate::store::log::Appended;
use crate::store::tree::room::Room;
use crate::store::tree::tables::Tables;
use redb::Error;
use std::sync::atomic::Ordering::SeqCst;

impl Core {
    /// Commits a batch, in the log if there is room for that.
    pub(in crate::store) fn commit(
        &self,
        batch: &[Mutation],
        head: &Head,
    ) -> Result<(), CommitError> {
        let mut last = lock(&self.last);
        self.expect_sound(batch, head)?;
        let adds = batch.iter().filter_map(Mutation::adds).reduce(|sum, bytes| sum + bytes);
        let is_small = self.log.takes(batch) && head.epoch == last.stamp.head.epoch;
        // What adds nothing is taken as long as the files of the log have room.
        let fits = is_small
            && (self.has_ample_room(batch)? || (adds.is_none() && self.log.has_room(batch)));
        if fits && self.append(&mut last, batch, head)? {
            return Ok(());
        }
        let frees = batch.iter().any(|change| {
            matches!(change, Mutation::Put { old: Some(_), .. } | Mutation::Remove { .. })
        });
        let apply = |tables: &mut Tables<'_>| batch.iter().try_for_each(|c| tables.apply(c));
        self.write(&mut last, head, adds, frees, apply)
    }

    /// Writes a batch into the tree. `adds` is how many bytes it adds; `None` if it makes room.
    /// `frees` is whether it frees any, which later batches can use.
    pub(in crate::store) fn transact(
        &self,
        head: &Head,
        adds: Option<u64>,
        frees: bool,
        change: impl Fn(&mut Tables<'_>) -> Result<()>,
    ) -> Result<(), CommitError> {
        self.write(&mut lock(&self.last), head, adds, frees, change)
    }

    fn write(
        &self,
        last: &mut Last,
        head: &Head,
        adds: Option<u64>,
        frees: bool,
        change: impl Fn(&mut Tables<'_>) -> Result<()>,
    ) -> Result<(), CommitError> {
        self.checkpoint_log()?;
        let mut tree = lock(&self.tree);
        let written = loop {
            let made = self.log.amount().made;
            match tree.commit(&self.engine, head, made, adds, frees, &change) {
                Err(CommitError::Full(_)) if self.make_all_room(&mut tree, adds.is_some()) => {}
                written => break written,
            }
        };
        if let Err(CommitError::Failed(_)) = written {
            self.is_lost.store(true, SeqCst);
        }
        last.stamp = tree.stamp;
        written
    }

    /// # Errors
    /// Nothing more is written, or this is no batch of a table.
    fn expect_sound(&self, batch: &[Mutation], head: &Head) -> Result<(), CommitError> {
        if self.is_lost.load(SeqCst) {
            return Err(self.engine.failed(Error::PreviousIo));
        }
        if !(head.is_sound() && batch.iter().all(Mutation::is_sound)) {
            return Err(self.engine.failed(damaged("a batch has numbers that no table has")));
        }
        Ok(())
    }

    /// Returns whether there is certainly room in the tree for what is in the log and for this batch.
    /// If it returns false, there may still be room: only an attempt to write to the tree shows that.
    fn has_ample_room(&self, batch: &[Mutation]) -> Result<bool, CommitError> {
        let room = Room::ample(&self.engine, &self.log.amount(), batch.len() as u64);
        room.map_err(|e| self.lost(Error::Io(e)))
    }

    /// Appends a batch to the log. Returns `false` if it has to go into the tree.
    fn append(
        &self,
        last: &mut Last,
        batch: &[Mutation],
        head: &Head,
    ) -> Result<bool, CommitError> {
        let replaced = self.check(batch).map_err(|e| self.lost(e))?;
        let forgotten = head.forgotten.max(last.stamp.head.forgotten);
        let head = Head { forgotten, ..*head };
        loop {
            let Last { stamp, buffer } = &mut *last;
            let appended = self.log.append(batch, head, stamp, &replaced, buffer);
            match appended.map_err(|e| self.lost(e))? {
                Appended::Done(stamp) => {
                    last.stamp = stamp;
                    self.record_log_if_idle()?;
                    return Ok(true);
                }
                Appended::NoSegment => self.checkpoint()?,
                Appended::NoRoom | Appended::NoFile => {
                    self.checkpoint_log()?;
                    self.log.shrink();
                    return Ok(false);
                }
            }
        }
    }
}
