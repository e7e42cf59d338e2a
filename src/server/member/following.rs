//! The active server, as a standby knows it.

use crate::net::{Live, Stream};
use crate::store::etcd::Leader;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// The active server that this one follows, and the clients that it relays there.
#[derive(Debug)]
pub(in crate::server) struct Following {
    pub(in crate::server) leader: Leader,
    /// Both ends of each relay.
    pub(in crate::server) relays: Live<[Arc<Stream>; 2]>,
    has_warned: AtomicBool,
}

impl Following {
    pub(in crate::server) fn new(leader: Leader) -> Self {
        Following { leader, relays: Live::default(), has_warned: AtomicBool::new(false) }
    }

    /// Logs that a client cannot be relayed, the first time.
    pub(in crate::server) fn warn(&self, error: &io::Error) {
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
}
