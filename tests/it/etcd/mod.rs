//! Servers with a table in a real etcd: what their clients see while servers and members of etcd are
//! stopped, killed and paused. Skipped where etcd is not installed.
#![cfg(all(feature = "etcd", feature = "cli"))]

mod astray;
mod cluster;
mod counter;
mod cuts;
mod failovers;
mod faults;
mod history;
mod load;
mod network;
mod recorder;
mod report;
mod roles;
mod searched;
mod servers;

pub(crate) use cluster::Cluster;

use servers::Servers;
