//! The files of the log: a fixed number, each used again and again.

use super::batch::Large;
use crate::contents::Contents;
use crate::store::disk::{FileSet, Medium};
use crate::store::error::{self, Result, damaged};
use crate::store::format::{PART_END_BYTES, decode_part};
use redb::Error;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

/// How many files the log has at most.
pub(in crate::store) const SLOTS: usize = 4;

/// How many zeros are written at once.
const ZEROS: usize = 256 << 10;

/// A file of the log. Its number is a new one each time that it is used.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) slot: usize,
    pub(super) number: u64,
    pub(super) path: PathBuf,
    medium: Box<dyn Medium>,
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
    pub(super) fn open(file_set: &dyn FileSet, slot: usize) -> Result<Option<Self>> {
        let path = file_set.path(slot);
        let medium = file_set.open(slot).map_err(|e| at(&path, e))?;
        Ok(medium.map(|medium| Segment { slot, number: 0, path, medium }))
    }

    /// Creates a file whose blocks are written: to fill it takes no further metadata, which each
    /// fdatasync would write too.
    pub(super) fn create(file_set: &dyn FileSet, slot: usize, bytes: u64) -> Result<Self> {
        let path = file_set.path(slot);
        let created = file_set.create(slot).and_then(|medium| {
            fill(&*medium, bytes)?;
            Ok(medium)
        });
        match created {
            Ok(medium) => Ok(Segment { slot, number: 0, path, medium }),
            Err(e) => {
                let _ = file_set.remove(slot);
                Err(at(&path, e))
            }
        }
    }

    /// Makes a file that was left by an earlier process as long as a segment, if it is not.
    pub(super) fn fit(&self, bytes: u64) -> Result<()> {
        let fitted = self.medium.len().and_then(|len| match len == bytes {
            true => Ok(()),
            false => fill(&*self.medium, bytes),
        });
        fitted.map_err(|e| at(&self.path, e))
    }

    /// Writes a batch, which is not on disk yet.
    pub(super) fn append(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.medium.write(offset, bytes)
    }

    pub(super) fn sync(&self) -> Result<()> {
        self.medium.sync().map_err(|e| at(&self.path, e))
    }

    /// Returns an error of this segment, with its path.
    pub(super) fn error(&self, e: io::Error) -> Error {
        at(&self.path, e)
    }

    /// Returns the bytes up to `end`, or all.
    pub(super) fn read(&self, end: Option<u64>) -> Result<Vec<u8>> {
        let read = || {
            let length = self.medium.len()?;
            let length = end.map_or(length, |end| end.min(length));
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
                let path = self.segment.path.display();
                Err(damaged(format!("{path}: contents {version} have a wrong checksum")))
            }
        }
    }
}

fn fill(medium: &dyn Medium, bytes: u64) -> io::Result<()> {
    let zeros = vec![0; ZEROS.min(usize::try_from(bytes).unwrap_or(ZEROS))];
    medium.set_len(bytes)?;
    let mut from = 0;
    while from < bytes {
        let length = zeros.len().min(usize::try_from(bytes - from).unwrap_or(ZEROS));
        medium.write(from, &zeros[..length])?;
        from += length as u64;
    }
    medium.sync()
}

/// Returns an error of a segment with its path in front.
fn at(path: &std::path::Path, e: io::Error) -> Error {
    Error::Io(error::at(path, Error::Io(e)))
}
