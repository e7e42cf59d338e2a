//! Which segments the log has, and what each of them is used for.

use super::checkpoint::Checkpoint;
use super::index::Index;
use super::segment::{SLOTS, Sealed, Segment};
use crate::store::format::Stamp;
use crate::store::tree::log_head::LogHead;
use crate::store::tree::room::Amount;
use std::sync::Arc;

#[derive(Debug, Default)]
pub(super) struct Segments {
    pub(super) active: Option<Active>,
    /// In the order of their numbers.
    pub(super) sealed: Vec<Sealed>,
    pub(super) free: Vec<Segment>,
    /// Which slots have a file.
    pub(super) is_made: [bool; SLOTS],
    /// The greatest number of a segment so far.
    pub(super) number: u64,
    /// The first batch of the newest segment that has any, since the log was opened.
    pub(super) begun: Option<LogHead>,
    /// The number of the latest batch that the tree knows to be in the log.
    pub(super) recorded: u64,
    pub(super) index: Index,
    /// What a start found beyond the tree's batch of this number, until it is loaded.
    pub(super) found: Option<(u64, Checkpoint)>,
    /// The table is not loaded yet, and no batch was appended. A checkpoint would take seconds, and the
    /// load would wait for it.
    pub(super) is_loading: bool,
    pub(super) is_ending: bool,
}

#[derive(Debug)]
pub(super) struct Active {
    pub(super) segment: Arc<Segment>,
    pub(super) end: u64,
    pub(super) names: usize,
    pub(super) last: Stamp,
}

impl Segments {
    /// Ends the active segment.
    pub(super) fn seal(&mut self) {
        if let Some(Active { segment, end, last, .. }) = self.active.take() {
            match end {
                0 => self.free.extend(Arc::into_inner(segment)),
                _ => self.sealed.push(Sealed { segment, end, last }),
            }
        }
    }

    pub(super) fn amount(&self, segment_bytes: u64) -> Amount {
        let made = self.is_made.iter().filter(|is_made| **is_made).count() as u64;
        let active = self.active.as_ref().map_or(0, |active| active.end);
        Amount {
            made: made * segment_bytes,
            full: SLOTS as u64 * segment_bytes,
            pending: active + self.sealed.iter().map(|sealed| sealed.end).sum::<u64>(),
            names: self.index.names() as u64,
        }
    }
}
