//! What a client sees of the active server and of a standby, and what neither may show.

use super::cluster::free_addresses;
use super::{Cluster, Servers};
use crate::process::{Serving, run, telefile};
use crate::server::{Client, Folder, eventually};
use rustix::process::Signal;
use std::io::ErrorKind;

/// Returns what still comes until the connection ends, in whatever way.
#[track_caller]
fn rest(client: &mut Client) -> String {
    let (mut all, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        match client.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => all.extend_from_slice(&buffer[..n]),
            Err(e) if e.kind() == ErrorKind::ConnectionReset => break,
            Err(e) => panic!("{e}"),
        }
    }
    String::from_utf8_lossy(&all).into_owned()
}

/// Returns the value of a line of `stats`.
fn stats(client: &mut Client, name: &str) -> String {
    let head = client.ask("stats");
    let count = head.strip_prefix("STATS ").and_then(|count| count.parse().ok()).unwrap_or(0);
    let lines: Vec<String> = (0..count).map(|_| client.line()).collect();
    let value = lines.iter().find_map(|line| line.strip_prefix(&format!("{name} ")));
    value.unwrap_or_else(|| panic!("no {name} in {lines:?}")).to_string()
}

#[test]
fn a_standby_relays_its_clients() {
    let Some(cluster) = Cluster::start(1) else { return };
    let servers = Servers::start(&cluster, 2);
    let active = servers.active(&cluster);
    let mut near = Client::connect(&servers.address(active));
    let mut far = Client::connect(&servers.address(1 - active));
    assert_eq!(far.ask("stat f"), "ERR_FILE_NOT_FOUND");
    near.send("write f 3\r\none\r\n");
    let ok = near.line();
    far.send("read f\r\n");
    let version = ok.strip_prefix("OK ").unwrap();
    assert_eq!((far.line(), far.line()), (format!("CONTENTS {version} 3 0"), "one".to_string()));
    // The end of what a client sends is not the end of what it gets.
    let large = "x".repeat(500_000);
    far.send(format!("write g 500000\r\n{large}\r\nread g\r\nstat f\r\n"));
    far.half_close();
    assert!(far.line().starts_with("OK "));
    assert!(far.line().starts_with("CONTENTS "));
    assert_eq!(far.line(), large);
    assert!(far.line().starts_with("STAT "));
    assert_eq!(rest(&mut far), "");
    // A watch through a standby wakes.
    let mut far = Client::connect(&servers.address(1 - active));
    far.send(format!("watch f {} 100\r\n", stats(&mut near, "version")));
    eventually("it watches", || stats(&mut near, "watches") == "1");
    near.send("write f 3\r\ntwo\r\n");
    near.line();
    assert!(far.line().starts_with("CHANGES "));
}

#[test]
fn stats_show_the_roles() {
    let Some(cluster) = Cluster::start(1) else { return };
    let servers = Servers::start(&cluster, 2);
    let active = servers.active(&cluster);
    for n in [active, 1 - active] {
        let mut client = Client::connect(&servers.address(n));
        assert_eq!(stats(&mut client, "store"), "etcd");
        assert_eq!(stats(&mut client, "role"), "active");
        assert_eq!(stats(&mut client, "leader"), servers.address(active).to_string());
        assert_eq!(stats(&mut client, "failovers"), "0");
        let address = servers.address(n).to_string();
        let metrics = run(telefile(&["stats", "--addr", &address, "--format", "prometheus"]));
        for line in ["telefile_role{role=\"active\"} 1", "telefile_failovers_total 0"] {
            assert!(metrics.stdout.lines().any(|found| found == line), "{}", metrics.stdout);
        }
    }
}

#[test]
fn only_a_relay_that_knows_the_secret_is_admitted_and_it_is_no_local_client() {
    let Some(cluster) = Cluster::start(1) else { return };
    let folder = Folder::new();
    let socket = format!("unix:{}", folder.path().join("socket").display());
    let args = ["--listen", &socket, "--etcd", &cluster.urls(), "--etcd-prefix", "local/"];
    let serving = Serving::start(&args);
    let address = &serving.addresses[0];
    let mut client = Client::connect(address);
    client.send("write f 1\r\nx\r\n");
    assert_eq!(client.line(), "OK 1");
    let leader = String::from_utf8(cluster.get("local/leader").unwrap()).unwrap();
    let (secret, _) = leader.split_once(' ').unwrap();
    for wrong in [">relay ", ">relay x", ">relay", ">", &format!(">relay {secret}x")] {
        let mut relay = Client::connect(address);
        relay.send(format!("{wrong}\r\nread f\r\n"));
        assert!(!rest(&mut relay).contains("CONTENTS"), "{wrong}");
    }
    let mut relay = Client::connect(address);
    relay.send(format!(">relay {secret}\r\n"));
    assert_eq!(relay.line(), "RELAY");
    assert_eq!(relay.ask("stat f"), "STAT 1 1 0 MemoryFile 0");
    // The socket gives backups, but not to a client that is elsewhere.
    assert_eq!(relay.ask("backup"), "ERR_DENIED");
    assert!(client.ask("backup").starts_with("BACKUP 1 "));
    // Twice is no protocol. What was sent before is answered.
    relay.send(format!("stat f\r\n>relay {secret}\r\nstat f\r\n"));
    assert_eq!(rest(&mut relay), "STAT 1 1 0 MemoryFile 0\r\nERR_CMD_ERR\r\n");
    // Another server that takes this one for the active one from before.
    let socket = format!("unix:{}", folder.path().join("standby").display());
    let args = ["--listen", &socket, "--etcd", &cluster.urls(), "--etcd-prefix", "local/"];
    let standby = Serving::start(&args);
    let mut relay = Client::connect(&standby.addresses[0]);
    relay.send(format!(">relay {secret}\r\n"));
    assert_eq!(rest(&mut relay), "");
}

#[test]
fn a_standby_says_once_that_the_active_server_is_not_where_it_says() {
    let Some(cluster) = Cluster::start(1) else { return };
    let [nobody, standby] = &free_addresses(2)[..] else { unreachable!() };
    let etcd = ["--etcd", &cluster.urls(), "--etcd-prefix", "lost/"];
    let unreachable = ["--listen", "127.0.0.1:0", "--advertise", nobody];
    let _active = Serving::start(&[&unreachable[..], &etcd].concat());
    eventually("it is active", || cluster.get("lost/leader").is_some());
    let standby = Serving::start(&[&["--listen", standby][..], &etcd].concat());
    for _ in 0..2 {
        Client::connect(&standby.addresses[0]).send("read f\r\n");
    }
    let warning = format!("clients cannot be relayed to the active server at {nobody}");
    eventually("it warns", || standby.log().contains(&warning));
    assert_eq!(standby.log().matches(&warning).count(), 1);
}

#[test]
fn a_client_of_a_standby_is_told_that_the_active_server_takes_no_more() {
    let Some(cluster) = Cluster::start(1) else { return };
    let etcd = ["--listen", "127.0.0.1:0", "--etcd", &cluster.urls(), "--etcd-prefix", "full/"];
    let active = Serving::start(&[&etcd[..], &["--connections", "1"]].concat());
    let mut only = Client::connect(&active.addresses[0]);
    assert_eq!(only.ask("stat f"), "ERR_FILE_NOT_FOUND");
    let standby = Serving::start(&etcd);
    let mut client = Client::connect(&standby.addresses[0]);
    client.send("stat f\r\n");
    assert_eq!(rest(&mut client), "ERR_LIMIT connections 1\r\n");
    drop(only);
    eventually("there is room again", || {
        let mut client = Client::connect(&standby.addresses[0]);
        client.ask("stat f") == "ERR_FILE_NOT_FOUND"
    });
}

#[test]
fn no_client_is_relayed_to_another_program_at_the_address_of_a_dead_server() {
    let Some(cluster) = Cluster::start(1) else { return };
    let mut servers = Servers::start(&cluster, 2);
    let dead = servers.active(&cluster);
    let mut client = Client::connect(&servers.address(1 - dead));
    client.send("write f 3\r\nold\r\n");
    assert!(client.line().starts_with("OK "));
    servers.kill(dead);
    // As long as the lease lasts, the standby takes it for the active one.
    let address = servers.address(dead).to_string();
    let other = Serving::start(&["--listen", &address]);
    let mut late = Client::connect(&servers.address(1 - dead));
    late.send("read f\r\n");
    assert!(late.line().starts_with("CONTENTS "));
    assert_eq!(late.line(), "old");
    assert_eq!(other.client().ask("stat f"), "ERR_FILE_NOT_FOUND");
}

#[test]
fn a_server_that_was_paused_answers_nothing_from_before() {
    let Some(cluster) = Cluster::start(1) else { return };
    let servers = Servers::start(&cluster, 2);
    let paused = servers.active(&cluster);
    let mut writer = Client::connect(&servers.address(paused));
    writer.send("write f 3\r\nold\r\n");
    assert!(writer.line().starts_with("OK "));
    // Many, since the server itself notices soon that its term is over.
    let mut clients: Vec<_> = (0..200).map(|_| Client::connect(&servers.address(paused))).collect();
    clients.iter_mut().for_each(|client| drop(client.ask("stat f")));
    servers.signal(paused, Signal::STOP);
    clients.iter().for_each(|client| client.send("read f\r\n"));
    writer.send("write f 4\r\nlate\r\nread f\r\n");
    eventually("the other one is active", || servers.active(&cluster) != paused);
    let mut other = Client::connect(&servers.address(1 - paused));
    other.send("write f 3\r\nnew\r\n");
    assert!(other.line().starts_with("OK "));
    servers.signal(paused, Signal::CONT);
    clients.iter_mut().for_each(|client| assert_eq!(rest(client), ""));
    assert_eq!(rest(&mut writer), "");
    // It relays by now.
    let mut again = Client::connect(&servers.address(paused));
    for client in [&mut again, &mut other] {
        client.send("read f\r\n");
        client.line();
        assert_eq!(client.line(), "new");
    }
}

#[test]
fn without_etcd_nobody_is_answered_and_it_goes_on_when_etcd_is_back() {
    let Some(mut cluster) = Cluster::start(1) else { return };
    let servers = Servers::start(&cluster, 1);
    let mut client = Client::connect(&servers.address(0));
    client.send("write f 3\r\none\r\n");
    let ok = client.line();
    cluster.kill(0);
    client.send("write f 3\r\ntwo\r\n");
    assert_eq!(rest(&mut client), "", "whether it was done is not known");
    // It waits for an active server, and there is none.
    let mut waiting = Client::connect(&servers.address(0));
    waiting.send("read f\r\n");
    assert_eq!(rest(&mut waiting), "");
    cluster.start_again(0);
    eventually("it is active again", || {
        let Ok(mut client) = Client::try_connect(&servers.address(0)) else { return false };
        client.send("read f\r\n");
        client.half_close();
        let read = rest(&mut client);
        read.contains("one") || read.contains("two")
    });
    assert!(ok.starts_with("OK "));
}

#[test]
fn what_cannot_be_meant_is_refused() {
    let etcd = ["serve", "--etcd", "http://127.0.0.1:1"];
    for (args, why) in [
        (&["--data", "x"][..], "--etcd and --data exclude each other"),
        (&["--max-contents", "2M"], "a file in etcd has at most 1 MiB"),
        (&["--listen", "0.0.0.0:0", "--insecure"], "no other server can reach this one there"),
        (&["--etcd-prefix", ""], "prefix"),
    ] {
        run(telefile(&[&etcd, args].concat())).failed(2, &[why]);
    }
    for (option, value) in
        [("--advertise", "127.0.0.1:1"), ("--etcd-prefix", "a/"), ("--etcd-ca", "ca.pem")]
    {
        let refused = run(telefile(&["serve", option, value]));
        refused.failed(2, &[&format!("{option} needs --etcd")]);
    }
}
