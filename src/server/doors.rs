//! Who is in, and the way out: the streams of all connections, so that a stop reaches each.

use crate::files::ClientId;
use crate::net::Stream;
use std::collections::HashMap;
use std::net::Shutdown;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// The register of connections. It is closed once, for ever.
#[derive(Debug, Default)]
pub(super) struct Doors {
    /// Read before each request; set under the lock of `inside`, so that nobody enters after it.
    closed: AtomicBool,
    inside: Mutex<Inside>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Inside {
    streams: HashMap<ClientId, Arc<Stream>>,
    last: u64,
}

/// A connection's place in the register, until it is dropped.
pub(super) struct Pass<'a> {
    doors: &'a Doors,
    client: ClientId,
}

impl Doors {
    /// Registers a connection; `None` if the doors are closed.
    pub(super) fn enter(&self, stream: &Arc<Stream>) -> Option<Pass<'_>> {
        let mut inside = self.lock();
        if self.closed() {
            return None;
        }
        inside.last += 1;
        let client = ClientId::new(inside.last);
        inside.streams.insert(client, stream.clone());
        Some(Pass { doors: self, client })
    }

    pub(super) fn closed(&self) -> bool {
        self.closed.load(SeqCst)
    }

    /// Lets nobody in any more.
    pub(super) fn close(&self) {
        let _inside = self.lock();
        self.closed.store(true, SeqCst);
        self.changed.notify_all();
    }

    pub(super) fn shut_all(&self, how: Shutdown) {
        self.lock().streams.values().for_each(|stream| stream.shutdown(how));
    }

    pub(super) fn count(&self) -> usize {
        self.lock().streams.len()
    }

    /// Waits until nobody is inside.
    pub(super) fn wait_empty(&self, deadline: Instant) {
        self.wait(deadline, |inside| inside.streams.is_empty());
    }

    /// Waits until the doors are closed.
    pub(super) fn wait_closed(&self, deadline: Instant) {
        self.wait(deadline, |_| self.closed());
    }

    fn wait(&self, deadline: Instant, done: impl Fn(&Inside) -> bool) {
        let mut inside = self.lock();
        while !done(&inside) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let woken = self.changed.wait_timeout(inside, left);
            inside = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pass<'_> {
    pub(super) fn client(&self) -> ClientId {
        self.client
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        let mut inside = self.doors.lock();
        inside.streams.remove(&self.client);
        if inside.streams.is_empty() && self.doors.closed() {
            self.doors.changed.notify_all();
        }
    }
}
