//! Room that the store keeps for the time when other programs have filled the disk: a file without
//! contents.
//!
//! The file is given up when a change that adds nothing, or a checkpoint, finds no other room: so
//! deletes and checkpoints go on. It is made again when there is room. Another program may be faster to
//! take the room. And where nothing is written in place, as on Btrfs and ZFS, a file without contents
//! reserves little: there the reserve promises less.

use crate::store::error;
use crate::store::medium::FileSet;
use crate::store::tree::disk::Disk;
use redb::Error;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

/// The name of the file.
const RESERVE: &str = "reserve";

#[derive(Debug)]
pub(super) struct Reserve {
    files: Arc<dyn FileSet>,
    /// The least that it takes; 0 if there is none.
    bytes: u64,
    /// How much the file takes; 0 if there is none.
    made: AtomicU64,
}

impl Reserve {
    /// Finds the reserve that an earlier process made. It takes at least `bytes`.
    ///
    /// # Errors
    /// Those of the disk; it is not a regular file.
    pub(super) fn open(files: Arc<dyn FileSet>, bytes: u64) -> io::Result<Self> {
        let found = files.open(RESERVE).and_then(|file| match file {
            Some(file) if bytes > 0 => file.len(),
            _ => Ok(0),
        });
        let made = found.map_err(|e| error::at(&files.path(RESERVE), Error::Io(e)))?;
        Ok(Reserve { files, bytes, made: AtomicU64::new(made) })
    }

    /// Returns how much room the file takes, in bytes.
    pub(super) fn made(&self) -> u64 {
        self.made.load(SeqCst)
    }

    /// Returns whether it is to be made, or made larger, as soon as there is room.
    pub(super) fn is_missing(&self, disk: &Disk) -> bool {
        self.bytes > 0 && self.made() < self.bytes + disk.end() / 1024
    }

    /// Makes it, if there is twice the room that it takes, and `margin` bytes more.
    pub(super) fn make(&self, disk: &Disk, margin: u64) {
        if let Ok(None) = self.files.open(RESERVE) {
            self.made.store(0, SeqCst); // somebody else may have removed it
        }
        // A transaction records which pages of the database are free: that takes room for each.
        let bytes = self.bytes + disk.end() / 512;
        if !self.is_missing(disk) || !disk.free().is_ok_and(|free| free >= 2 * bytes + margin) {
            return;
        }
        let made = self.files.create(RESERVE).and_then(|file| {
            file.allocate(bytes)?;
            file.sync()
        });
        match made {
            Ok(()) => self.made.store(bytes, SeqCst),
            Err(e) => {
                log::debug!("{}: {e}", self.files.path(RESERVE).display());
                let _ = self.files.remove(RESERVE);
                self.made.store(0, SeqCst);
            }
        }
    }

    /// Gives it up, if there is less room than it takes. Returns whether there is more room now.
    pub(super) fn give_up(&self, disk: &Disk) -> bool {
        let is_needed = || disk.free().is_ok_and(|free| free < self.made());
        if self.made() == 0 || !is_needed() || self.files.remove(RESERVE).is_err() {
            return false;
        }
        self.made.store(0, SeqCst);
        log::warn!("the disk is full: {} is given up", self.files.path(RESERVE).display());
        true
    }
}
