//! Clients with several addresses: the servers of one table, here proxies before one server.

use super::running;
use crate::recipes::proxy::Proxy;
use crate::server::{Folder, PATIENCE, Running, eventually};
use std::net::TcpListener;
use std::sync::mpsc;
use std::time::Duration;
use telefile::client::recipes::{Lease, LeaseEvent, Lock};
use telefile::client::{Error, Event};
use telefile::net::Address;
use telefile::{Client, Limit, Refusal, Server};

/// Returns addresses as a client takes them.
fn list(addresses: &[&Address]) -> String {
    addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

fn connect(addresses: &[&Address]) -> Result<Client, Error> {
    Client::builder().timeout(Some(PATIENCE)).connect(&list(addresses))
}

fn two(server: &Running) -> [Proxy; 2] {
    [(); 2].map(|()| Proxy::new(server.addresses()[0]))
}

/// How many clients have come to each.
fn hellos(proxies: &[Proxy; 2]) -> [usize; 2] {
    proxies.each_ref().map(|proxy| proxy.asked("hello"))
}

/// Returns an address without a server.
fn dead(folder: &Folder, name: &str) -> Address {
    Address::Unix(folder.path().join(name))
}

#[test]
fn the_error_names_each_address_that_refuses() {
    let folder = Folder::new();
    let (one, two) = (dead(&folder, "one"), dead(&folder, "two"));
    let error = connect(&[&one, &two]).unwrap_err();
    let reason = |address| match connect(&[address]).unwrap_err() {
        Error::Connect(e) => e.to_string(),
        e => panic!("{e:?}"),
    };
    assert_eq!(error.to_string(), format!("no connection: {}; {}", reason(&one), reason(&two)));
    assert!(reason(&one).starts_with(&format!("{one}: ")));
    assert!(error.is_retryable());
}

#[test]
fn an_address_without_a_server_is_passed_over() {
    let (server, folder) = (running(), Folder::new());
    let dead = dead(&folder, "dead");
    for addresses in [[&dead, server.addresses()[1]], [server.addresses()[0], &dead]] {
        let client = connect(&addresses).unwrap();
        client.write("f", "").unwrap();
        client.reconnect().unwrap().read("f").unwrap();
    }
}

#[test]
fn a_server_that_is_full_is_passed_over() {
    let (full, server) = (Running::start(Server::builder().connections(1)), running());
    let _occupies = full.client();
    let client = connect(&[full.addresses()[0], server.addresses()[0]]).unwrap();
    assert_ne!(client.write("f", "").unwrap(), telefile::Version::ABSENT);
    let error = connect(&[full.addresses()[0], full.addresses()[1]]).unwrap_err();
    assert_eq!(error.refusal(), Some(&Refusal::Limit(Limit::Connections, 1)));
}

#[test]
fn a_server_that_says_nothing_takes_its_share_of_the_time() {
    let (silent, server) = (TcpListener::bind("127.0.0.1:0").unwrap(), running());
    let silent = Address::Tcp(silent.local_addr().unwrap());
    let addresses = list(&[&silent, server.addresses()[0]]);
    let client = Client::builder().timeout(Some(Duration::from_secs(10))).connect(&addresses);
    client.unwrap().write("f", "").unwrap();
}

#[test]
fn a_part_that_is_no_address_is_an_error_with_its_place() {
    for (addresses, place) in [
        ("", "HOST:PORT"),
        ("unix:/x,", "address 2 of 2 is empty"),
        ("unix:/x,,unix:/y", "address 2 of 3 is empty"),
        ("unix:/x,y", "address 2 of 2 is wrong: y: "),
    ] {
        match Client::connect(addresses) {
            Err(Error::Invalid(why)) => {
                assert!(why.starts_with(addresses) && why.contains(place), "{why}");
            }
            connected => panic!("{addresses}: {connected:?}"),
        }
    }
}

#[test]
fn a_reconnect_begins_with_the_next_address() {
    let server = running();
    let proxies = two(&server);
    let mut client = connect(&[proxies[0].address(), proxies[1].address()]).unwrap();
    for expected in [[1, 0], [1, 1], [2, 1], [2, 2]] {
        assert_eq!(hellos(&proxies), expected);
        client = client.reconnect().unwrap();
    }
    let [one, two] = proxies;
    drop(two); // the next one
    client.reconnect().unwrap();
    assert_eq!(one.asked("hello"), 4);
}

#[test]
fn a_server_with_another_table_is_passed_over_or_refused() {
    let (server, other) = (running(), running());
    let (mine, stranger) = (server.addresses()[0], other.addresses()[0]);
    let epoch = connect(&[mine]).unwrap().epoch();
    let required = || Client::builder().timeout(Some(PATIENCE)).epoch(epoch);
    let client = required().connect(&list(&[stranger, mine])).unwrap();
    assert_eq!(client.epoch(), epoch);
    for _ in 0..3 {
        assert_eq!(client.reconnect().unwrap().epoch(), epoch);
    }
    let folder = Folder::new();
    for addresses in [[stranger, stranger], [stranger, &dead(&folder, "dead")]] {
        let refused = required().connect(&list(&addresses));
        assert!(matches!(refused, Err(Error::OtherTable)), "{refused:?}");
    }
    // Whose table it is to be is not known yet: the first that answers has it.
    let first = connect(&[stranger, mine]).unwrap();
    assert_ne!(first.epoch(), epoch);
    assert_eq!(first.reconnect().unwrap().epoch(), first.epoch());
}

#[test]
fn a_lease_goes_on_at_another_address_and_a_lock_is_lost() {
    let server = running();
    let [one, two] = two(&server);
    let client = connect(&[one.address(), two.address()]).unwrap();
    let lock = Lock::new(&client, "lock").lock().unwrap();
    let (renewed, renewals) = mpsc::channel();
    let lease = Lease::new(&client, "lease", PATIENCE).renew_every(Duration::from_millis(10));
    let lease = lease.on_event(move |event| match event {
        LeaseEvent::Renewed { .. } => drop(renewed.send(())),
        LeaseEvent::Retrying(_) => {}
        event => panic!("{event:?}"),
    });
    let lease = lease.acquire().unwrap().kept().unwrap();
    renewals.recv_timeout(PATIENCE).unwrap();

    let (touches, other) = (two.asked("touch"), one.asked("touch"));
    assert!(touches > 0 && other == 0, "the thread has the next address: {touches}, {other}");
    drop(two);
    eventually("the lease is renewed through the other", || one.asked("touch") > 0);
    while renewals.try_recv().is_ok() {}
    renewals.recv_timeout(PATIENCE).unwrap();
    assert!(lease.is_valid());
    one.cut();
    renewals.recv_timeout(PATIENCE).unwrap();
    assert!(matches!(lock.unlock(), Err(Error::Lost(_))));
    lease.release().unwrap();
}

#[test]
fn a_follower_goes_on_at_another_address_without_being_asked_to() {
    let server = running();
    let [one, two] = two(&server);
    let client = connect(&[one.address(), two.address()]).unwrap();
    client.write("f/a", "").unwrap();
    let mut follow = client.follow("f/").unwrap();
    let mut until_current = || {
        let mut seen = Vec::new();
        loop {
            match follow.next().expect("it goes on").unwrap() {
                Event::Put { name, .. } => seen.push(name),
                Event::Interrupted(_) => {}
                Event::Current(_) => return seen,
                event => panic!("{event:?}"),
            }
        }
    };
    assert_eq!(until_current(), ["f/a"]);
    drop(two); // the follower's
    client.write("f/b", "").unwrap();
    assert_eq!(until_current(), ["f/b"]);
}

#[test]
fn a_follower_takes_another_table_only_if_it_is_asked_to() {
    let (server, other) = (running(), running());
    let follow = |asked: bool| {
        let [one, two] = two(&server);
        let client = connect(&[one.address(), two.address()]).unwrap();
        let mut follow = client.follow("").unwrap();
        if asked {
            follow = follow.reconnect(Duration::from_millis(20));
        }
        while !matches!(follow.next(), Some(Ok(Event::Current(_)))) {}
        one.switch(other.addresses()[0]);
        two.switch(other.addresses()[0]);
        let ended = loop {
            match follow.next().expect("an event") {
                Ok(Event::Interrupted(_)) => {}
                event => break event,
            }
        };
        (ended, follow.next_within(Duration::ZERO).is_ok())
    };
    assert!(matches!(follow(false), (Err(Error::OtherTable), false)));
    assert!(matches!(follow(true), (Ok(Event::OtherTable(_)), true)));
}
