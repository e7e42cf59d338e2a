//! How long the server has run, over all its starts: the time of a table stops in between.

use std::time::{Duration, Instant};

/// A clock that stops while there is no server.
#[derive(Clone, Copy)]
pub(super) struct Uptime {
    since: Instant,
    before: Duration,
    runs: bool,
}

impl Uptime {
    pub(super) fn stopped() -> Uptime {
        Uptime { since: Instant::now(), before: Duration::ZERO, runs: false }
    }

    /// Called before the server starts.
    pub(super) fn start(&mut self) {
        assert!(!self.runs);
        *self = Uptime { since: Instant::now(), before: self.before, runs: true };
    }

    /// Called when the server has ended.
    pub(super) fn stop(&mut self) {
        assert!(self.runs);
        *self = Uptime { since: Instant::now(), before: self.now(), runs: false };
    }

    pub(super) fn now(&self) -> Duration {
        if self.runs { self.before + self.since.elapsed() } else { self.before }
    }
}
