//! The active server, as a standby knows it.

use crate::net::{Live, Stream};
use crate::store::etcd::Leader;
use std::sync::Arc;

/// The active server that this one follows, and the clients that it relays there.
#[derive(Debug)]
pub(in crate::server) struct Following {
    pub(in crate::server) leader: Leader,
    /// Both ends of each relay.
    pub(in crate::server) relays: Live<[Arc<Stream>; 2]>,
}

impl Following {
    pub(in crate::server) fn new(leader: Leader) -> Self {
        Following { leader, relays: Live::default() }
    }
}
