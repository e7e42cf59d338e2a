//! The table's lock.

use crate::files::state::State;
use std::hint;
use std::sync::{Mutex, MutexGuard, TryLockError};
use std::thread;
use std::time::{Duration, Instant};

/// How long a thread tries to take the lock before it sleeps until the lock is released.
///
/// The lock is held for about a microsecond, unless the system interrupts its holder, which then
/// continues after some tens of microseconds. To sleep and be woken takes as long, and while threads
/// sleep each release has to wake one. With 50 busy connections on two processors this makes a
/// server 1.1 times as fast.
const SPIN: Duration = Duration::from_micros(50);

/// The pauses between two attempts. An attempt takes the lock's cache line from the holder.
const PAUSES: usize = 8;

/// A mutex that a thread tries to take for a while before it sleeps.
#[derive(Debug)]
pub(super) struct Lock {
    state: Mutex<State>,
    /// [`SPIN`], or nothing on one processor, where the holder cannot run meanwhile.
    spin: Duration,
}

impl Lock {
    pub(super) fn new(state: State) -> Self {
        let processors = thread::available_parallelism();
        let is_alone = processors.is_ok_and(|processors| processors.get() == 1);
        let spin = if is_alone { Duration::ZERO } else { SPIN };
        Lock { state: Mutex::new(state), spin }
    }

    pub(super) fn take(&self) -> MutexGuard<'_, State> {
        self.try_for_a_while().unwrap_or_else(|| self.state.lock().unwrap_or_else(|_| lost()))
    }

    /// Returns the state of a table that nobody else has.
    pub(super) fn get_mut(&mut self) -> &mut State {
        self.state.get_mut().unwrap_or_else(|_| lost())
    }

    fn try_for_a_while(&self) -> Option<MutexGuard<'_, State>> {
        let mut began = None;
        loop {
            match self.state.try_lock() {
                Ok(state) => return Some(state),
                Err(TryLockError::Poisoned(_)) => lost(),
                Err(TryLockError::WouldBlock) => {}
            }
            if began.get_or_insert_with(Instant::now).elapsed() >= self.spin {
                return None;
            }
            (0..PAUSES).for_each(|_| hint::spin_loop());
        }
    }
}

/// Aborts. No user code runs under the table's lock: a panic there is a bug that left the table
/// half changed, and wrong answers are worse than none.
pub(in crate::files) fn lost<T>() -> T {
    log::error!("a thread panicked while it changed the table; the table is lost");
    std::process::abort()
}
