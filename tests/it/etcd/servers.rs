//! Servers of one table in etcd: started at addresses that they keep, killed, stopped and paused.

use super::Cluster;
use super::cluster::free_addresses;
use crate::process::Serving;
use crate::server::{PATIENCE, eventually};
use rustix::process::Signal;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;
use telefile::Client;
use telefile::net::Address;

/// The longest wait of a client for a reply. No answer may take that long.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The servers of a table that no other test has.
pub(super) struct Servers {
    urls: String,
    prefix: String,
    addresses: Vec<String>,
    serving: Vec<Option<Serving>>,
}

impl Servers {
    /// Starts servers. One of them is active, the others relay their clients to it.
    pub(super) fn start(cluster: &Cluster, count: usize) -> Servers {
        static LAST: AtomicU32 = AtomicU32::new(0);
        let prefix = format!("it-{}/", LAST.fetch_add(1, Relaxed));
        let (urls, addresses) = (cluster.urls(), free_addresses(count));
        let mut servers = Servers { urls, prefix, addresses, serving: Vec::new() };
        servers.serving.extend((0..count).map(|_| None));
        (0..count).for_each(|n| servers.start_again(n));
        servers
    }

    /// Starts a server that has ended, at the address that it had.
    pub(super) fn start_again(&mut self, n: usize) {
        let args = ["--listen", &self.addresses[n], "--etcd", &self.urls];
        let prefix = ["--etcd-prefix", &self.prefix];
        self.serving[n] = Some(Serving::start(&[&args[..], &prefix].concat()));
    }

    /// Returns the addresses of all, as clients take them, beginning with that of server `first`.
    pub(super) fn list(&self, first: usize) -> String {
        let mut addresses = self.addresses.clone();
        addresses.rotate_left(first % self.addresses.len());
        addresses.join(",")
    }

    /// Returns a client of all servers.
    pub(super) fn client(&self, first: usize) -> Client {
        let builder = Client::builder().timeout(Some(TIMEOUT));
        let mut connected = None;
        eventually("a server answers", || {
            connected = builder.clone().connect(&self.list(first)).ok();
            connected.is_some()
        });
        connected.unwrap()
    }

    /// Returns a client of one server.
    pub(super) fn client_of(&self, n: usize) -> Client {
        Client::builder().timeout(Some(PATIENCE)).connect(&self.addresses[n]).unwrap()
    }

    pub(super) fn address(&self, n: usize) -> Address {
        self.addresses[n].parse().unwrap()
    }

    /// Returns which server is active, according to etcd.
    pub(super) fn active(&self, cluster: &Cluster) -> usize {
        let mut active = None;
        eventually("a server is active", || {
            let leader = cluster.get(&format!("{}leader", self.prefix)).unwrap_or_default();
            let leader = String::from_utf8(leader).unwrap();
            let is_named = |address: &String| leader.split(' ').any(|word| word == address);
            active = self.addresses.iter().position(is_named);
            active.is_some()
        });
        active.unwrap()
    }

    pub(super) fn signal(&self, n: usize, signal: Signal) {
        self.serving[n].as_ref().unwrap().signal(signal);
    }

    /// Ends a server by force.
    pub(super) fn kill(&mut self, n: usize) {
        drop(self.serving[n].take());
    }

    /// Ends a server as a service manager does.
    pub(super) fn stop(&mut self, n: usize) {
        self.serving[n].take().unwrap().stop(Signal::TERM);
    }

    /// Returns the log of a server that runs.
    pub(super) fn log(&self, n: usize) -> String {
        self.serving[n].as_ref().map(Serving::log).unwrap_or_default()
    }

    pub(super) fn count(&self) -> usize {
        self.addresses.len()
    }
}
