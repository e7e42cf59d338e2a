//! What the thread that makes checkpoints waits for.

use super::Log;
use super::segments::Segments;
use std::sync::PoisonError;
use std::time::Duration;

impl Log {
    /// Waits until segments are sealed, but no longer than this. Returns `false` at the end.
    pub(in crate::store) fn wait_sealed(&self, longest: Duration) -> bool {
        self.wait_while(longest, |state| state.sealed.is_empty())
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
