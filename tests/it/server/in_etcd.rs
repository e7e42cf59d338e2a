//! Tables in etcd, for the servers of all tests.

use super::{Client, eventually};
use crate::etcd::Cluster;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use telefile::net::Address;
use telefile::server::{Builder, Running};
use telefile::store::etcd::{Etcd, Options};

/// One member serves all tests. It ends with this process.
static CLUSTER: LazyLock<Cluster> =
    LazyLock::new(|| Cluster::start(1).expect("tables in etcd need etcd: install it"));

/// A table that no other test has.
pub(super) struct Table(Options);

impl Table {
    pub(super) fn new() -> Self {
        static LAST: AtomicU32 = AtomicU32::new(0);
        let prefix = format!("{}/", LAST.fetch_add(1, Relaxed));
        Table(Options::new([CLUSTER.urls()]).prefix(prefix))
    }

    /// Returns a builder of a server with this table.
    pub(super) fn of(&self, builder: Builder) -> Builder {
        builder.etcd(Etcd::new(self.0.clone()).unwrap())
    }

    /// Starts the first server with this table, and waits until it is active: before that, it would not
    /// know of a client that is silent.
    pub(super) fn start_active(&self, builder: Builder) -> Running {
        let builder = self.of(builder).metrics("127.0.0.1:0".parse().unwrap());
        let server = builder.bind().unwrap();
        let metrics = server.metrics_addresses()[0].clone();
        let running = server.spawn().unwrap();
        eventually("the server is active", || is_active(&metrics));
        running
    }
}

/// Asks for the metrics, so that no counter of requests or of connections moves.
fn is_active(metrics: &Address) -> bool {
    let mut client = Client::connect(metrics);
    client.send("GET /metrics HTTP/1.0\r\n\r\n");
    let response = client.read_to_reset();
    assert!(response.starts_with("HTTP/1.1 200 "), "{response}");
    response.contains("telefile_role{role=\"active\"}")
}
