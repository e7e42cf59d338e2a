//! Servers with a table in a real etcd: what their clients see while servers and members of etcd are
//! stopped, killed and paused. Skipped where etcd is not installed.
#![cfg(all(feature = "etcd", feature = "cli"))]

mod cluster;
mod counter;
mod failovers;
mod history;
mod load;
mod roles;
mod servers;

use cluster::Cluster;
use servers::Servers;
