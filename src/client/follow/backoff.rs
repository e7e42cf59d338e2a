//! The pauses between attempts: each twice as long as the one before, up to a longest.

use std::hash::{BuildHasher, RandomState};
use std::thread;
use std::time::{Duration, Instant};

const FIRST_PAUSE: Duration = Duration::from_millis(100);

#[derive(Debug)]
pub(super) struct Backoff {
    longest: Duration,
    /// The failed attempts since the last one that did not fail.
    failures: u32,
    /// When to try again.
    next: Option<Instant>,
}

impl Backoff {
    pub(super) fn new(longest: Duration) -> Self {
        Backoff { longest, failures: 0, next: None }
    }

    pub(super) fn succeeded(&mut self) {
        (self.failures, self.next) = (0, None);
    }

    pub(super) fn failed(&mut self) {
        let pause = FIRST_PAUSE.saturating_mul(1 << self.failures.min(16)).min(self.longest);
        self.failures = self.failures.saturating_add(1);
        // The clients of a restarted server should not all come at the same time.
        let chance = (RandomState::new().hash_one(()) >> 32) as f64 / f64::from(u32::MAX);
        self.next = Instant::now().checked_add(pause.mul_f64(0.5 + chance / 2.0));
    }

    /// Waits until it is time for the next attempt, but no longer than `time`; returns whether it
    /// is.
    pub(super) fn wait(&self, time: Duration) -> bool {
        let Some(next) = self.next else { return true };
        let left = next.saturating_duration_since(Instant::now());
        thread::sleep(left.min(time));
        left <= time
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_pause_is_at_most_twice_as_long_up_to_the_longest() {
        let mut backoff = Backoff::new(Duration::from_secs(1));
        assert!(backoff.wait(Duration::ZERO));
        for most in [100, 200, 400, 800, 1000, 1000].map(Duration::from_millis) {
            let before = Instant::now();
            backoff.failed();
            let (next, after) = (backoff.next.unwrap(), Instant::now());
            assert!(next >= before + most / 2 && next <= after + most, "{most:?}");
            assert!(!backoff.wait(Duration::ZERO) || Instant::now() >= next);
        }
        backoff.succeeded();
        assert!(backoff.wait(Duration::ZERO));
    }
}
