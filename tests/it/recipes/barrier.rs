//! `Barrier`.

use super::proxy::Proxy;
use super::{PATIENCE, SHORT, Task, connect, lost, names, refused, running, spawn, waiting};
use crate::random::Random;
use crate::server::{Running, eventually};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};
use telefile::client::Error;
use telefile::client::recipes::Barrier;
use telefile::{Client, Refusal, Version};

/// Starts a party that waits at a barrier for three.
fn wait_at(client: Client) -> Task<Result<(), Error>> {
    spawn(move || Barrier::new(&client, "gate", 3).wait())
}

/// Returns the contents of the barrier's file.
fn numbers(client: &Client) -> Vec<u64> {
    let contents = client.read("gate").unwrap().contents;
    str::from_utf8(&contents).unwrap().split(' ').map(|n| n.parse().unwrap()).collect()
}

/// Returns the greatest number that may pass.
fn open_to(client: &Client) -> u64 {
    numbers(client)[0]
}

/// Two parties that come at the same time. Returns when both wait.
fn two_wait(server: &Running, watcher: &Client) -> [Task<Result<(), Error>>; 2] {
    let tasks = [(); 2].map(|()| wait_at(connect(server)));
    waiting(watcher, 2);
    tasks
}

#[test]
fn a_barrier_opens_when_all_have_come_and_closes_behind_them() {
    let server = running();
    let client = connect(&server);
    for _ in 0..3 {
        let early = two_wait(&server, &client);
        assert!(early.iter().all(|task| !task.0.is_finished()));
        Barrier::new(&client, "gate", 3).wait().unwrap();
        early.into_iter().for_each(|task| task.join().unwrap());
        assert!(!Barrier::new(&client, "gate", 3).wait_for(Duration::ZERO).unwrap());
    }
    assert!(names(&client, "gate/").is_empty());
}

#[test]
fn a_surplus_party_is_the_first_of_the_next_round() {
    let server = running();
    let client = connect(&server);
    let mut early = Vec::from(two_wait(&server, &client));
    early.extend((0..2).map(|_| wait_at(connect(&server))));
    let passed = |tasks: &[Task<_>]| tasks.iter().filter(|task| task.0.is_finished()).count();
    eventually("three pass", || passed(&early) == 3);
    waiting(&client, 1);
    assert_eq!((passed(&early), names(&client, "gate/").len()), (3, 1));
    early.extend((0..2).map(|_| wait_at(connect(&server))));
    early.into_iter().for_each(|task| task.join().unwrap());
}

#[test]
fn a_barrier_for_one_is_open() {
    let server = running();
    let client = connect(&server);
    let barrier = Barrier::new(&client, "gate", 1);
    for _ in 0..3 {
        barrier.wait().unwrap();
        assert!(barrier.wait_for(Duration::ZERO).unwrap());
    }
}

#[test]
#[should_panic(expected = "nobody")]
fn a_barrier_for_nobody_is_a_mistake() {
    let server = running();
    let _ = Barrier::new(&connect(&server), "gate", 0);
}

#[test]
fn a_party_that_dies_before_the_opening_does_not_count() {
    let server = running();
    let (proxy, client) = (Proxy::new(server.addresses()[0]), connect(&server));
    let dies = wait_at(proxy.client());
    let waits = wait_at(connect(&server));
    waiting(&client, 2);
    proxy.cut();
    lost(dies.join());
    eventually("one is left", || names(&client, "gate/").len() == 1);
    let second = wait_at(connect(&server));
    waiting(&client, 2);
    assert!(!waits.0.is_finished() && !second.0.is_finished());
    Barrier::new(&client, "gate", 3).wait().unwrap();
    waits.join().unwrap();
    second.join().unwrap();
}

#[test]
fn a_party_that_gave_up_does_not_count() {
    let server = running();
    let client = connect(&server);
    let since = Instant::now();
    assert!(!Barrier::new(&client, "gate", 3).wait_for(SHORT).unwrap());
    assert!(since.elapsed() >= Duration::from_secs(1) && since.elapsed() < PATIENCE);
    let early = two_wait(&server, &client);
    assert!(early.iter().all(|task| !task.0.is_finished()));
    assert!(Barrier::new(&client, "gate", 3).wait_for(SHORT).unwrap());
    early.into_iter().for_each(|task| task.join().unwrap());
}

#[test]
fn every_party_learns_that_the_server_has_stopped() {
    let mut server = running();
    let client = connect(&server);
    let tasks = two_wait(&server, &client);
    server.stop();
    tasks.into_iter().for_each(|task| lost(task.join()));
}

#[test]
fn a_file_of_no_barrier_is_reported_and_left_alone() {
    let server = running();
    let client = connect(&server);
    for contents in [&b"hello"[..], b"", b"-1", b"7 ", b"\xff", b"99999999999999999999"] {
        client.write("gate", contents).unwrap();
        let error = Barrier::new(&client, "gate", 1).wait().unwrap_err();
        assert!(matches!(&error, Error::Invalid(why) if why.contains("gate")), "{error:?}");
        assert_eq!(&*client.read("gate").unwrap().contents, contents);
        assert!(names(&client, "gate/").is_empty(), "its place is released");
    }
    client.delete("gate", None).unwrap();
    let kind = client.open("gate", Some("LogFile")).unwrap();
    assert!(Barrier::new(&client, "gate", 1).wait().is_err(), "it reads empty");
    kind.close().unwrap();
    Barrier::new(&client, "gate", 1).wait().unwrap();
}

#[test]
fn foreign_files_beside_the_places_do_not_count() {
    let server = running();
    let client = connect(&server);
    for foreign in ["gate/1", "gate/x", "gate/00000000000000000001x", "gate2", "gate2/1"] {
        client.write(foreign, "").unwrap();
    }
    let early = two_wait(&server, &client);
    for _ in 0..20 {
        client.write("gate/x", "").unwrap();
    }
    waiting(&client, 2);
    assert!(early.iter().all(|task| !task.0.is_finished()));
    Barrier::new(&client, "gate", 3).wait().unwrap();
    early.into_iter().for_each(|task| task.join().unwrap());
}

#[test]
fn parties_that_gave_up_are_not_remembered_forever() {
    let server = running();
    let (client, other) = (connect(&server), connect(&server));
    let early = wait_at(other);
    for _ in 0..50 {
        assert!(!Barrier::new(&client, "gate", 3).wait_for(Duration::ZERO).unwrap());
        assert!(numbers(&client).len() <= 2, "{:?}", numbers(&client));
    }
    let second = wait_at(connect(&server));
    Barrier::new(&client, "gate", 3).wait().unwrap();
    assert_eq!(numbers(&client).len(), 1);
    early.join().unwrap();
    second.join().unwrap();
}

/// A party's result stands, whenever it gave up: those who pass do so in whole groups, each
/// of which is one step of the number in the barrier's file.
#[test]
fn parties_pass_in_whole_groups_while_others_give_up() {
    const PARTIES: usize = 3;
    const CLIENTS: u64 = 6;
    const ROUNDS: usize = 40;
    let server = running();
    let (passed, gave_up) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let random = Random::new();
    let watcher = connect(&server);
    thread::scope(|scope| {
        for i in 0..CLIENTS {
            let mut random = Random(random.0 ^ (i + 1) << 40);
            let (server, passed, gave_up) = (&server, &passed, &gave_up);
            scope.spawn(move || {
                let client = connect(server);
                let barrier = Barrier::new(&client, "gate", PARTIES);
                for _ in 0..ROUNDS {
                    // Most do not wait at all, so that they leave while others count them.
                    let time = Duration::from_millis(u64::from(random.below(12) == 0));
                    let went = barrier.wait_for(time).unwrap();
                    if went { passed } else { gave_up }.fetch_add(1, SeqCst);
                }
            });
        }
    });
    let (passed, gave_up) = (passed.load(SeqCst), gave_up.load(SeqCst));
    println!("{passed} passed, {gave_up} gave up");
    assert_eq!(passed + gave_up, CLIENTS as usize * ROUNDS);
    assert_eq!(passed % PARTIES, 0, "{passed} passed");
    assert!(names(&watcher, "gate/").is_empty());
    assert_eq!(open_to(&watcher) > 0, passed > 0);
}

/// All parties take part in every round, so each one that passes must find that all have come.
#[test]
fn no_party_passes_before_its_whole_round_has_come() {
    const PARTIES: usize = 4;
    const ROUNDS: usize = 25;
    let server = running();
    let came = Mutex::new([0; ROUNDS]);
    let (sender, results) = mpsc::channel();
    thread::scope(|scope| {
        for _ in 0..PARTIES {
            let (server, came, sender) = (&server, &came, sender.clone());
            scope.spawn(move || {
                let client = connect(server);
                let barrier = Barrier::new(&client, "gate", PARTIES);
                for round in 0..ROUNDS {
                    came.lock().unwrap()[round] += 1;
                    barrier.wait().unwrap();
                    sender.send(came.lock().unwrap()[round] == PARTIES).unwrap();
                }
            });
        }
    });
    assert!(results.try_iter().all(|all_had_come| all_had_come));
}

/// A party may pause for any time between listing the places and its cas: here for as long as
/// another party needs to give up.
#[test]
fn a_count_from_before_a_party_gave_up_fails() {
    let server = running();
    let (client, other) = (connect(&server), connect(&server));
    for seen in [0, 1] {
        let version = client.stat("gate").map_or(Version::ABSENT, |stat| stat.version);
        assert_eq!(version > Version::ABSENT, seen > 0);
        assert!(!Barrier::new(&other, "gate", 3).wait_for(Duration::ZERO).unwrap());
        let now = client.stat("gate").unwrap().version;
        assert_eq!(refused(client.cas("gate", version, "999999")), Refusal::Version(now));
    }
    assert_eq!(open_to(&client), 0);
}
