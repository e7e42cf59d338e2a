//! The log in front of the tree: a batch is durable, and visible, after one append and one fdatasync.
//!
//! # Design
//!
//! The log has at most [`SLOTS`] files, `log.0` and so on. A file holds a *segment*: batches in order, from
//! its start. It is filled with zeros before its first use, and used again under another number when the
//! tree has its batches: its blocks are written then, and an fdatasync writes no metadata. What a batch is
//! in bytes is in [`batch`].
//!
//! - **Commit** ([`Log::append`]): the batch goes to the end of the active segment. It counts as soon as
//!   fdatasync has returned. If it does not fit, the segment is sealed and another one begins.
//! - **Checkpoint** ([`checkpoint`]): one transaction brings sealed segments into the tree. It changes each
//!   name once, and its stamp is that of their last batch. Then the segments are free.
//! - **Index** ([`index`]): the version of each name that the log changed, and where the contents are that
//!   the store keeps on disk. The log itself keeps no contents in memory. Whoever reads contents holds their
//!   segment: one that is held is not used again, but loses its name, and another file is made.
//! - **Record** ([`Log::unrecorded`]): before the first batch of a segment is acknowledged, or right after the
//!   checkpoint that runs then, the tree records its number and checksum. So a start notices that the files
//!   of the log were removed, or are older ones. Only one commit in thousands takes longer for that.
//! - **Start** ([`recovery`]): batches up to the tree's last one are skipped, because a crash between the tree's
//!   commit and the release of a segment is normal. A checkpoint brings the others into the tree, once the
//!   table is loaded. The first batch that is not whole ends the log. It is damaged if whole batches follow
//!   that are newer. A gap between tree and log, and the log of another table or epoch, are refused too.
//!
//! Batches that go directly into the tree, such as large ones, take numbers like all others. A checkpoint of
//! everything precedes them, and a new segment follows; so the batches of a segment have consecutive numbers.

mod batch;
mod batches;
mod checkpoint;
mod index;
mod load;
mod pieces;
mod recovery;
mod sealed;
mod segment;
mod segments;
mod settings;

pub(super) use load::load;
pub(super) use segment::names;
use settings::BUFFER_BYTES;
pub(super) use settings::{SEGMENT_BYTES, Settings};

use crate::contents::Contents;
use crate::files::store::{Head, Mutation};
use crate::name::Name;
use crate::store::error::Result;
use crate::store::format::Stamp;
use crate::store::medium::{FileSet, is_full};
use crate::store::planted::{Planted, planted};
use crate::store::tree::log_head::LogHead;
use crate::store::tree::room::Amount;
use batch::{Large, Place};
use checkpoint::Checkpoint;
use index::{Index, Known, Looked};
use recovery::Replay;
use redb::Error;
use segment::{Location, SLOTS, Sealed, Segment};
use segments::{Active, Segments};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

#[derive(Debug)]
pub(super) struct Log {
    /// Distinguishes it from all other logs. A secret.
    id: u64,
    settings: Settings,
    files: Arc<dyn FileSet>,
    state: Mutex<Segments>,
    /// A segment was sealed, or the checkpointer has to end.
    changed: Condvar,
}

/// How an append went, if the disk did not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Appended {
    /// With this stamp.
    Done(Stamp),
    /// All segments wait for a checkpoint.
    NoSegment,
    /// The disk is full. Nothing was written that counts.
    NoRoom,
    /// The file of the segment was removed. What the log has is still there, until this process ends.
    NoFile,
}

/// What is known of contents.
#[derive(Debug)]
pub(super) enum Found {
    Contents(Contents),
    /// They were replaced or removed.
    Replaced,
    /// Only the tree can have them.
    Unknown,
}

impl Log {
    /// Opens the log that continues the tree, whose last batch is `tree` and which knows `head` of its log.
    /// What it has beyond the tree is sealed.
    ///
    /// # Errors
    /// Those of the disk; the log is damaged, belongs to another table, or does not continue the tree.
    pub(super) fn open(
        files: Arc<dyn FileSet>,
        head: LogHead,
        settings: Settings,
        tree: &Stamp,
    ) -> Result<Self> {
        let mut segments = Vec::new();
        for slot in 0..SLOTS {
            if let Some(segment) = Segment::open(&*files, slot)? {
                segment.expect_no_longer(settings.segment_bytes)?;
                segments.push(segment);
            }
        }
        let found = recovery::recover(&segments, &head, tree, settings.segment_bytes)?;
        let mut state = Segments { number: found.number, ..Segments::default() };
        segments.iter().for_each(|segment| state.is_made[segment.slot] = true);
        // A process that was killed may have written the last batch without waiting for the disk, or in
        // vain. From now on it counts.
        let last = found.replay.last().map(|last| last.slot);
        for Replay { slot, number, last_at, end, last: stamp } in found.replay {
            let at = segments.iter().position(|segment| segment.slot == slot);
            let mut segment = segments.swap_remove(at.expect("it was scanned"));
            segment.number = number;
            if last == Some(slot) && !settings.is_read_only {
                segment.rewrite(last_at, end)?;
            }
            state.sealed.push(Sealed { segment: Arc::new(segment), end, last: stamp });
        }
        state.free = segments;
        if let Some(found) = Checkpoint::merge(&state.sealed, tree.batch + 1..=u64::MAX)? {
            let last = state.sealed.last().map_or(0, |last| last.segment.number);
            state.index = Index::recovered(&found, last);
            (state.found, state.is_loading) = (Some((tree.batch, found)), true);
        }
        state.recorded = head.batch;
        Ok(Log { id: head.id, settings, files, state: Mutex::new(state), changed: Condvar::new() })
    }

    fn lock(&self) -> MutexGuard<'_, Segments> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns whether a batch can be in the log at all.
    pub(super) fn takes(&self, batch: &[Mutation]) -> bool {
        batch::size(batch) <= self.settings.segment_bytes
    }

    /// Returns whether the files that exist have room for a batch: it takes none on the disk.
    pub(super) fn has_room(&self, batch: &[Mutation]) -> bool {
        let state = self.lock();
        let left = state.active.as_ref().map_or(0, |it| self.settings.segment_bytes - it.end);
        !state.free.is_empty() || batch::size(batch) <= left
    }

    pub(super) fn amount(&self) -> Amount {
        self.lock().amount(self.settings.segment_bytes)
    }

    /// Returns what the log knows of the file of a name: its version if there is one, and whether it
    /// has contents that the store keeps on disk. `None`: only the tree knows.
    pub(super) fn file(&self, name: &Name) -> Option<Option<(u64, bool)>> {
        self.lock().index.file(name).map(Known::file)
    }

    /// Returns the contents of a version.
    ///
    /// # Errors
    /// Those of the disk, and damage.
    pub(super) fn contents(&self, version: u64) -> Result<Found> {
        let looked = self.lock().index.contents(version);
        match looked {
            Looked::InLog(location) => location.read().map(Found::Contents),
            Looked::Replaced => Ok(Found::Replaced),
            Looked::Unknown => Ok(Found::Unknown),
        }
    }

    /// Writes the batch after `last`, with this head, and waits until it is on disk. `replaced` are the
    /// versions whose large contents end with it. `buffer` is for its bytes. Only one thread at a time
    /// may call this.
    ///
    /// # Errors
    /// Those of the disk. Whether the batch is on disk is unknown then.
    pub(super) fn append(
        &self,
        batch: &[Mutation],
        head: Head,
        last: &Stamp,
        replaced: &[u64],
        buffer: &mut Vec<u8>,
    ) -> Result<Appended> {
        let mut stamp = Stamp { batch: last.batch + 1, head, sum: 0 };
        let begun = match self.begin(batch::size(batch), stamp) {
            Err(Error::Io(e)) if is_full(&e) => return Ok(Appended::NoRoom),
            begun => begun?,
        };
        let Some((segment, end)) = begun else { return Ok(Appended::NoSegment) };
        let place = Place { log: self.id, segment: segment.number, previous: last.sum, stamp };
        let (sum, large) = batch::encode(buffer, place, batch);
        stamp.sum = sum;
        match segment.append(end, buffer) {
            Err(e) if is_full(&e) => return Ok(Appended::NoRoom),
            appended => appended.map_err(|e| segment.error(e))?,
        }
        if !planted(Planted::Unsynced) && !segment.sync()? {
            ::log::error!("{} was removed while it was in use", segment.path.display());
            return Ok(Appended::NoFile);
        }
        let locations = large.into_iter().map(|large| {
            let large = Large { at: end + large.at, ..large };
            Location { segment: segment.clone(), large }
        });
        let mut state = self.lock();
        state.is_loading = false;
        if end == 0 {
            state.begun =
                Some(LogHead { id: self.id, batch: stamp.batch, sum, slot: segment.slot as u32 });
        }
        state.index.add(batch, segment.number, locations, replaced);
        if let Some(active) = &mut state.active {
            active.end = end + buffer.len() as u64;
            active.names += batch.len();
            active.last = stamp;
        }
        buffer.clear();
        buffer.shrink_to(BUFFER_BYTES);
        Ok(Appended::Done(stamp))
    }

    /// Returns what the tree, whose last batch is number `tree`, has to record about the log: the first
    /// batch of the newest segment. `None` if that is recorded.
    pub(super) fn unrecorded(&self, tree: u64) -> Option<LogHead> {
        let state = self.lock();
        state.begun.filter(|begun| begun.batch > state.recorded.max(tree))
    }

    /// Notes that the tree has recorded the batch with this number.
    pub(super) fn set_recorded(&self, batch: u64) {
        self.lock().recorded = batch;
    }

    /// Returns a segment with room for this many bytes, and where it ends; `None` if none is free.
    fn begin(&self, bytes: u64, stamp: Stamp) -> Result<Option<(Arc<Segment>, u64)>> {
        let mut state = self.lock();
        if let Some(active) = &state.active {
            let fits = active.end + bytes <= self.settings.full_bytes;
            if active.end == 0 || (fits && active.names < self.settings.max_names) {
                return Ok(Some((active.segment.clone(), active.end)));
            }
            state.seal();
            self.changed.notify_all();
        }
        let mut segment = match state.free.pop() {
            Some(segment) => segment,
            None => {
                let Some(slot) = state.is_made.iter().position(|is_made| !is_made) else {
                    return Ok(None);
                };
                drop(state);
                let created = Segment::create(&*self.files, slot, self.settings.segment_bytes)?;
                state = self.lock();
                state.is_made[slot] = true;
                created
            }
        };
        state.number += 1;
        segment.number = state.number;
        drop(state);
        if let Err(e) = segment.fit(self.settings.segment_bytes) {
            self.lock().free.push(segment);
            return Err(e);
        }
        let segment = Arc::new(segment);
        let active = Active { segment: segment.clone(), end: 0, names: 0, last: stamp };
        self.lock().active = Some(active);
        Ok(Some((segment, 0)))
    }

    /// Ends the active segment. The next batch begins another one.
    pub(super) fn seal(&self) {
        self.lock().seal();
    }
}
