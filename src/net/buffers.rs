//! The buffers of a stream, and the memory that they may take.

use super::lines::LineBuffer;
use crate::budget::{Budget, Charge};
use std::sync::Arc;

/// Output beyond this is sent, not collected.
const MAX_COLLECTED_BYTES: usize = 64 << 10;

/// The size of an output buffer that collects this much: collecting stops after the item that passes
/// the limit, at most the line of a reply and contents below [`MIN_DIRECT_BYTES`].
const MAX_OUTPUT_BYTES: usize = MAX_COLLECTED_BYTES + MIN_DIRECT_BYTES + (1 << 10);

/// Contents of this size or more are sent without a copy. Below it, one copy is cheaper than a
/// second `IoSlice`.
pub(super) const MIN_DIRECT_BYTES: usize = 16 << 10;

/// An idle connection keeps no larger output buffer. Each buffer has this much without asking the
/// [budget](Buffers::set_budget).
const MAX_IDLE_BYTES: usize = 4 << 10;

/// A buffer for each direction. They grow with a burst, as far as the budget has memory.
#[derive(Debug)]
pub(super) struct Buffers {
    pub(super) input: LineBuffer,
    pub(super) output: Vec<u8>,
    /// How much output is collected before it is sent: [`MAX_COLLECTED_BYTES`] if the budget has
    /// granted memory for it.
    collects: usize,
    /// The memory that both have from the budget.
    held: Charge,
}

impl Buffers {
    pub(super) fn new(max_line_bytes: usize) -> Self {
        let (input, output) = (LineBuffer::new(max_line_bytes), Vec::new());
        Buffers { input, output, collects: MAX_IDLE_BYTES, held: Charge::default() }
    }

    /// Counts what they take beyond a few KiB. Without a budget they may grow.
    pub(super) fn set_budget(&mut self, budget: &Arc<Budget>) {
        self.held = Charge::none(budget);
    }

    /// Makes room to collect `bytes` more of output, if the budget has memory. Returns false if the
    /// output has to be sent first.
    #[inline]
    pub(super) fn reserve_output(&mut self, bytes: usize) -> bool {
        self.output.len() + bytes < self.collects || self.grow_output()
    }

    /// Lets more output be collected if the budget allows it. Returns whether there is room for one
    /// more item, of any size that is collected: [`MAX_OUTPUT_BYTES`] includes it.
    fn grow_output(&mut self) -> bool {
        if self.collects < MAX_COLLECTED_BYTES {
            if !self.hold(self.input.size(), MAX_OUTPUT_BYTES) {
                return false;
            }
            self.collects = MAX_COLLECTED_BYTES;
            self.output.reserve_exact(MAX_OUTPUT_BYTES.saturating_sub(self.output.len()));
        }
        self.output.len() < MAX_COLLECTED_BYTES
    }

    /// Lets the input buffer grow if it needs to and the budget allows it.
    #[inline]
    pub(super) fn let_input_grow(&mut self) {
        self.input.set_may_grow(true);
        let (size, next_size) = (self.input.size(), self.input.next_size());
        if next_size > size {
            let output = if self.collects == MAX_COLLECTED_BYTES { MAX_OUTPUT_BYTES } else { 0 };
            let may_grow = self.hold(next_size, output);
            self.input.set_may_grow(may_grow);
        }
    }

    /// Returns whether one of them is larger than an idle connection should keep.
    pub(super) fn are_oversized(&self) -> bool {
        self.input.is_oversized() || self.output.capacity() > MAX_IDLE_BYTES
    }

    /// Frees what an idle connection does not need. The output has to be empty.
    pub(super) fn shrink(&mut self) {
        debug_assert!(self.output.is_empty());
        self.input.shrink();
        self.output = Vec::new();
        self.collects = MAX_IDLE_BYTES;
        self.hold(self.input.size(), 0);
    }

    /// Charges buffers of these sizes to the budget. Returns false if it has too little.
    fn hold(&mut self, input: usize, output: usize) -> bool {
        let counted = |size: usize| size.saturating_sub(MAX_IDLE_BYTES) as u64;
        let (wanted, has) = (counted(input) + counted(output), self.held.bytes());
        self.held.shrink(has.saturating_sub(wanted));
        self.held.grow(wanted.saturating_sub(has)).is_ok()
    }
}
