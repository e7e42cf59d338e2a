//! Checkpoints: how the log's batches get into the tree, also where there is little room.

use super::{Compactor, Core, lock};
use crate::files::store::CommitError;
use crate::store::tree::room::MARGIN_BYTES;
use crate::store::tree::tables::Tables;
use crate::store::tree::writer::Writer;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

/// How often to look whether there is room for the reserve again.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How long to wait before a checkpoint that found no room is tried again: at first, and at most.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

impl Core {
    /// Brings sealed segments into the tree, all of them in one transaction if there is room for that.
    /// Otherwise half as many batches are tried, and so on: what a transaction replaces or removes is
    /// room for later ones, and so is the segment.
    ///
    /// # Errors
    /// [`CommitError::Full`] if there is not even room for one batch. The log keeps what is not in the
    /// tree.
    pub(in crate::store) fn checkpoint(&self) -> Result<(), CommitError> {
        let mut tree = lock(&self.tree);
        let Some(target) = self.log.last_sealed().map(|last| last.batch) else {
            return self.record_log(&mut tree);
        };
        if let Some(max) = tree.refuses_checkpoints(&self.engine, self.log.amount().made) {
            return Err(CommitError::Full(max));
        }
        let mut to = target;
        while tree.stamp.batch < target {
            let from = tree.stamp.batch;
            let merged = self.log.merge(from, to).map_err(|e| self.lost(e))?;
            let Some(checkpoint) = merged else { break };
            let apply =
                |tables: &mut Tables<'_>| checkpoint.mutations(|change| tables.apply(change));
            let made = self.log.amount().made;
            match tree.checkpoint(&self.engine, checkpoint.last, made, apply) {
                Ok(()) => {
                    drop(checkpoint);
                    let done = tree.stamp.batch;
                    self.log.release(done);
                    to = target.min(done + 2 * (done - from));
                }
                Err(CommitError::Full(_)) if self.make_all_room(&mut tree, false) => {}
                Err(CommitError::Full(_)) if to > from + 1 => to = from + (to - from) / 2,
                Err(CommitError::Full(max)) => {
                    tree.refuse_checkpoints(max);
                    return Err(CommitError::Full(max));
                }
                Err(CommitError::Failed(e)) => {
                    self.is_lost.store(true, SeqCst);
                    return Err(CommitError::Failed(e));
                }
            }
        }
        self.log.release(tree.stamp.batch);
        self.reserve.make(&self.engine.disk(), MARGIN_BYTES);
        self.record_log(&mut tree)?;
        drop(tree);
        // A segment that was begun in between found the lock taken.
        self.record_log_if_idle()
    }

    /// Does [`Core::record_log`], unless another thread has the tree: a checkpoint does it when it is made.
    pub(super) fn record_log_if_idle(&self) -> Result<(), CommitError> {
        self.tree.try_lock().map_or(Ok(()), |mut tree| self.record_log(&mut tree))
    }

    /// Records in the tree which segment the log has begun, if it has. Where there is no room for that, a
    /// later call does it.
    ///
    /// # Errors
    /// The disk failed.
    fn record_log(&self, tree: &mut Writer) -> Result<(), CommitError> {
        let Some(begun) = self.log.unrecorded(tree.stamp.batch) else { return Ok(()) };
        match tree.rewrite(&self.engine, |tables| tables.set_log(begun)) {
            Ok(()) => self.log.set_recorded(begun.batch),
            Err(CommitError::Full(_)) => {}
            Err(CommitError::Failed(e)) => {
                self.is_lost.store(true, SeqCst);
                return Err(CommitError::Failed(e));
            }
        }
        Ok(())
    }

    /// Brings everything into the tree. Only for the holder of the lock on the last batch.
    ///
    /// # Errors
    /// Those of [`Core::checkpoint`].
    pub(super) fn checkpoint_log(&self) -> Result<(), CommitError> {
        // The active segment is sealed only if that is of use: otherwise small batches, which take no
        // further room, would soon find no segment.
        self.checkpoint()?;
        self.log.seal();
        self.checkpoint()
    }

    /// Brings everything that is committed into the tree. Later commits do not wait for that.
    ///
    /// # Errors
    /// Those of [`Core::checkpoint`].
    pub(in crate::store) fn checkpoint_all(&self) -> Result<(), CommitError> {
        self.checkpoint()?;
        let last = lock(&self.last);
        self.log.seal();
        drop(last);
        self.checkpoint()
    }

    /// Ends a compaction, and does [`Core::make_room`].
    pub(super) fn make_all_room(&self, tree: &mut Writer, adds: bool) -> bool {
        let copy = tree.copy.take();
        self.make_room(adds) || copy.is_some()
    }

    /// Removes files beside the database, if there are any: those of the log that are free, and for
    /// changes that add nothing the reserve too. Returns whether there is more room now.
    pub(in crate::store) fn make_room(&self, adds: bool) -> bool {
        self.log.shrink() || (!adds && self.reserve.give_up(&self.engine.disk()))
    }

    /// Makes checkpoints and the reserve, and compacts the tree, until the end. Runs in a thread of its own.
    ///
    /// While there is no room the log stays as it is, and takes only what fits its files. After a
    /// failure of the disk nothing more is written: the next commit fails.
    pub(in crate::store) fn run_checkpoints(&self, mut compactor: Compactor) {
        let (mut pause, mut next) = (Duration::ZERO, compactor.look_every());
        loop {
            let is_missing = self.reserve.is_missing(&self.engine.disk());
            if !self.log.wait_sealed(if is_missing { next.min(LOOK_EVERY) } else { next }) {
                return;
            }
            self.reserve.make(&self.engine.disk(), MARGIN_BYTES);
            let done = self.checkpoint().and_then(|()| self.compact(&mut compactor));
            match done.map(|wait| next = wait) {
                Ok(()) => pause = Duration::ZERO,
                Err(CommitError::Failed(e)) => {
                    ::log::error!("a checkpoint failed: {e}");
                    return;
                }
                Err(CommitError::Full(_)) => {
                    if pause.is_zero() {
                        ::log::warn!("there is no room for a checkpoint: it is tried again");
                    }
                    pause = (2 * pause).clamp(FIRST_PAUSE, LONGEST_PAUSE);
                    if !self.log.pause(pause) {
                        return;
                    }
                }
            }
        }
    }
}
