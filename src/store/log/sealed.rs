//! What becomes of sealed segments: a checkpoint, and after that their next use or their end.

use super::Log;
use super::checkpoint::Checkpoint;
use super::segment::{self, MOST_FREE, Sealed};
use super::segments::Segments;
use crate::store::error::Result;
use crate::store::format::Stamp;
use crate::store::planted::{Planted, planted};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

impl Log {
    /// Returns the stamp of the last batch that waits for a checkpoint.
    pub(in crate::store) fn last_sealed(&self) -> Option<Stamp> {
        self.lock().sealed.last().map(|sealed| sealed.last)
    }

    /// Merges the sealed batches after the tree's last one, which is number `tree`, up to number `to`;
    /// `None` if there are none.
    ///
    /// # Errors
    /// Those of the disk, and damage.
    pub(in crate::store) fn merge(&self, tree: u64, to: u64) -> Result<Option<Checkpoint>> {
        let mut state = self.lock();
        let (sealed, found) = (state.sealed.clone(), state.found.take());
        drop(state);
        // The load of a table comes first, and finds what the start has merged.
        if let Some((from, found)) = found
            && from == tree
            && found.last.batch <= to
            && sealed.last().is_some_and(|last| last.last.batch == found.last.batch)
        {
            return Ok(Some(found));
        }
        let checkpoint = Checkpoint::merge(&sealed, tree + 1..=to)?;
        if planted(Planted::Early) {
            sealed.iter().for_each(|it| drop(segment::remove(&*self.files, it.segment.slot)));
        }
        Ok(checkpoint)
    }

    /// Frees the segments whose batches the tree has, which now has those up to number `tree`.
    pub(in crate::store) fn release(&self, tree: u64) {
        let mut state = self.lock();
        let count = state.sealed.partition_point(|sealed| sealed.last.batch <= tree);
        let released: Vec<_> = state.sealed.drain(..count).collect();
        let Some(last) = released.last() else { return };
        state.index.forget(last.segment.number);
        for Sealed { segment, .. } in released {
            let slot = segment.slot;
            match Arc::into_inner(segment) {
                Some(segment) if state.free.len() < MOST_FREE => state.free.push(segment),
                // There are enough, or somebody reads it: the file goes with the last reader.
                left => match (segment::remove(&*self.files, slot), left) {
                    (Err(_), Some(segment)) => state.free.push(segment),
                    _ => state.is_made[slot] = false,
                },
            }
        }
    }

    /// Removes the files of the segments that are free. Returns whether there were any.
    pub(in crate::store) fn shrink(&self) -> bool {
        let mut state = self.lock();
        let made = state.is_made;
        let Segments { free, is_made, .. } = &mut *state;
        free.retain(|segment| {
            let stays = segment::remove(&*self.files, segment.slot).is_err();
            is_made[segment.slot] = stays;
            stays
        });
        *is_made != made
    }

    /// Permits checkpoints: the table is loaded.
    pub(in crate::store) fn set_loaded(&self) {
        self.lock().is_loading = false;
        self.changed.notify_all();
    }

    /// Waits until segments are sealed, but no longer than this. Returns `false` at the end.
    pub(in crate::store) fn wait_sealed(&self, longest: Duration) -> bool {
        self.wait_while(longest, |state| state.sealed.is_empty() || state.is_loading)
    }

    /// Waits this long. Returns `false` at the end.
    pub(in crate::store) fn pause(&self, time: Duration) -> bool {
        self.wait_while(time, |_| true)
    }

    fn wait_while(&self, longest: Duration, waits: impl Fn(&Segments) -> bool) -> bool {
        let waits = |state: &mut Segments| !state.is_ending && waits(state);
        let waited = self.changed.wait_timeout_while(self.lock(), longest, waits);
        !waited.unwrap_or_else(PoisonError::into_inner).0.is_ending
    }

    /// Ends the waits for sealed segments.
    pub(in crate::store) fn end(&self) {
        self.lock().is_ending = true;
        self.changed.notify_all();
    }
}
