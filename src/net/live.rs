//! The live connections, so that a stop reaches each of them.

use super::{Listener, Stream};
use std::collections::HashMap;
use std::io::ErrorKind;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The live connections, each represented by a `T`. [`close`](Live::close) lets no further one in,
/// for good; it ends none.
#[derive(Debug)]
pub struct Live<T> {
    /// Set under the lock of `state`, so that none is added afterwards.
    closed: AtomicBool,
    state: Mutex<State<T>>,
    changed: Condvar,
}

#[derive(Debug)]
struct State<T> {
    connections: HashMap<u64, T>,
    /// The number of the latest connection.
    last: u64,
}

/// A connection's place among the live ones; dropping it removes the connection.
#[derive(Debug)]
pub struct Registration<'a, T> {
    live: &'a Live<T>,
    number: u64,
}

impl<T> Default for Live<T> {
    fn default() -> Self {
        let state = State { connections: HashMap::new(), last: 0 };
        Live { closed: false.into(), state: Mutex::new(state), changed: Condvar::new() }
    }
}

impl<T> Live<T> {
    /// Adds a connection. Returns `None` after [`close`](Live::close).
    pub fn register(&self, connection: T) -> Option<Registration<'_, T>> {
        let mut state = self.lock();
        if self.is_closed() {
            return None;
        }
        state.last += 1;
        let number = state.last;
        state.connections.insert(number, connection);
        Some(Registration { live: self, number })
    }

    /// Accepts connections from `listener` until [`close`](Live::close) and then
    /// [`Listener::close`], which wakes it. Errors never end it: most concern one connection, and the
    /// others (no file descriptor is left) pass.
    pub fn accept_all(&self, listener: &Listener, mut take: impl FnMut(Stream)) {
        const PAUSE: Duration = Duration::from_millis(10);
        const MAX_PAUSE: Duration = Duration::from_millis(640);
        let mut pause = PAUSE;
        loop {
            let accepted = listener.accept();
            if self.is_closed() {
                return;
            }
            match accepted {
                Ok(stream) => {
                    pause = PAUSE;
                    take(stream);
                }
                Err(e)
                    if [ErrorKind::ConnectionAborted, ErrorKind::Interrupted]
                        .contains(&e.kind()) => {}
                Err(e) => {
                    log::warn!("cannot accept on {}: {e}", listener.address());
                    self.wait_closed(Instant::now() + pause);
                    pause = (pause * 2).min(MAX_PAUSE);
                }
            }
        }
    }

    /// Returns whether no connection can be added any more.
    pub fn is_closed(&self) -> bool {
        self.closed.load(SeqCst)
    }

    /// Lets no further connection in. Does not wake [`accept_all`](Live::accept_all).
    pub fn close(&self) {
        let _inside = self.lock();
        self.closed.store(true, SeqCst);
        self.changed.notify_all();
    }

    /// Runs `action` for each connection; none is added or removed meanwhile.
    pub fn each(&self, action: impl FnMut(&T)) {
        self.lock().connections.values().for_each(action);
    }

    /// Returns how many connections there are.
    pub fn count(&self) -> usize {
        self.lock().connections.len()
    }

    /// Blocks until there is no connection, or until `deadline`; `None` is forever.
    pub fn wait_empty(&self, deadline: Option<Instant>) {
        self.wait(deadline, |state| state.connections.is_empty());
    }

    fn wait_closed(&self, deadline: Instant) {
        self.wait(Some(deadline), |_| self.is_closed());
    }

    fn wait(&self, deadline: Option<Instant>, done: impl Fn(&State<T>) -> bool) {
        let (state, waits) = (self.lock(), |state: &mut State<T>| !done(state));
        match deadline {
            None => drop(self.changed.wait_while(state, waits)),
            Some(deadline) => {
                let left = deadline.saturating_duration_since(Instant::now());
                drop(self.changed.wait_timeout_while(state, left, waits));
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Registration<'_, T> {
    /// Returns the number of this connection, from 1 in the order of arrival.
    pub fn number(&self) -> u64 {
        self.number
    }
}

impl<T> Drop for Registration<'_, T> {
    fn drop(&mut self) {
        let mut state = self.live.lock();
        let connection = state.connections.remove(&self.number);
        if state.connections.is_empty() && self.live.is_closed() {
            self.live.changed.notify_all();
        }
        drop(state);
        drop(connection); // perhaps the last reference: it closes a socket
    }
}
