//! The files of the log: a fixed number, each used again and again.

use super::batch::Large;
use crate::contents::Contents;
use crate::store::error::{Result, damaged, of_file};
use crate::store::format::{PART_END_BYTES, Stamp, decode_part};
use crate::store::medium::{FileSet, Medium, fill};
use redb::Error;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How many files the log has at most.
pub(in crate::store) const SLOTS: usize = 4;

/// How many files wait for their next use at most. More are removed after a checkpoint.
pub(super) const MOST_FREE: usize = 2;

/// A file of the log. Its number is a new one each time that it is used.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) slot: usize,
    pub(super) number: u64,
    pub(super) path: PathBuf,
    medium: Box<dyn Medium>,
}

/// A segment that gets no more batches, and that the tree does not have yet.
#[derive(Clone, Debug)]
pub(super) struct Sealed {
    pub(super) segment: Arc<Segment>,
    pub(super) end: u64,
    pub(super) last: Stamp,
}

/// Contents in a segment, which stays as it is while this exists.
#[derive(Clone, Debug)]
pub(super) struct Location {
    pub(super) segment: Arc<Segment>,
    /// Counted from the start of the segment.
    pub(super) large: Large,
}

impl Segment {
    /// Opens what an earlier process left; `None` if there is no such file.
    pub(super) fn open(files: &dyn FileSet, slot: usize) -> Result<Option<Self>> {
        let path = files.path(&name(slot));
        let medium = files.open(&name(slot)).map_err(|e| at(&path, e))?;
        Ok(medium.map(|medium| Segment { slot, number: 0, path, medium }))
    }

    /// Creates a file whose blocks are written: to fill it takes no further metadata, which each
    /// fdatasync would write too.
    pub(super) fn create(files: &dyn FileSet, slot: usize, bytes: u64) -> Result<Self> {
        let path = files.path(&name(slot));
        let created = files.create(&name(slot)).and_then(|medium| {
            fill(&*medium, bytes)?;
            medium.sync()?;
            Ok(medium)
        });
        match created {
            Ok(medium) => Ok(Segment { slot, number: 0, path, medium }),
            Err(e) => {
                let _ = files.remove(&name(slot));
                Err(at(&path, e))
            }
        }
    }

    /// Makes a file that was left by an earlier process as long as a segment, if it is not.
    pub(super) fn fit(&self, bytes: u64) -> Result<()> {
        let fitted = self.medium.len().and_then(|len| match len == bytes {
            true => Ok(()),
            false => fill(&*self.medium, bytes).and_then(|()| self.medium.sync()),
        });
        fitted.map_err(|e| at(&self.path, e))
    }

    /// Writes a batch, which is not on disk yet.
    pub(super) fn append(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.medium.write(offset, bytes)
    }

    /// Writes the bytes from `offset` to `end` once more, so that they are on disk for certain.
    pub(super) fn rewrite(&self, offset: u64, end: u64) -> Result<()> {
        let rewrite = || {
            let mut bytes = vec![0; usize::try_from(end - offset).map_err(io::Error::other)?];
            self.medium.read(offset, &mut bytes)?;
            self.medium.write(offset, &bytes)?;
            self.medium.sync()
        };
        rewrite().map_err(|e| at(&self.path, e))
    }

    /// Waits until everything is on disk. Returns `false` if the file was removed meanwhile, by whomever:
    /// the next start will not find it.
    pub(super) fn sync(&self) -> Result<bool> {
        let synced = self.medium.sync().and_then(|()| self.medium.is_named());
        synced.map_err(|e| at(&self.path, e))
    }

    /// # Errors
    /// The file is longer than a segment: this program did not write it.
    pub(super) fn expect_no_longer(&self, bytes: u64) -> Result<()> {
        match self.medium.len().map_err(|e| at(&self.path, e))? {
            len if len > bytes => {
                let why = format!("it has {len} bytes, and a segment of the log has {bytes}");
                Err(of_file(&self.path, damaged(why)))
            }
            _ => Ok(()),
        }
    }

    /// Returns an error of this segment, with its path.
    pub(super) fn error(&self, e: io::Error) -> Error {
        at(&self.path, e)
    }

    /// Fills `to` with the bytes from `offset` on.
    pub(super) fn read_at(&self, offset: u64, to: &mut [u8]) -> Result<()> {
        self.medium.read(offset, to).map_err(|e| at(&self.path, e))
    }

    /// Returns all bytes.
    pub(super) fn read(&self) -> Result<Vec<u8>> {
        let read = || {
            let length = self.medium.len()?;
            let mut bytes = vec![0; usize::try_from(length).map_err(io::Error::other)?];
            self.medium.read(0, &mut bytes)?;
            Ok(bytes)
        };
        read().map_err(|e| at(&self.path, e))
    }
}

impl Location {
    /// Reads the contents.
    ///
    /// # Errors
    /// Also if they are not what was written.
    pub(super) fn read(&self) -> Result<Contents> {
        let Large { version, at: offset, numbytes } = self.large;
        let read = || {
            let length = usize::try_from(numbytes).map_err(io::Error::other)?;
            let mut bytes = vec![0; length + PART_END_BYTES];
            self.segment.medium.read(offset, &mut bytes)?;
            Ok(bytes)
        };
        let mut bytes = read().map_err(|e| at(&self.segment.path, e))?;
        match decode_part((version, 0), &bytes) {
            Ok((_, 0)) => {
                bytes.truncate(bytes.len() - PART_END_BYTES);
                Ok(bytes.into())
            }
            _ => {
                let why = format!("contents {version} have a wrong checksum");
                Err(of_file(&self.segment.path, damaged(why)))
            }
        }
    }
}

/// Removes the file of a slot, if there is one.
pub(super) fn remove(files: &dyn FileSet, slot: usize) -> io::Result<()> {
    files.remove(&name(slot))
}

/// Returns the names that the log's files can have.
pub(in crate::store) fn names() -> impl Iterator<Item = String> {
    (0..SLOTS).map(name)
}

/// Returns the name of the file of a slot.
fn name(slot: usize) -> String {
    format!("log.{slot}")
}

fn at(path: &Path, e: io::Error) -> Error {
    of_file(path, Error::Io(e))
}
