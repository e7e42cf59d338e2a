//! Many clients at once: one cas of many succeeds, and nobody starves.

use super::{Client, Running, cost, eventually, in_memory, portions};
use crate::pace::Pace;
use crate::random::Random;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;
use std::time::Duration;
use telefile::Server;

#[test]
fn one_of_many_cas_on_one_version_succeeds() {
    const ROUNDS: u64 = 500;
    let server = Running::start(Server::builder());
    let compete = || {
        let (mut client, mut version, mut won) = (server.client(), 0, Vec::new());
        while version < ROUNDS {
            let reply = client.ask(&format!("cas f {version} 1\r\nx"));
            version = match reply.split_once(' ') {
                Some(("OK", next)) => {
                    won.push(version);
                    next.parse().unwrap()
                }
                Some(("ERR_VERSION", current)) => current.parse().unwrap(),
                _ => panic!("{reply}"),
            };
        }
        won
    };
    let mut won: Vec<u64> = thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(compete)).collect();
        threads.into_iter().flat_map(|t| t.join().unwrap()).collect()
    });
    won.sort_unstable();
    let last = server.client().stat("version");
    assert!(won.iter().copied().eq(0..last), "each version was replaced once: {won:?}");
}

#[test]
fn contents_are_those_of_a_single_write() {
    const NUMBYTES: usize = 50_000;
    let server = Running::start(Server::builder());
    server.client().write("f", &[b'a'; NUMBYTES]);
    thread::scope(|scope| {
        for byte in b'a'..b'e' {
            let mut client = server.client();
            scope.spawn(move || {
                let (mut latest, contents) = (0, [byte; NUMBYTES]);
                for _ in 0..50 {
                    client.write("f", &contents);
                    let head = client.ask("read f");
                    let version = head.split(' ').nth(1).unwrap().parse().unwrap();
                    assert!(version > latest, "{head} after {latest}");
                    latest = version;
                    let found = client.contents(NUMBYTES);
                    assert!(found == [found[0]; NUMBYTES], "two writes in one");
                }
            });
        }
    });
}

#[test]
fn clients_that_vanish_leave_nothing_behind() {
    let server = Running::start(Server::builder());
    let mut asker = server.client();
    let before = asker.stat("memory");
    let (large, times) = portions(4 << 20);
    let (announced, _) = portions(60_000_000);
    assert_eq!(asker.write("large", &vec![b'x'; large]), "OK 1");
    let mut clients: Vec<_> = (0..200)
        .map(|i| {
            let client = Client::connect(server.addresses()[i % 2]);
            client.send(match i / 2 % 5 {
                0 => format!("write f{i} 6\r\nabcdef\r\n"),
                1 => format!("write g{i} {announced}\r\nab"),
                2 => "read large\r\n".repeat(2 * times),
                3 => "stats\r\nrea".to_string(),
                _ => "nonsense\r\n".to_string(),
            });
            client
        })
        .collect();
    eventually("all writes are done", || asker.stat("files") == 41);
    let mut random = Random(1);
    while !clients.is_empty() {
        let client = clients.swap_remove(random.below(clients.len()));
        if random.below(2) == 0 { client.reset() } else { drop(client) }
    }
    asker.alone();
    let named = (0..200).filter(|i| i / 2 % 5 == 0).map(|i| cost::file(format!("f{i}").len()));
    let small = named.sum::<u64>() + 40 * cost::contents(6);
    let expected = before + in_memory(large) + cost::file(5) + small;
    eventually("their memory is back", || asker.stat("memory") == expected);
    assert_eq!(asker.stat("files"), 41);
    let mut next = server.client();
    assert!(next.ask("read f0").starts_with("CONTENTS "));
    assert_eq!(next.contents(6), b"abcdef");
}

#[test]
fn thousands_of_requests_in_flight_do_not_starve_other_clients() {
    let server = Running::start(Server::builder());
    let mut greedy = server.client();
    let (sender, ongoing) = (greedy.sender(), AtomicBool::new(true));
    thread::scope(|scope| {
        let sending = scope.spawn(|| {
            let mut sent = 0;
            while ongoing.load(SeqCst) {
                sender.send(b"write f 1\r\nx\r\n".repeat(1000));
                sent += 1000;
            }
            sender.half_close();
            sent
        });
        let taking = scope.spawn(move || greedy.read_to_end());
        let mut modest = server.client();
        let slow = (0..100).find_map(|_| {
            let pace = Pace::start();
            modest.ask("stat g");
            Some(pace.took()).filter(|took| *took > Duration::from_secs(1))
        });
        ongoing.store(false, SeqCst);
        assert_eq!(taking.join().unwrap().lines().count(), sending.join().unwrap());
        assert_eq!(slow, None);
    });
}
