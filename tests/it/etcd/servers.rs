//! Servers of one table in etcd: started at addresses that they keep, killed, stopped and paused.

use super::Cluster;
use super::cluster::free_addresses;
use super::network::Machine;
use crate::process::Serving;
use crate::server::{PATIENCE, eventually};
use rustix::process::Signal;
use std::sync::Arc;
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
    /// Of each server, unless all are here.
    machines: Vec<Arc<Machine>>,
    serving: Vec<Option<Serving>>,
}

impl Servers {
    /// Starts servers. One of them is active, the others relay their clients to it.
    pub(super) fn start(cluster: &Cluster, count: usize) -> Servers {
        Servers::start_at(cluster, free_addresses(count), Vec::new())
    }

    /// Starts a server on each of these machines.
    pub(super) fn start_on(cluster: &Cluster, machines: &[Arc<Machine>]) -> Servers {
        let addresses = machines.iter().map(|machine| format!("{}:7373", machine.host));
        Servers::start_at(cluster, addresses.collect(), machines.to_vec())
    }

    fn start_at(cluster: &Cluster, addresses: Vec<String>, machines: Vec<Arc<Machine>>) -> Servers {
        static LAST: AtomicU32 = AtomicU32::new(0);
        let prefix = format!("it-{}/", LAST.fetch_add(1, Relaxed));
        let (urls, serving) = (cluster.urls(), addresses.iter().map(|_| None).collect());
        let mut servers = Servers { urls, prefix, addresses, machines, serving };
        (0..servers.count()).for_each(|n| servers.start_again(n));
        servers
    }

    /// Starts a server that has ended, at the address that it had.
    pub(super) fn start_again(&mut self, n: usize) {
        let args = ["--listen", &self.addresses[n], "--etcd", &self.urls];
        let args = [&args[..], &["--etcd-prefix", &self.prefix]].concat();
        self.serving[n] = Some(match self.machines.get(n) {
            // Others reach it there, and nobody else: the network is the test's own.
            Some(machine) => machine.run(|| Serving::start(&[&args[..], &["--insecure"]].concat())),
            None => Serving::start(&args),
        });
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

    /// Returns a client of one server that waits as long as the clients of all.
    pub(super) fn reader(&self, n: usize) -> Client {
        Client::builder().timeout(Some(TIMEOUT)).connect(&self.addresses[n]).unwrap()
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
