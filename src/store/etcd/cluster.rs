//! The gateway to a cluster, and the keys of a table in it.

use super::gateway::Gateway;
use super::keys::Keys;
use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

#[derive(Debug)]
pub(super) struct Cluster {
    pub(super) gateway: Gateway,
    pub(super) keys: Keys,
    /// The size of the database from which nothing is added.
    pub(super) max_data: Option<u64>,
    /// The leases of terms that are over, and of elections that failed, where etcd did not answer.
    unended_leases: Mutex<Vec<i64>>,
}

impl Cluster {
    pub(super) fn new(gateway: Gateway, keys: Keys, max_data: Option<u64>) -> Self {
        Cluster { gateway, keys, max_data, unended_leases: Mutex::default() }
    }

    /// Ends a lease. If etcd does not answer, the next election [begins](Cluster::end_leases) with that.
    pub(super) fn end_lease(&self, lease: i64, patience: Duration) -> io::Result<()> {
        self.gateway.revoke(lease, patience).map_err(|trouble| {
            self.unended().push(lease);
            trouble.into()
        })
    }

    /// Ends the leases that could not be ended: this server would wait for its own former term.
    pub(super) fn end_leases(&self, patience: Duration) -> io::Result<()> {
        let leases = std::mem::take(&mut *self.unended());
        let ended = leases.into_iter().map(|lease| self.end_lease(lease, patience));
        // Each that fails is kept.
        ended.fold(Ok(()), Result::and)
    }

    fn unended(&self) -> std::sync::MutexGuard<'_, Vec<i64>> {
        self.unended_leases.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
