//! The table's clock: the system's, or one that a test advances.

use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::Thread;
use std::time::{Duration, Instant};

/// A monotonic clock. Clones show the same time.
///
/// ```
/// use std::time::Duration;
/// use telefile::Clock;
///
/// let clock = Clock::manual();
/// let before = clock.now();
/// clock.advance(Duration::from_secs(60));
/// assert_eq!(clock.now() - before, Duration::from_secs(60));
/// ```
#[derive(Clone, Debug)]
pub struct Clock {
    kind: Kind,
    /// What is added to, and subtracted from, the elapsed time.
    plus: Duration,
    minus: Duration,
}

#[derive(Clone, Debug)]
enum Kind {
    System(Instant),
    Manual(Arc<Manual>),
}

#[derive(Debug, Default)]
struct Manual {
    nanoseconds: AtomicU64,
    /// The thread that sleeps until a time of this clock, to be woken when the clock advances.
    sleeper: Mutex<Option<Thread>>,
}

impl Clock {
    /// Returns the system's monotonic clock.
    pub fn system() -> Self {
        Clock::of(Kind::System(Instant::now()))
    }

    /// Returns a clock that stands still until it is advanced.
    pub fn manual() -> Self {
        Clock::of(Kind::Manual(Arc::default()))
    }

    fn of(kind: Kind) -> Self {
        Clock { kind, plus: Duration::ZERO, minus: Duration::ZERO }
    }

    /// Returns a clock that shows `time` now and advances with this one. `time` is below the
    /// [bound](super::store::BOUND) of stored times.
    pub(super) fn showing(&self, time: Duration) -> Self {
        Clock { kind: self.kind.clone(), plus: self.plus + time, minus: self.minus + self.now() }
    }

    /// Returns the time since the clock was created.
    pub fn now(&self) -> Duration {
        let passed = match &self.kind {
            Kind::System(start) => start.elapsed(),
            Kind::Manual(manual) => Duration::from_nanos(manual.nanoseconds.load(SeqCst)),
        };
        (passed + self.plus).saturating_sub(self.minus)
    }

    /// Advances a manual clock.
    ///
    /// # Panics
    /// If this is the system's clock, or if it would be 584 years after its creation.
    pub fn advance(&self, by: Duration) {
        let Kind::Manual(manual) = &self.kind else { panic!("nobody moves the system's clock") };
        let by = u64::try_from(by.as_nanos()).ok();
        let advanced = |nanoseconds: u64| nanoseconds.checked_add(by?);
        let advanced = manual.nanoseconds.fetch_update(SeqCst, SeqCst, advanced);
        advanced.expect("a manual clock counts less than 584 years");
        let sleeper = manual.sleeper.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(thread) = sleeper.as_ref() {
            thread.unpark();
        }
    }

    /// Blocks until the time `at` (`None` is forever) or until the thread is unparked. May return
    /// early.
    pub(super) fn park_until(&self, at: Option<Duration>) {
        match &self.kind {
            Kind::System(_) => match at {
                Some(at) => std::thread::park_timeout(at.saturating_sub(self.now())),
                None => std::thread::park(),
            },
            Kind::Manual(manual) => {
                let mut sleeper = manual.sleeper.lock().unwrap_or_else(PoisonError::into_inner);
                *sleeper = Some(std::thread::current());
                drop(sleeper);
                if at.is_none_or(|at| self.now() < at) {
                    std::thread::park();
                }
            }
        }
    }
}
