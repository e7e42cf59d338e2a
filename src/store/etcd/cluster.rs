//! The gateway to a cluster, and the keys of a table in it.

use super::gateway::Gateway;
use super::keys::Keys;

#[derive(Debug)]
pub(super) struct Cluster {
    pub(super) gateway: Gateway,
    pub(super) keys: Keys,
    /// The size of the database from which nothing is added.
    pub(super) max_data: Option<u64>,
}
