//! How long the server has run, over all its starts: a table's time stands still in between.

use std::time::{Duration, Instant};

/// A clock that is stopped while there is no server.
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

    /// Before the server starts.
    pub(super) fn start(&mut self) {
        assert!(!self.runs);
        *self = Uptime { since: Instant::now(), before: self.before, runs: true };
    }

    /// When the server is gone.
    pub(super) fn stop(&mut self) {
        assert!(self.runs);
        *self = Uptime { since: Instant::now(), before: self.now(), runs: false };
    }

    pub(super) fn now(&self) -> Duration {
        if self.runs { self.before + self.since.elapsed() } else { self.before }
    }
}
