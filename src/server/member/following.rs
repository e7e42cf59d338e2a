//! The active server, as a standby knows it.

use crate::net::{Live, Stream};
use crate::server::shared::CUT_OFF;
use crate::store::etcd::Leader;
use std::io;
use std::net::Shutdown;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Instant;

/// The active server that this one follows, and the clients that it relays there.
#[derive(Debug)]
pub(in crate::server) struct Following {
    pub(in crate::server) leader: Leader,
    /// Both ends of each relay.
    pub(super) relays: Live<[Arc<Stream>; 2]>,
    has_warned: AtomicBool,
    /// Since when this server does not reach it.
    unreached: Mutex<Option<Instant>>,
}

impl Following {
    pub(super) fn new(leader: Leader) -> Self {
        let (has_warned, unreached) = (AtomicBool::new(false), Mutex::default());
        Following { leader, relays: Live::default(), has_warned, unreached }
    }

    /// Logs that a client cannot be relayed, the first time.
    pub(super) fn warn(&self, error: &io::Error) {
        let level = match self.has_warned.swap(true, Relaxed) {
            false => log::Level::Warn,
            true => log::Level::Debug,
        };
        log::log!(
            level,
            "clients cannot be relayed to the active server at {}: {error}; is that its --advertise?",
            self.leader.address
        );
    }

    /// Notes that the active server was reached.
    pub(super) fn note_reached(&self) {
        *self.unreached.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Notes that the active server was not reached since then, if not since before. Returns since when.
    pub(super) fn note_unreached(&self, since: Instant) -> Instant {
        let mut unreached = self.unreached.lock().unwrap_or_else(PoisonError::into_inner);
        let earlier = unreached.map_or(since, |earlier| earlier.min(since));
        *unreached.insert(earlier)
    }

    /// Ends the relays, without waiting. A server that has stopped ends them itself, behind its last
    /// reply; one that is paused or cut off never would.
    pub(super) fn end(self: &Arc<Self>) {
        self.relays.close();
        let ended = self.clone();
        let cut_off = move || {
            ended.relays.wait_empty(Some(Instant::now() + CUT_OFF));
            ended.cut_off();
        };
        if thread::Builder::new().name("relays".to_string()).spawn(cut_off).is_err() {
            self.cut_off();
        }
    }

    /// Ends the relays now.
    pub(super) fn cut_off(&self) {
        self.relays.each(|ends| ends.iter().for_each(|stream| stream.shutdown(Shutdown::Both)));
    }
}
