//! From a batch to the disk: into the log and from there into the tree, or directly into the tree.
//!
//! How much room that takes is bounded. The log has at most four segments, and one less after a checkpoint.
//! The tree copies each page that it changes, and uses the old one again two transactions later. So a table
//! that is overwritten for a long time takes up to 2.5 times its names and contents, or up to 4 times where
//! one checkpoint replaces nearly all of them, and four segments. After removals the tree keeps its free pages,
//! which later changes use first; a tree that has shrunk to a quarter is compacted.

use crate::contents::Contents;
use crate::files::store::{CommitError, Head, Row};
use crate::name::Name;
use crate::random;
use crate::store::error::{self, Result};
use crate::store::format::Stamp;
use crate::store::log::{self, Found, Log, Settings};
use crate::store::medium::{FileSet, Medium};
use crate::store::options::Options;
use crate::store::tree::copy;
use crate::store::tree::engine::Engine;
use crate::store::tree::log_head::LogHead;
use crate::store::tree::room::MARGIN_BYTES;
use crate::store::tree::view::View;
use crate::store::tree::writer::Writer;
use redb::Error;
use reserve::Reserve;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

mod check;
mod checkpoints;
mod commits;
mod compaction;
mod reserve;

pub(super) use compaction::Compactor;

/// A tree with a log in front of it.
///
/// The order of its locks: `last`, then `tree`, then the log's own.
#[derive(Debug)]
pub(super) struct Core {
    engine: Engine,
    files: Arc<dyn FileSet>,
    log: Log,
    reserve: Reserve,
    last: Mutex<Last>,
    tree: Mutex<Writer>,
    /// The state of the disk is unknown: nothing more is written.
    is_lost: AtomicBool,
}

/// The last batch. The thread that holds its lock is the one that commits.
#[derive(Debug)]
struct Last {
    stamp: Stamp,
    buffer: Vec<u8>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Core {
    /// Opens a tree and its log. That takes no room: what only the log has stays there until the next
    /// checkpoint.
    pub(super) fn open(
        medium: Box<dyn Medium>,
        files: Arc<dyn FileSet>,
        path: &Path,
        options: Options,
        settings: Settings,
    ) -> io::Result<Self> {
        let (engine, stamp) = Engine::open(medium, path, options)?;
        let mut writer = Writer::new(stamp);
        let located = |e| error::at(path, e);
        let known = engine.look(View::log).map_err(located)?;
        let log_head = match known {
            Some(known) => known,
            None => LogHead::new(random::draw()?),
        };
        let log = Log::open(files.clone(), log_head, settings, &writer.stamp).map_err(located)?;
        if known.is_none() {
            // Only now: if there is the log of another table, this one stays as it is.
            let taken_over = writer.rewrite(&engine, |tables| tables.set_log(log_head));
            taken_over.map_err(|e| failed(&engine, e))?;
        }
        copy::remove_unfinished(&*files);
        let reserve = Reserve::open(files.clone(), settings.reserve_bytes)?;
        reserve.make(&engine.disk(), MARGIN_BYTES);
        let (stamp, is_lost) = (log.last_sealed().unwrap_or(writer.stamp), AtomicBool::new(false));
        let last = Mutex::new(Last { stamp, buffer: Vec::new() });
        Ok(Core { engine, files, log, reserve, last, tree: Mutex::new(writer), is_lost })
    }

    pub(super) fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Returns the room that tree and log take on disk, in bytes.
    pub(super) fn bytes(&self) -> io::Result<u64> {
        Ok(self.engine.disk().taken()? + self.log.amount().made)
    }

    /// Returns how much memory the cache of the tree and the log always take, in bytes. The log gets a
    /// third of the cache: a segment changes at most one name for each 512 bytes of the cache, which takes
    /// about 72 bytes of the index; one segment is filled while a checkpoint reads another. The rest is for
    /// buffers.
    pub(super) fn memory_bytes(&self) -> u64 {
        let cache_bytes = self.engine.options().cache_bytes as u64;
        cache_bytes + cache_bytes / 3
    }

    pub(super) fn head(&self) -> Head {
        lock(&self.last).stamp.head
    }

    /// Calls `look` with a view of the tree.
    fn look<T>(&self, look: impl Fn(&View) -> Result<T>) -> Result<T> {
        match self.engine.look(&look) {
            // Perhaps an earlier operation failed, not this read: try once more from a fresh start.
            Err(Error::Io(_) | Error::PreviousIo | Error::DatabaseClosed) => {
                let tree = lock(&self.tree);
                let reopened = if tree.is_lost { Ok(()) } else { self.engine.reopen_if_troubled() };
                reopened.and_then(|()| self.engine.look(&look))
            }
            found => found,
        }
    }

    /// Calls `file` with each file and `removal` with each removal, after all batches.
    pub(super) fn load(
        &self,
        file: &mut dyn FnMut(Row),
        removal: &mut dyn FnMut(u64, Name),
    ) -> Result<Head> {
        let last = lock(&self.last);
        self.log.seal();
        let tree = lock(&self.tree); // no checkpoint meanwhile
        let merged = self.log.merge(tree.stamp.batch, u64::MAX)?;
        let head = last.stamp.head;
        self.engine.look(|view| log::load(view, merged.as_ref(), &head, file, removal))?;
        drop((merged, tree, last));
        self.log.set_loaded();
        Ok(head)
    }

    /// Returns the contents of a version.
    pub(super) fn contents(&self, version: u64) -> Result<Option<Contents>> {
        match self.log.contents(version)? {
            Found::Contents(contents) => Ok(Some(contents)),
            Found::Replaced => Ok(None),
            Found::Unknown => self.look(|view| view.contents(version)),
        }
    }

    /// Brings what is left into the tree, and closes it.
    pub(super) fn close(&self) {
        self.log.end();
        let last = lock(&self.last);
        if !self.is_lost.swap(true, SeqCst)
            && let Err(e) = self.checkpoint_log()
        {
            ::log::warn!("the last checkpoint failed, and the next start repeats it: {e}");
        }
        lock(&self.tree).end();
        self.engine.close();
        drop(last);
    }

    /// Returns the error of a change that was not committed.
    pub(super) fn failed(&self, error: CommitError) -> io::Error {
        failed(&self.engine, error)
    }

    fn lost(&self, error: Error) -> CommitError {
        self.is_lost.store(true, SeqCst);
        self.engine.failed(error)
    }
}

/// Returns the error of a change that was not committed.
fn failed(engine: &Engine, e: CommitError) -> io::Error {
    match e {
        CommitError::Failed(e) => e,
        CommitError::Full(_) => {
            let why = format!("{}: the disk is full", engine.path().display());
            io::Error::new(io::ErrorKind::StorageFull, why)
        }
    }
}
