//! Compaction: the room of a tree that has shrunk goes back to the disk.
//!
//! The database itself could do that only while nobody reads it, and commits read it. So a copy is made,
//! in small pieces between checkpoints, and takes its place. Commits go into the log meanwhile, and readers
//! use the old tree. A change that needs the room of the copy ends the compaction.

use super::{Core, lock};
use crate::files::store::CommitError;
use crate::store::error::Result;
use crate::store::planted::{Planted, planted};
use crate::store::tree::copy::Copy;
use crate::store::tree::engine::Replaced;
use crate::store::tree::room::MARGIN_BYTES;
use crate::store::tree::tables::file_bytes;
use redb::Error;
use std::io::ErrorKind;
use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

/// How often to look whether a compaction pays.
const LOOK_EVERY: Duration = Duration::from_mins(1);

/// After a compaction that ended without success, one is tried again this many looks later.
const LOOKS_AFTER_END: u32 = 10;

/// How much to copy at once. Nothing else is written into the tree meanwhile.
const PIECE_BYTES: u64 = 2 << 20;

/// How long to let others have the tree between two pieces.
const BETWEEN_PIECES: Duration = Duration::from_millis(1);

/// How often to look whether a backup still reads the tree.
const BACKUP_EVERY: Duration = Duration::from_secs(1);

/// About how much a removal takes in the tree.
const REMOVAL_BYTES: i64 = 80;

/// How many files are counted in one go.
const COUNT_AT_ONCE: usize = 4096;

/// When the tree is compacted. It belongs to the thread that does that.
#[derive(Debug)]
pub(in crate::store) struct Compactor {
    /// The least that a compaction has to gain, in bytes.
    least: u64,
    piece_bytes: u64,
    look_every: Duration,
    next_look: Instant,
    is_copying: bool,
    /// What the files took at the start, in bytes, once that is counted.
    counted: Option<i64>,
    /// What the tree took after the last compaction.
    taken: u64,
}

impl Compactor {
    /// Returns one that compacts the tree if that gains at least this many bytes.
    pub(in crate::store) fn new(least: u64) -> Self {
        Compactor::every(LOOK_EVERY, least, PIECE_BYTES)
    }

    /// Returns how often to look whether a compaction pays.
    pub(super) fn look_every(&self) -> Duration {
        self.look_every
    }

    /// Returns one that looks this often, and copies about `piece_bytes` at once.
    pub(in crate::store) fn every(look_every: Duration, least: u64, piece_bytes: u64) -> Self {
        Compactor {
            least,
            piece_bytes,
            look_every,
            next_look: Instant::now() + look_every,
            is_copying: false,
            counted: None,
            taken: 0,
        }
    }
}

impl Core {
    /// Compacts the tree, a piece at each call, if that pays. Returns after how long to call it again.
    ///
    /// # Errors
    /// Those of [`Core::checkpoint`]; whether the old or the new tree is on disk is unknown.
    pub(in crate::store) fn compact(
        &self,
        compactor: &mut Compactor,
    ) -> Result<Duration, CommitError> {
        let has_copy = lock(&self.tree).copy.is_some();
        if !has_copy {
            if std::mem::take(&mut compactor.is_copying) {
                compactor.next_look = Instant::now() + LOOKS_AFTER_END * compactor.look_every;
            }
            if Instant::now() < compactor.next_look {
                return Ok(compactor.look_every);
            }
            compactor.next_look = Instant::now() + compactor.look_every;
            if !self.is_worth_a_look(compactor)? || !self.begins_copy(compactor) {
                return Ok(compactor.look_every);
            }
            compactor.is_copying = true;
        }
        self.advance_copy(compactor)
    }

    /// Returns whether the tree is so large that a compaction might pay. If so, everything that is committed
    /// is in the tree.
    fn is_worth_a_look(&self, compactor: &Compactor) -> Result<bool, CommitError> {
        let taken = self.engine.disk().taken().unwrap_or(0);
        if taken < compactor.least.max(2 * compactor.taken) || self.is_lost.load(SeqCst) {
            return Ok(false);
        }
        // Removals are small: a segment may have those of many gigabytes.
        if self.log.amount().pending > 0 {
            self.checkpoint_all()?;
        }
        Ok(true)
    }

    /// Begins a compaction if it pays and there is room.
    fn begins_copy(&self, compactor: &mut Compactor) -> bool {
        let begun = self.pays(compactor).and_then(|pays| {
            if pays {
                let copy = Copy::begin(self.files.clone(), self.engine.options())?;
                let mut tree = lock(&self.tree);
                if !tree.is_lost {
                    tree.copy = Some(copy);
                }
            }
            Ok(pays)
        });
        begun.unwrap_or_else(|e| {
            ::log::warn!("a compaction did not begin: {e}");
            false
        })
    }

    fn pays(&self, compactor: &mut Compactor) -> Result<bool> {
        let counted = match compactor.counted {
            Some(counted) => counted,
            None => *compactor.counted.insert(self.count()?),
        };
        let removals = self.engine.look(|view| view.counts())?.removals;
        let live = counted + lock(&self.tree).growth + removals.cast_signed() * REMOVAL_BYTES;
        let live = u64::try_from(live).unwrap_or(0);
        let disk = self.engine.disk();
        let (taken, amount) = (disk.taken()?, self.log.amount());
        // Contents of some sizes fill their pages badly, and changes go on meanwhile.
        let copied = 3 * live + amount.full;
        let max_data = self.engine.options().max_data.unwrap_or(u64::MAX);
        let fits = taken + copied + amount.made <= max_data
            && disk.free()? >= copied + 2 * MARGIN_BYTES + disk.end() / 1024;
        Ok(taken / 4 >= live && taken - live >= compactor.least && fits)
    }

    /// Counts what the files in the tree took at the start, in bytes.
    fn count(&self) -> Result<i64> {
        let tree = lock(&self.tree);
        let (view, growth) = (self.engine.view()?, tree.growth);
        drop(tree);
        let (mut bytes, mut last) = (0, Vec::new());
        loop {
            let (after, mut count) = (std::mem::take(&mut last), 0);
            let are_all = self.engine.look_again(&view, |view| {
                view.files_after(&after, |row| {
                    last.clear();
                    last.extend_from_slice(row.name.as_bytes());
                    bytes += file_bytes(&row.name, row.contents.numbytes());
                    count += 1;
                    Ok(count < COUNT_AT_ONCE)
                })
            })?;
            if are_all {
                return Ok(bytes - growth);
            }
        }
    }

    /// Copies the next piece, or lets a copy that is complete take the place of the tree.
    fn advance_copy(&self, compactor: &mut Compactor) -> Result<Duration, CommitError> {
        let mut tree = lock(&self.tree);
        let stamp = tree.stamp;
        let Some(copy) = &mut tree.copy else { return Ok(compactor.look_every) };
        if !copy.is_complete() {
            let room = self.expect_room(copy);
            let advanced = room.and_then(|()| {
                self.engine.reopen_if_troubled()?;
                copy.advance(&self.engine, stamp, compactor.piece_bytes)
            });
            if let Err(e) = advanced {
                ::log::warn!("a compaction ends: {e}");
                tree.copy = None;
            }
            return Ok(BETWEEN_PIECES);
        }
        if self.engine.has_views() {
            return Ok(BACKUP_EVERY);
        }
        let before = self.engine.disk().taken().unwrap_or(0);
        let finished = copy.finish(&self.engine, stamp);
        let copy = tree.copy.take();
        let replaced = finished.and_then(|()| match copy {
            Some(copy) => Ok(copy.replace(&self.engine)?),
            None => Ok(None),
        });
        let old: Replaced = match replaced {
            Ok(Some(old)) => old,
            Ok(None) => return Ok(BETWEEN_PIECES), // a backup has begun
            Err(e) => {
                ::log::warn!("a compaction ends: {e}");
                return Ok(BETWEEN_PIECES);
            }
        };
        // The log must not go on before that: the old tree would not know of it.
        let synced = if planted(Planted::Renamed) { Ok(()) } else { self.files.sync_names() };
        synced.map_err(|e| {
            tree.is_lost = true;
            self.lost(Error::Io(e))
        })?;
        tree.renew();
        drop(tree);
        drop(old);
        compactor.is_copying = false;
        compactor.taken = self.engine.disk().taken().unwrap_or(0);
        let path = self.engine.path().display();
        ::log::info!("{path}: compacted from {before} to {} bytes", compactor.taken);
        Ok(compactor.look_every)
    }

    /// # Errors
    /// There is no room for another piece.
    fn expect_room(&self, copy: &Copy) -> Result<()> {
        let disk = self.engine.disk();
        let taken = disk.taken()? + copy.taken()? + self.log.amount().made;
        let is_within = self.engine.options().max_data.is_none_or(|max| taken <= max);
        match is_within && disk.free()? >= MARGIN_BYTES + disk.end() / 1024 {
            true => Ok(()),
            false => Err(Error::Io(ErrorKind::StorageFull.into())),
        }
    }
}
