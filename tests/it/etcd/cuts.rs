//! What a client of one server sees while that server does not reach the others: it is not left waiting.

use super::network::Network;
use super::{Cluster, Servers};
use crate::server::{Client, eventually};
use std::io::ErrorKind;
use std::time::{Duration, Instant};

/// No answer takes longer, and no connection is silent for longer without one.
const LONGEST_SILENCE: Duration = Duration::from_secs(20);

/// One member of etcd, and two servers: the active one first.
struct Stage {
    network: Network,
    cluster: Cluster,
    servers: Servers,
    active: usize,
}

/// The machine of etcd, and the first one of a server.
const ETCD: usize = 0;
const FIRST: usize = 1;

impl Stage {
    fn with(test: impl FnOnce(Stage) + Send) {
        if !crate::programs::has("etcd") {
            return;
        }
        let Some(network) = Network::start(3) else { return };
        let bridge = network.bridge();
        bridge.run(move || {
            let (etcd, others) = network.machines().split_at(FIRST);
            let cluster = Cluster::start_on(etcd).expect("etcd is installed");
            let servers = Servers::start_on(&cluster, others);
            let active = servers.active(&cluster);
            test(Stage { network, cluster, servers, active });
        });
    }

    fn cut(&mut self, one: usize, other: usize) {
        self.network.cut(one, other);
        self.network.cut(other, one);
    }

    fn client(&self, n: usize) -> Client {
        Client::connect(&self.servers.address(n))
    }
}

/// Waits until the connection ends without an answer.
#[track_caller]
fn ends_in_time(client: &mut Client) {
    let since = Instant::now();
    match client.read(&mut [0; 64]) {
        Ok(0) => {}
        Err(e) if e.kind() == ErrorKind::ConnectionReset => {}
        other => panic!("{other:?}"),
    }
    assert!(since.elapsed() < LONGEST_SILENCE, "{:?}", since.elapsed());
}

#[test]
fn a_server_that_reaches_no_etcd_keeps_no_client_that_others_may_serve() {
    Stage::with(|mut stage| {
        let (active, other) = (stage.active, 1 - stage.active);
        let mut before = stage.client(active);
        before.send("write f 3\r\none\r\n");
        assert!(before.line().starts_with("OK "));
        stage.cut(ETCD, FIRST + active);
        before.send("write f 3\r\ntwo\r\n");
        ends_in_time(&mut before);
        eventually("the other one is active", || stage.servers.active(&stage.cluster) == other);
        let mut after = stage.client(active);
        after.send("stat f\r\n");
        ends_in_time(&mut after);
        assert!(stage.client(other).ask("stat f").starts_with("STAT "));
        stage.network.heal();
        eventually("it relays", || {
            let mut client = stage.client(active);
            client.send("stat f\r\n");
            client.half_close();
            let mut answer = [0; 5];
            client.read(&mut answer).is_ok_and(|n| answer[..n] == *b"STAT ")
        });
    });
}

#[test]
fn a_standby_that_does_not_reach_the_active_server_keeps_no_client_either() {
    Stage::with(|mut stage| {
        let (active, standby) = (stage.active, 1 - stage.active);
        let (mut busy, mut silent) = (stage.client(standby), stage.client(standby));
        for client in [&mut busy, &mut silent] {
            assert_eq!(client.ask("stat f"), "ERR_FILE_NOT_FOUND");
        }
        // It has to notice that although nothing more is sent.
        silent.send("watch f 0 100\r\n");
        stage.cut(FIRST + active, FIRST + standby);
        busy.send("stat f\r\n");
        let mut new = stage.client(standby);
        new.send("stat f\r\n");
        [&mut busy, &mut silent, &mut new].into_iter().for_each(ends_in_time);
        assert_eq!(stage.servers.active(&stage.cluster), active);
        assert_eq!(stage.client(active).ask("stat f"), "ERR_FILE_NOT_FOUND");
        stage.network.heal();
        assert_eq!(stage.client(standby).ask("stat f"), "ERR_FILE_NOT_FOUND");
    });
}
