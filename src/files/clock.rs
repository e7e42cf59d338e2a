//! The time, as the table sees it: one that passes by itself, or one that a test moves.

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
    /// What is added to the time that has passed, and what is taken off.
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
    /// Who sleeps until a time of this clock, and has to be woken when it is moved.
    sleeper: Mutex<Option<Thread>>,
}

impl Clock {
    /// The system's monotonic clock.
    pub fn system() -> Self {
        Clock::of(Kind::System(Instant::now()))
    }

    /// A clock that stands still until it is moved.
    pub fn manual() -> Self {
        Clock::of(Kind::Manual(Arc::default()))
    }

    fn of(kind: Kind) -> Self {
        Clock { kind, plus: Duration::ZERO, minus: Duration::ZERO }
    }

    /// A clock that shows `time` when this one shows what it shows now.
    pub(super) fn showing(&self, time: Duration) -> Self {
        Clock { kind: self.kind.clone(), plus: self.plus + time, minus: self.minus + self.now() }
    }

    /// The time since the clock was made.
    pub fn now(&self) -> Duration {
        let passed = match &self.kind {
            Kind::System(start) => start.elapsed(),
            Kind::Manual(manual) => Duration::from_nanos(manual.nanoseconds.load(SeqCst)),
        };
        (passed + self.plus).saturating_sub(self.minus)
    }

    /// Moves a manual clock forward.
    ///
    /// # Panics
    /// If this is the system's clock.
    pub fn advance(&self, by: Duration) {
        let Kind::Manual(manual) = &self.kind else { panic!("nobody moves the system's clock") };
        let by = u64::try_from(by.as_nanos()).expect("less than 584 years");
        manual.nanoseconds.fetch_add(by, SeqCst);
        let sleeper = manual.sleeper.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(thread) = sleeper.as_ref() {
            thread.unpark();
        }
    }

    /// Sleeps until it is `at` (`None` is for ever) or the thread is unparked, perhaps early.
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
