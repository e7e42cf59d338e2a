//! The register of all connections, so that a stop reaches each of them.

use super::{Listener, Stream};
use std::collections::HashMap;
use std::io::ErrorKind;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The register of connections, each represented by a `T`. It is closed once, forever.
#[derive(Debug)]
pub struct Doors<T> {
    /// Set under the lock of `inside`, so that nobody enters afterwards.
    closed: AtomicBool,
    inside: Mutex<Inside<T>>,
    changed: Condvar,
}

#[derive(Debug)]
struct Inside<T> {
    guests: HashMap<u64, T>,
    last: u64,
}

/// A connection's place in the register, held until it is dropped.
#[derive(Debug)]
pub struct Pass<'a, T> {
    doors: &'a Doors<T>,
    number: u64,
}

impl<T> Default for Doors<T> {
    fn default() -> Self {
        let inside = Inside { guests: HashMap::new(), last: 0 };
        Doors { closed: false.into(), inside: Mutex::new(inside), changed: Condvar::new() }
    }
}

impl<T> Doors<T> {
    /// Registers a connection. Returns `None` if the doors are closed.
    pub fn enter(&self, guest: T) -> Option<Pass<'_, T>> {
        let mut inside = self.lock();
        if self.closed() {
            return None;
        }
        inside.last += 1;
        let number = inside.last;
        inside.guests.insert(number, guest);
        Some(Pass { doors: self, number })
    }

    /// Accepts connections from `listener` until the doors close. Errors never end it: most concern
    /// one connection, and the others (no file descriptor is left) pass.
    pub fn accept_all(&self, listener: &Listener, mut take: impl FnMut(Stream)) {
        const PAUSE: Duration = Duration::from_millis(10);
        const MAX_PAUSE: Duration = Duration::from_millis(640);
        let mut pause = PAUSE;
        loop {
            let accepted = listener.accept();
            if self.closed() {
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

    /// Returns whether the doors are closed to everybody.
    pub fn closed(&self) -> bool {
        self.closed.load(SeqCst)
    }

    /// Closes the doors to everybody.
    pub fn close(&self) {
        let _inside = self.lock();
        self.closed.store(true, SeqCst);
        self.changed.notify_all();
    }

    /// Runs `action` for everybody inside; nobody can enter or leave meanwhile.
    pub fn each(&self, action: impl FnMut(&T)) {
        self.lock().guests.values().for_each(action);
    }

    /// Returns how many are inside.
    pub fn count(&self) -> usize {
        self.lock().guests.len()
    }

    /// Waits until nobody is inside; `None` is forever.
    pub fn wait_empty(&self, deadline: Option<Instant>) {
        self.wait(deadline, |inside| inside.guests.is_empty());
    }

    fn wait_closed(&self, deadline: Instant) {
        self.wait(Some(deadline), |_| self.closed());
    }

    fn wait(&self, deadline: Option<Instant>, done: impl Fn(&Inside<T>) -> bool) {
        let (inside, waits) = (self.lock(), |inside: &mut Inside<T>| !done(inside));
        match deadline {
            None => drop(self.changed.wait_while(inside, waits)),
            Some(deadline) => {
                let left = deadline.saturating_duration_since(Instant::now());
                drop(self.changed.wait_timeout_while(inside, left, waits));
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inside<T>> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Pass<'_, T> {
    /// Returns the number of this connection, from 1 in the order of entering.
    pub fn number(&self) -> u64 {
        self.number
    }
}

impl<T> Drop for Pass<'_, T> {
    fn drop(&mut self) {
        let mut inside = self.doors.lock();
        let guest = inside.guests.remove(&self.number);
        if inside.guests.is_empty() && self.doors.closed() {
            self.doors.changed.notify_all();
        }
        drop(inside);
        drop(guest); // perhaps the last reference: it closes a socket
    }
}
