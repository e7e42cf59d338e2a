//! `FairLock` and `Semaphore`: their waiters stand in a line.

use super::proxy::Proxy;
use super::{PATIENCE, SHORT, Task, connect, lost, names, refused, running, spawn, stat, waiting};
use crate::server::{Running, eventually};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};
use telefile::client::recipes::{Election, FairLock, Guard, Semaphore};
use telefile::{Exptime, Refusal};

/// Somebody who asks and has to wait: the `place`th in the line.
fn queue_up(server: &Running, place: usize) -> Task<Guard> {
    let (client, watcher) = (connect(server), connect(server));
    let task = spawn(move || FairLock::new(&client, "fair").lock().unwrap());
    eventually("it stands in the line", || names(&watcher, "fair/").len() == place);
    task
}

#[test]
fn ten_take_their_turns_in_the_order_of_asking() {
    let server = running();
    let client = connect(&server);
    let first = FairLock::new(&client, "fair").lock().unwrap();
    let (sender, turns) = mpsc::channel();
    let tasks: Vec<_> = (0..10)
        .map(|i| {
            let (waits, sender) = (connect(&server), sender.clone());
            let task = spawn(move || {
                let guard = FairLock::new(&waits, "fair").lock().unwrap();
                sender.send((i, guard.token())).unwrap();
                guard.check().unwrap();
                guard.unlock().unwrap();
            });
            eventually("it stands in the line", || names(&client, "fair/").len() == i + 2);
            task
        })
        .collect();
    waiting(&client, 10);
    assert!(FairLock::new(&client, "fair").try_lock().unwrap().is_none());
    let mut last = first.token();
    first.unlock().unwrap();
    for expected in 0..10 {
        let (i, token) = turns.recv_timeout(PATIENCE).unwrap();
        assert!(i == expected && token > last, "{i} with {token} after {last}");
        last = token;
    }
    tasks.into_iter().for_each(Task::join);
    assert!(names(&client, "fair").is_empty());
}

#[test]
fn places_are_ephemeral_and_the_first_one_has_the_smallest_number() {
    let server = running();
    let client = connect(&server);
    let guard = FairLock::new(&client, "fair").lock().unwrap();
    assert_eq!(guard.name(), format!("fair/{:020}", guard.token()));
    assert_eq!(client.stat(guard.name()).unwrap().exptime, Exptime::Connection);
}

#[test]
fn the_release_of_a_fair_lock_wakes_one_waiter() {
    let server = running();
    let client = connect(&server);
    let first = FairLock::new(&client, "fair").lock().unwrap();
    let (second, proxy) = (queue_up(&server, 2), Proxy::new(server.addresses()[0]));
    let third = proxy.client();
    let third = spawn(move || FairLock::new(&third, "fair").lock().unwrap());
    waiting(&client, 2);
    assert_eq!((proxy.asked("list"), proxy.asked("wait")), (1, 1));
    first.unlock().unwrap();
    let second = second.join();
    // Others come and go behind it.
    assert!(FairLock::new(&client, "fair").try_lock().unwrap().is_none());
    assert_eq!((proxy.asked("list"), proxy.asked("wait")), (1, 1), "it sleeps");
    drop(second);
    third.join().check().unwrap();
}

#[test]
fn a_waiter_that_dies_loses_its_turn_and_holds_up_nobody() {
    let server = running();
    let proxy = Proxy::new(server.addresses()[0]);
    let client = connect(&server);
    let first = FairLock::new(&client, "fair").lock().unwrap();
    let dying = proxy.client();
    let dies = spawn(move || lost(FairLock::new(&dying, "fair").lock()));
    eventually("it stands in the line", || names(&client, "fair/").len() == 2);
    let last = queue_up(&server, 3);
    waiting(&client, 2);
    proxy.cut();
    dies.join();
    eventually("its place is free", || names(&client, "fair/").len() == 2);
    assert!(!last.0.is_finished());
    first.check().unwrap();
    let token = first.token();
    drop(first);
    assert!(last.join().token() > token);
}

#[test]
fn a_holder_that_dies_is_followed_by_the_next() {
    let server = running();
    let proxy = Proxy::new(server.addresses()[0]);
    let first = FairLock::new(&proxy.client(), "fair").lock().unwrap();
    let next = queue_up(&server, 2);
    waiting(&connect(&server), 1);
    proxy.cut();
    next.join().check().unwrap();
    lost(first.unlock());
}

#[test]
fn a_waiter_that_gives_up_leaves_the_line() {
    let server = running();
    let (ann, bob) = (connect(&server), connect(&server));
    let guard = FairLock::new(&ann, "fair").lock().unwrap();
    let since = Instant::now();
    assert!(FairLock::new(&bob, "fair").try_lock().unwrap().is_none());
    assert!(FairLock::new(&bob, "fair").try_lock_for(SHORT).unwrap().is_none());
    let took = since.elapsed();
    assert!(took >= Duration::from_secs(1) && took < PATIENCE, "{took:?}");
    assert_eq!(names(&ann, "fair"), [guard.name()]);
    guard.unlock().unwrap();
    let guard = FairLock::new(&bob, "fair").try_lock_for(SHORT).unwrap().expect("it is free");
    guard.check().unwrap();
}

#[test]
fn a_place_that_another_client_has_deleted_is_lost() {
    let server = running();
    let (ann, bob) = (connect(&server), connect(&server));
    let first = FairLock::new(&ann, "fair").lock().unwrap();
    let second = {
        let client = connect(&server);
        spawn(move || refused(FairLock::new(&client, "fair").lock()))
    };
    waiting(&ann, 1);
    let places = names(&bob, "fair/");
    bob.delete(&places[1], None).unwrap();
    bob.delete(&places[0], None).unwrap();
    assert_eq!(second.join(), Refusal::NotFound);
    assert_eq!(refused(first.check()), Refusal::NotFound);
    assert_eq!(refused(first.unlock()), Refusal::NotFound);
}

#[test]
fn a_foreign_file_in_the_folder_is_not_a_place() {
    let server = running();
    let (ann, bob) = (connect(&server), connect(&server));
    let digits = "0".repeat(19);
    for foreign in ["!", "0", &digits, "00000000000000000000x", "0000000000000000000x", "a/b"] {
        ann.write(&format!("fair/{foreign}"), "").unwrap();
    }
    ann.write("fair", "").unwrap();
    ann.write("fair0", "").unwrap();
    let first = FairLock::new(&ann, "fair").try_lock().unwrap().expect("nobody is before");
    let foreign = format!("{}x", first.name());
    let second = queue_up(&server, 8);
    waiting(&ann, 1);
    for _ in 0..20 {
        bob.write(&foreign, "").unwrap();
        bob.delete(&foreign, None).unwrap();
    }
    bob.delete("fair/!", None).unwrap();
    assert!(!second.0.is_finished());
    drop(first);
    second.join().check().unwrap();
}

#[test]
fn a_semaphore_has_as_many_permits_as_it_says() {
    let server = running();
    let client = connect(&server);
    let semaphore = Semaphore::new(&client, "seats", 3);
    let mut guards: Vec<_> = (0..3).map(|_| semaphore.acquire().unwrap()).collect();
    assert!(guards.is_sorted_by(|a, b| a.token() < b.token()));
    for freed in [2, 0, 1] {
        assert!(semaphore.try_acquire().unwrap().is_none());
        drop(guards.remove(freed));
        guards.push(semaphore.try_acquire().unwrap().expect("one is free"));
    }
    let since = Instant::now();
    assert!(semaphore.try_acquire_for(SHORT).unwrap().is_none());
    assert!(since.elapsed() >= Duration::from_secs(1) && since.elapsed() < PATIENCE);
    assert_eq!(names(&client, "seats").len(), 3);
}

#[test]
fn no_more_clients_than_permits_are_inside() {
    const PERMITS: usize = 3;
    const ROUNDS: usize = 12;
    let server = running();
    let (inside, most, done) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let client = connect(&server);
                let semaphore = Semaphore::new(&client, "seats", PERMITS);
                for _ in 0..ROUNDS {
                    let guard = semaphore.acquire().unwrap();
                    most.fetch_max(inside.fetch_add(1, SeqCst) + 1, SeqCst);
                    // Each client stays inside for as long as the check takes.
                    guard.check().unwrap();
                    inside.fetch_sub(1, SeqCst);
                    guard.unlock().unwrap();
                    done.fetch_add(1, SeqCst);
                }
            });
        }
    });
    assert!(most.load(SeqCst) <= PERMITS, "{most:?}");
    assert_eq!(done.load(SeqCst), 8 * ROUNDS);
}

#[test]
fn all_permits_can_be_held_at_once_and_the_next_client_waits_for_one() {
    let server = running();
    let watcher = connect(&server);
    let take = |place: usize| {
        let client = connect(&server);
        let task = spawn(move || Semaphore::new(&client, "seats", 3).acquire().unwrap());
        eventually("it has asked", || names(&watcher, "seats/").len() == place);
        task
    };
    let mut guards: Vec<_> = (1..=3).map(|place| take(place).join()).collect();
    let (fourth, fifth) = (take(4), take(5));
    waiting(&watcher, 2);
    // The last client inside leaves, which is not the one just before the waiter.
    drop(guards.pop());
    let fourth = fourth.join();
    waiting(&watcher, 1);
    drop(guards.remove(0));
    fifth.join().check().unwrap();
    drop(fourth);
}

#[test]
fn a_dead_holder_frees_its_permit_and_a_dead_waiter_takes_none() {
    let server = running();
    let (holds, waits) = (Proxy::new(server.addresses()[0]), Proxy::new(server.addresses()[0]));
    let client = connect(&server);
    let (held, waiter) = (holds.client(), waits.client());
    let semaphore = Semaphore::new(&client, "seats", 2);
    let _stays = semaphore.acquire().unwrap();
    let _dies = Semaphore::new(&held, "seats", 2).acquire().unwrap();
    let dead = spawn(move || lost(Semaphore::new(&waiter, "seats", 2).acquire()));
    waiting(&client, 1);
    let last = connect(&server);
    let last = spawn(move || Semaphore::new(&last, "seats", 2).acquire().unwrap());
    waiting(&client, 2);
    waits.cut();
    dead.join();
    eventually("three are left", || names(&client, "seats/").len() == 3);
    assert!(!last.0.is_finished());
    holds.cut();
    let last = last.join();
    assert!(semaphore.try_acquire().unwrap().is_none());
    drop(last);
    assert!(semaphore.try_acquire().unwrap().is_some());
}

#[test]
fn a_waiter_learns_that_the_server_has_stopped() {
    let mut server = running();
    let (ann, bob) = (connect(&server), connect(&server));
    let guard = Semaphore::new(&ann, "seats", 1).acquire().unwrap();
    let task = spawn(move || lost(Semaphore::new(&bob, "seats", 1).acquire()));
    waiting(&ann, 1);
    server.stop();
    task.join();
    lost(guard.check());
}

#[test]
#[should_panic(expected = "lets nobody in")]
fn a_semaphore_without_permits_is_a_mistake() {
    let server = running();
    let _ = Semaphore::new(&connect(&server), "seats", 0);
}

/// More places than one list holds: the line is read page by page.
#[test]
fn a_line_may_be_longer_than_one_list() {
    const OTHERS: usize = 10_050;
    let server = running();
    let (others, client) = (connect(&server), connect(&server));
    let mut crowd = server.client();
    let requests = "create seats/ 0 -1\r\n\r\n".repeat(OTHERS);
    let sender = crowd.sender();
    let sending = spawn(move || sender.send(requests));
    (0..OTHERS).for_each(|_| assert!(crowd.line().starts_with("OK ")));
    sending.join();
    let semaphore = |permits| Semaphore::new(&client, "seats", permits);
    assert!(semaphore(OTHERS).try_acquire().unwrap().is_none());
    let last = semaphore(OTHERS + 1).try_acquire().unwrap().expect("one is free");
    let task = spawn(move || FairLock::new(&others, "seats").lock().unwrap());
    waiting(&client, 1);
    drop(crowd);
    drop(last);
    task.join().check().unwrap();
    assert_eq!(stat(&client, "watches"), 0);
}

/// Its maker does not wait, so it would never leave.
#[test]
fn a_file_that_stays_is_not_a_place_in_a_line() {
    let server = running();
    let client = connect(&server);
    let first = format!("{:020}", 0);
    for exptime in [Exptime::Never, Exptime::Seconds(3600)] {
        for name in ["fair", "seats", "leader"] {
            client.write_expiring(&format!("{name}/{first}"), "", exptime).unwrap();
        }
        assert!(FairLock::new(&client, "fair").try_lock().unwrap().is_some());
        assert!(Semaphore::new(&client, "seats", 1).try_acquire().unwrap().is_some());
        let election = Election::new(&client, "leader");
        assert!(election.leader().unwrap().is_none());
        assert!(election.campaign_for("", Duration::ZERO).unwrap().is_some());
    }
}
