//! A connection that ends, in whatever way, closes what it opened, each open exactly once.

use super::puppet::{Op, Strings};
use super::{nothing_is_open, server, start};
use crate::programs::program;
use crate::server::{Client, Running, eventually, portions};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

type End = fn(Client);

/// Lets a client open two files, one of them twice and shared with somebody who stays, and end.
#[track_caller]
fn check(server: &Running, what: &str, end: impl Fn(Client)) {
    for address in server.addresses() {
        let (shared, own) = (Strings::new(), Strings::new());
        let (mut stays, mut client) = (server.client(), Client::connect(address));
        assert!(stays.ask(&shared.open()).starts_with("FD 0 "), "{what}");
        for p in [&shared, &own, &shared] {
            assert!(client.ask(&p.open()).starts_with("FD "), "{what}");
        }
        end(client);
        eventually(&format!("all but one is closed after {what}"), || stays.stat("opens") == 1);
        let opens = shared.log().iter().filter(|line| line.starts_with("open")).count();
        assert_eq!((opens, shared.count("close"), shared.count("drop")), (3, 2, 0), "{what}");
        assert_eq!(shared.log()[2].replace("open", "close"), *shared.log().last().unwrap());
        own.is_over(1, 1);
        stays.alone();
        assert_eq!(stays.ask("close @0"), "OK");
        nothing_is_open(&mut stays);
        shared.is_over(1, 3);
        own.is_over(1, 1);
    }
}

#[test]
fn whatever_the_client_does() {
    let server = start();
    let ends: [(&str, End); 9] = [
        ("quit", |mut client| {
            client.send("quit\r\n");
            assert_eq!(client.read_to_end(), "");
        }),
        ("the end of its side", |mut client| {
            client.half_close();
            assert_eq!(client.read_to_end(), "");
        }),
        ("the end of both sides", drop),
        ("a reset", Client::reset),
        ("a reset in the middle of contents", |client| {
            client.send("write @0 100\r\nabc");
            client.reset();
        }),
        ("an end in the middle of a line", |client| {
            client.send("clos");
            client.half_close();
        }),
        ("what nobody can follow", |mut client| {
            client.send("nonsense\r\nclose @0\r\n");
            assert_eq!(client.read_to_end(), "ERR_CMD_ERR\r\n");
        }),
        ("an end behind many requests", |client| {
            client.send("read @0\r\n".repeat(1000));
            client.reset();
        }),
        ("an end that is not read", |client| {
            client.send("read @0\r\n");
            client.socket().shutdown(Shutdown::Read).unwrap();
        }),
    ];
    for (what, end) in ends {
        check(&server, what, end);
    }
}

#[test]
fn what_it_has_closed_itself_is_not_closed_again() {
    let (server, p) = (start(), Strings::new());
    let (mut a, mut b) = (server.client(), server.client());
    a.ask(&p.open());
    b.send([p.open(), p.open(), p.open(), "close @0\r\n".to_string()].join("\r\n"));
    let lines: Vec<_> = (0..4).map(|_| b.line()).collect();
    assert_eq!(lines, ["FD 0 1 Puppet", "FD 0 1 Puppet", "FD 0 1 Puppet", "OK"]);
    b.reset();
    eventually("it is closed", || a.stat("opens") == 1);
    a.alone();
    assert_eq!(p.count("close"), 3);
    assert_eq!(a.ask("stat @0"), "STAT 1 0 0 Puppet 1");
}

#[test]
fn its_program_is_killed() {
    let server = start();
    check(&server, "kill -9", |client| {
        // Another program has the connection, and it alone.
        let socket = OwnedFd::from(client.socket().try_clone().unwrap());
        let mut child = program("sleep").arg("600").stdin(Stdio::from(socket)).spawn().unwrap();
        drop(client);
        let open = server.client().stat("opens");
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(open, 4, "before it is killed");
    });
}

#[test]
fn it_is_silent_for_too_long() {
    let idle = Duration::from_millis(300);
    let server = Running::start(server().idle_timeout(Some(idle)));
    let (p, mut watcher) = (Strings::new(), server.client());
    let clients = server.addresses().map(|address| {
        let mut client = Client::connect(address);
        assert_eq!(client.ask(&p.open()), "FD 0 1 Puppet");
        client
    });
    eventually("they are closed", || watcher.stat("opens") == 0);
    p.is_over(1, 2);
    for mut client in clients {
        assert_eq!(client.read_to_end(), "");
    }
    nothing_is_open(&mut watcher);
}

#[test]
fn it_does_not_take_its_replies() {
    let server = Running::start(server().write_timeout(Duration::from_millis(200)));
    let (p, mut watcher) = (Strings::new(), server.client());
    let (numbytes, times) = portions(16 << 20);
    let clients = server.addresses().map(|address| {
        let mut client = Client::connect(address);
        assert_eq!(client.ask(&p.open()), "FD 0 1 Puppet");
        client
    });
    assert_eq!(watcher.write(p.name(), &vec![b'x'; numbytes]), "OK 2");
    for client in &clients {
        client.send("read @0\r\n".repeat(times));
    }
    eventually("they are closed", || watcher.stat("opens") == 0);
    p.is_over(1, 2);
    drop(clients);
    nothing_is_open(&mut watcher);
}

#[test]
fn the_server_is_stopped() {
    let (mut server, p) = (start(), Strings::new());
    let mut clients = Vec::new();
    let states = ["", "read", "write @0 100\r\nabc", "read @0\r\n", "quit\r\n", "nonsense\r\n"];
    for address in server.addresses() {
        for state in states {
            let mut client = Client::connect(address);
            assert_eq!(client.ask(&p.open()), "FD 0 1 Puppet");
            assert_eq!(client.ask(&p.open()), "FD 0 1 Puppet");
            client.send(state);
            clients.push(client);
        }
    }
    // Some of them are idle, in the middle of something, or about to leave.
    server.stop();
    assert_eq!(p.count("close"), p.count("open"), "{:?}", p.log());
    p.is_over(1, 2 * clients.len());
}

#[test]
fn it_opens_and_ends_at_once() {
    let server = start();
    let puppets: [Arc<Strings>; 3] = std::array::from_fn(|_| Strings::new());
    for round in 0..30 {
        for address in server.addresses() {
            let mut client = Client::connect(address);
            client.ask("hello"); // its session has begun, so `stats` counts it
            puppets.iter().for_each(|p| client.send(p.open() + "\r\n"));
            if round % 2 == 0 { client.reset() } else { drop(client) }
        }
    }
    let mut watcher = server.client();
    nothing_is_open(&mut watcher);
    for p in puppets {
        p.is_over(p.count("create"), p.count("open"));
    }
}

#[test]
fn a_close_that_hangs_holds_up_no_other_connection() {
    let (server, p, other) = (start(), Strings::new(), Strings::new());
    let (mut a, mut b) = (server.client(), server.client());
    a.ask(&p.open());
    a.ask(&other.open());
    let hold = p.hold(Op::Close);
    a.reset();
    hold.begun();
    assert_eq!(b.ask(&other.open()).split(' ').next(), Some("FD"));
    assert_eq!(b.ask(&p.to("delete")), "OK");
    drop(hold);
    p.is_over(1, 1);
    assert_eq!(b.ask("close @1"), "OK");
    other.is_over(other.count("create"), 2);
    nothing_is_open(&mut b);
}

#[test]
fn it_has_as_many_opens_as_it_may() {
    let (server, p) = (start(), Strings::new());
    let (mut watcher, mut client) = (server.client(), server.client());
    client.send((p.open() + "\r\n").repeat(1025));
    for _ in 0..1024 {
        assert_eq!(client.line(), "FD 0 1 Puppet");
    }
    assert_eq!(client.line(), "ERR_LIMIT descriptors 1024");
    assert_eq!(p.count("open"), 1024, "the type is not asked");
    assert_eq!((watcher.stat("opens"), watcher.stat("descriptors_refused")), (1024, 1));
    client.reset();
    nothing_is_open(&mut watcher);
    p.is_over(1, 1024);
}

#[test]
fn a_file_that_hangs_does_not_keep_the_others_of_a_lost_connection_open() {
    let (server, hangs, other) = (start(), Strings::new(), Strings::new());
    let (mut a, mut b, mut c) = (server.client(), server.client(), server.client());
    assert_eq!(a.ask(&hangs.open()), "FD 0 1 Puppet");
    assert_eq!(b.ask(&hangs.open()), "FD 0 1 Puppet");
    assert_eq!(a.ask(&other.open()), "FD 1 2 Puppet");
    let hold = hangs.hold(Op::Read);
    b.send("read @0\r\n");
    hold.begun();
    a.reset();
    eventually("its other file is closed", || c.ask(&other.to("stat")) == "ERR_FILE_NOT_FOUND");
    drop(hold);
    eventually("both are closed", || c.stat("opens") == 1);
}
