//! The active server, as a standby knows it.

use crate::net::{Live, Stream};
use crate::store::etcd::Leader;
use std::sync::Arc;

/// The active server that this one follows, and the clients that it relays there.
#[derive(Debug)]
pub(super) struct Following {
    pub(super) leader: Leader,
    /// Both ends of each relay.
    pub(super) relays: Live<[Arc<Stream>; 2]>,
}

impl Following {
    pub(super) fn new(leader: Leader) -> Self {
        Following { leader, relays: Live::default() }
    }
}
