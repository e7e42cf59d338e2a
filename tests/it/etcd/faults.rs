//! Three servers and three members of etcd under load, and what may happen to them. Each fault leaves all
//! of them running and connected, and every client with an answer from afterwards.

use super::load::Load;
use super::network::Network;
use super::{Cluster, Servers};
use crate::random::Random;
use crate::server::eventually;
use rustix::process::Signal;
use std::thread;
use std::time::Duration;

/// How many members, and how many servers. With a network each has a machine, the members first.
const COUNT: usize = 3;

/// How many clients change files as fast as they can.
const CLIENTS: usize = 10;

/// Shorter than the lease of the active server: etcd comes back in time, or nearly.
const PAUSE: Duration = Duration::from_secs(5);

pub(super) struct Stage {
    pub(super) cluster: Cluster,
    pub(super) servers: Servers,
    pub(super) load: Load,
    network: Option<Network>,
    random: Random,
}

/// What happens.
pub(super) struct Fault {
    /// As the report names it.
    pub(super) name: &'static str,
    pub(super) happens: fn(&mut Stage),
    /// It cuts something.
    pub(super) needs_network: bool,
    /// It cuts clients off: they wait until their own time-outs.
    pub(super) reaches_clients: bool,
}

const fn end_or_hang(name: &'static str, happens: fn(&mut Stage)) -> Fault {
    Fault { name, happens, needs_network: false, reaches_clients: false }
}

const fn cut(name: &'static str, happens: fn(&mut Stage)) -> Fault {
    Fault { name, happens, needs_network: true, reaches_clients: false }
}

/// One of each kind.
pub(super) const FEW: [Fault; 11] = [
    end_or_hang("clean stop of the active server", Stage::stop_active),
    end_or_hang("kill -9 of the active server", Stage::kill_active),
    end_or_hang("kill -9 of etcd's leader", Stage::kill_leader),
    end_or_hang("kill -9 of a standby", Stage::kill_standby),
    end_or_hang("pause of the active server over its lease", Stage::pause_active),
    end_or_hang("clean stop of etcd's leader", Stage::stop_leader),
    end_or_hang("pause of etcd's leader", Stage::pause_leader),
    cut("cut between the active server and etcd", Stage::cut_active_off),
    cut("cut of etcd's replies to the active server", Stage::cut_replies),
    cut("cut between etcd's leader and the other members", Stage::cut_leader_off),
    cut("cut between the standbys and the active server", Stage::cut_standbys_off),
];

/// What takes longer, or is more of the same.
pub(super) const MORE: [Fault; 11] = [
    end_or_hang("kill -9 of a server and of etcd's leader", Stage::kill_active_and_leader),
    end_or_hang("clean stop of a standby", Stage::stop_standby),
    end_or_hang("pause of a member of etcd", Stage::pause_member),
    end_or_hang("short pause of two members of etcd", Stage::pause_two),
    cut("cut of the active server's requests to etcd", Stage::cut_requests),
    cut("cut of what etcd's leader sends to the members", Stage::cut_leader_speechless),
    cut("cut of what the members send to etcd's leader", Stage::cut_leader_deaf),
    cut("cut of what the standbys send to the active server", Stage::cut_relayed_requests),
    cut("cut of what the active server sends to the standbys", Stage::cut_relayed_replies),
    cut("short cuts at random", Stage::cut_at_random),
    Fault {
        reaches_clients: true,
        ..cut("loss of the active server's machine", Stage::isolate_active)
    },
];

impl Stage {
    /// `None`, with a line that says so, where etcd is not installed. Calls itself where the test
    /// reaches the network.
    pub(super) fn with<T: Send>(random: Random, test: impl FnOnce(Stage) -> T + Send) -> Option<T> {
        if !crate::programs::has("etcd") {
            return None;
        }
        let Some(network) = Network::start(2 * COUNT) else {
            let cluster = Cluster::start(COUNT)?;
            let servers = Servers::start(&cluster, COUNT);
            return Some(test(Stage::new(cluster, servers, None, random)));
        };
        let bridge = network.bridge();
        Some(bridge.run(move || {
            let (members, others) = network.machines().split_at(COUNT);
            let cluster = Cluster::start_on(members).expect("etcd is installed");
            let servers = Servers::start_on(&cluster, others);
            test(Stage::new(cluster, servers, Some(network), random))
        }))
    }

    fn new(cluster: Cluster, servers: Servers, network: Option<Network>, random: Random) -> Stage {
        fill(&servers);
        let load = Load::start(&servers, CLIENTS);
        Stage { cluster, servers, load, network, random }
    }

    /// Lets something happen. Does nothing where that takes a network and there is none.
    pub(super) fn suffer(&mut self, fault: &Fault) {
        if fault.needs_network && self.network.is_none() {
            return;
        }
        self.load.fault(fault.name, fault.reaches_clients);
        (fault.happens)(self);
        self.heal();
        self.load.go_on();
    }

    fn active(&self) -> usize {
        self.servers.active(&self.cluster)
    }

    fn standby(&mut self) -> usize {
        (self.active() + 1 + self.random.below(COUNT - 1)) % COUNT
    }

    /// Ends a server, and starts it again once clients have gone on.
    fn end(&mut self, server: usize, end: fn(&mut Servers, usize)) {
        end(&mut self.servers, server);
        self.load.go_on();
        self.servers.start_again(server);
    }

    fn stop_active(&mut self) {
        let active = self.active();
        self.end(active, Servers::stop);
    }

    fn stop_standby(&mut self) {
        let standby = self.standby();
        self.end(standby, Servers::stop);
    }

    fn kill_active(&mut self) {
        let active = self.active();
        self.end(active, Servers::kill);
    }

    fn kill_standby(&mut self) {
        let standby = self.standby();
        self.end(standby, Servers::kill);
    }

    /// Ends etcd's leader, and starts it again once clients have gone on.
    fn end_leader(&mut self, end: fn(&mut Cluster, usize)) {
        let leader = self.cluster.leader();
        end(&mut self.cluster, leader);
        self.load.go_on();
        self.cluster.start_again(leader);
    }

    fn kill_leader(&mut self) {
        self.end_leader(Cluster::kill);
    }

    fn kill_active_and_leader(&mut self) {
        let (active, leader) = (self.active(), self.cluster.leader());
        self.servers.kill(active);
        self.cluster.kill(leader);
        self.load.go_on();
        self.servers.start_again(active);
        self.cluster.start_again(leader);
    }

    fn stop_leader(&mut self) {
        self.end_leader(Cluster::stop);
    }

    fn pause_active(&mut self) {
        let active = self.active();
        self.servers.signal(active, Signal::STOP);
        eventually("another one is active", || self.active() != active);
        self.servers.signal(active, Signal::CONT);
    }

    fn pause_leader(&mut self) {
        let leader = self.cluster.leader();
        self.pause_members(&[leader]);
    }

    fn pause_member(&mut self) {
        let member = self.random.below(COUNT);
        self.pause_members(&[member]);
    }

    /// Pauses members until clients go on, which they do as long as a majority is left.
    fn pause_members(&mut self, members: &[usize]) {
        members.iter().for_each(|member| self.cluster.signal(*member, Signal::STOP));
        self.load.go_on();
        members.iter().for_each(|member| self.cluster.signal(*member, Signal::CONT));
    }

    fn pause_two(&mut self) {
        let member = self.random.below(COUNT);
        let paused = [member, (member + 1) % COUNT];
        paused.iter().for_each(|member| self.cluster.signal(*member, Signal::STOP));
        // Without a majority nobody goes on.
        thread::sleep(PAUSE);
        paused.iter().for_each(|member| self.cluster.signal(*member, Signal::CONT));
    }

    fn cut_active_off(&mut self) {
        self.cut_active(true, true);
    }

    fn cut_requests(&mut self) {
        self.cut_active(true, false);
    }

    fn cut_replies(&mut self) {
        self.cut_active(false, true);
    }

    /// Cuts between the active server and all members of etcd, until clients go on without it.
    fn cut_active(&mut self, requests: bool, replies: bool) {
        let active = self.active();
        for member in 0..COUNT {
            self.cut(COUNT + active, member, requests, replies);
        }
        eventually("another one is active", || self.active() != active);
        self.load.go_on();
    }

    fn cut_leader_off(&mut self) {
        self.cut_leader(true, true);
        self.load.go_on();
    }

    fn cut_leader_speechless(&mut self) {
        self.cut_leader(true, false);
        self.load.go_on();
    }

    /// It disturbs the others with each attempt to lead again, so that they go on afterwards only.
    fn cut_leader_deaf(&mut self) {
        self.cut_leader(false, true);
        thread::sleep(PAUSE);
    }

    fn cut_leader(&mut self, sent: bool, received: bool) {
        let leader = self.cluster.leader();
        for other in (0..COUNT).filter(|n| *n != leader) {
            self.cut(leader, other, sent, received);
        }
    }

    fn cut_standbys_off(&mut self) {
        self.cut_standbys(true, true);
    }

    fn cut_relayed_requests(&mut self) {
        self.cut_standbys(true, false);
    }

    fn cut_relayed_replies(&mut self) {
        self.cut_standbys(false, true);
    }

    /// Cuts between each standby and the active server, until their clients go on elsewhere.
    fn cut_standbys(&mut self, requests: bool, replies: bool) {
        let active = self.active();
        for standby in (0..COUNT).filter(|n| *n != active) {
            self.cut(COUNT + standby, COUNT + active, requests, replies);
        }
        self.load.go_on();
        assert_eq!(self.active(), active, "it stays active");
    }

    fn cut_at_random(&mut self) {
        for from in 0..2 * COUNT {
            for to in (0..2 * COUNT).filter(|to| *to != from) {
                let is_cut = self.random.below(4) == 0;
                self.cut(from, to, is_cut, false);
            }
        }
        thread::sleep(PAUSE);
    }

    fn isolate_active(&mut self) {
        let active = self.active();
        self.network().isolate(COUNT + active);
        eventually("another one is active", || self.active() != active);
    }

    fn network(&mut self) -> &mut Network {
        self.network.as_mut().expect("a fault that needs a network")
    }

    fn cut(&mut self, one: usize, other: usize, there: bool, back: bool) {
        if there {
            self.network().cut(one, other);
        }
        if back {
            self.network().cut(other, one);
        }
    }

    fn heal(&mut self) {
        self.network.iter_mut().for_each(Network::heal);
    }
}

/// Makes many files: a server that becomes active loads them.
fn fill(servers: &Servers) {
    let client = servers.client(0);
    for hundred in 0..100 {
        let names: Vec<_> = (0..100).map(|n| format!("fill/{hundred}/{n}")).collect();
        let mut pipeline = client.pipeline();
        for name in &names {
            pipeline.write(name, "x").unwrap();
        }
        pipeline.send().for_each(|answer| drop(answer.unwrap()));
    }
}
