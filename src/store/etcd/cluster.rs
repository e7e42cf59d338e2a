//! The gateway to a cluster, and the keys of a table in it.

use super::gateway::Gateway;
use super::keys::Keys;

#[derive(Debug)]
pub(super) struct Cluster {
    pub(super) gateway: Gateway,
    pub(super) keys: Keys,
}
