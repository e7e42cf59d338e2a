//! The batches of a segment, one after another. Only a part of the segment is in memory.

use super::batch::{self, Batch, HEADER_BYTES};
use super::segment::Segment;
use super::settings::BUFFER_BYTES;
use crate::store::error::{Result, damaged, of_file};

/// Reads whole batches up to an end.
pub(super) struct Batches<'s> {
    segment: &'s Segment,
    end: u64,
    /// Where the next batch begins.
    next: u64,
    /// A part of the segment, and where it begins.
    bytes: Vec<u8>,
    from: u64,
}

impl<'s> Batches<'s> {
    pub(super) fn new(segment: &'s Segment, end: u64) -> Self {
        Batches { segment, end, next: 0, bytes: Vec::new(), from: 0 }
    }

    /// Returns the next batch, and where it begins; `None` at the end.
    ///
    /// # Errors
    /// Those of the disk; what is there is not a whole batch.
    pub(super) fn next(&mut self) -> Result<Option<(u64, Batch<'_>)>> {
        let (at, segment) = (self.next, self.segment);
        if at >= self.end {
            return Ok(None);
        }
        let length = batch::length(self.part(at, HEADER_BYTES as u64)?).unwrap_or(0);
        self.next = at.saturating_add(length);
        match Batch::decode(self.part(at, length)?) {
            Some(batch) => Ok(Some((at, batch))),
            None => {
                let why = format!("the batch at offset {at} is not what was written");
                Err(of_file(&segment.path, damaged(why)))
            }
        }
    }

    /// Returns the bytes from `at` on, at least this many, unless the end comes before that.
    fn part(&mut self, at: u64, length: u64) -> Result<&[u8]> {
        let left = self.end - at;
        let read_to = self.from + self.bytes.len() as u64;
        if at < self.from || at + length.min(left) > read_to {
            let length = length.max(BUFFER_BYTES as u64).min(left);
            self.bytes.clear();
            self.bytes.resize(length as usize, 0);
            self.from = at;
            self.segment.read_at(at, &mut self.bytes)?;
        }
        Ok(&self.bytes[(at - self.from) as usize..])
    }
}
