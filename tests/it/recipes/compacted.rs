//! When too much was deleted, a watch is told so instead of what has changed: then one looks again.

use super::proxy::Proxy;
use super::{PATIENCE, connect, running, spawn, waiting};
use crate::server::{Running, eventually};
use std::time::Duration;
use telefile::Client;
use telefile::client::recipes::{Barrier, Election, FairLock, Lease, Lock, Queue, Semaphore};

/// So many deletions are not remembered any more.
const TOO_MANY: usize = 100_001;

/// Deletes so much that a watch from before cannot be answered.
fn forget(server: &Running) {
    let watcher = connect(server);
    let mut crowd = server.client();
    let sender = crowd.sender();
    let requests: String = (0..TOO_MANY).map(|i| format!("write {i} 0 -1\r\n\r\n")).collect();
    let sending = spawn(move || sender.send(requests));
    (0..TOO_MANY).for_each(|_| assert!(crowd.line().starts_with("OK ")));
    sending.join();
    drop(crowd); // and with it all of its files
    eventually("they are gone", || watcher.list("", 10, None).unwrap().files.len() == 2);
}

/// Those who wait begin to watch at the version of what is held, which is from before.
#[test]
fn who_waits_for_something_that_is_held_for_ages_looks_again_and_waits_on() {
    let server = running();
    let client = connect(&server);
    let lock = Lock::new(&client, "lock").lock().unwrap();
    let lease = Lease::new(&client, "lease", Duration::from_secs(3600)).acquire().unwrap();
    forget(&server);
    assert!(client.watch("lock", lock.token(), Duration::ZERO).is_err(), "it is compacted");
    let (ann, bob) = (connect(&server), connect(&server));
    let ann = spawn(move || Lock::new(&ann, "lock").lock().unwrap());
    let hour = Duration::from_secs(3600);
    let bob = spawn(move || Lease::new(&bob, "lease", hour).acquire().unwrap());
    waiting(&client, 2);
    assert!(!ann.0.is_finished() && !bob.0.is_finished());
    lock.unlock().unwrap();
    lease.release().unwrap();
    ann.join().check().unwrap();
    assert!(bob.join().is_valid());
}

/// Runs `waits` with a client whose first two watches are answered so, and then `wakes`.
#[track_caller]
fn check<T: Send + 'static>(
    server: &Running,
    waits: impl FnOnce(Client) -> T + Send + 'static,
    wakes: impl FnOnce(Client),
) -> T {
    let (proxy, watcher) = (Proxy::new(server.addresses()[0]), connect(server));
    let client = proxy.client();
    proxy.compacts(2);
    let task = spawn(move || waits(client));
    waiting(&watcher, 1);
    assert_eq!(proxy.still_compacts(), 0);
    assert!(!task.0.is_finished());
    wakes(watcher);
    task.join()
}

#[test]
fn whatever_one_waits_for_one_looks_again() {
    let (server, long) = (running(), 3 * PATIENCE);
    let client = connect(&server);

    let held = Lock::new(&client, "lock").lock().unwrap();
    let lock = |client| Lock::new(&client, "lock").lock().unwrap().token();
    assert!(check(&server, lock, |_| drop(held)) > 0);

    let held = FairLock::new(&client, "fair").lock().unwrap();
    let fair = |client| FairLock::new(&client, "fair").lock().unwrap().token();
    assert!(check(&server, fair, |_| drop(held)) > 0);

    let held = [(); 2].map(|()| Semaphore::new(&client, "seats", 2).acquire().unwrap());
    let seat = |client| Semaphore::new(&client, "seats", 2).acquire().unwrap().token();
    assert!(check(&server, seat, |_| drop(held)) > 0);

    let leads = Election::new(&client, "leader").campaign("first").unwrap();
    let token = leads.token();
    let next = move |client| Election::new(&client, "leader").next_leader(token, long).unwrap();
    assert!(check(&server, next, |_| drop(leads)).is_none());

    let waits = |client| Barrier::new(&client, "gate", 2).wait().unwrap();
    check(&server, waits, |client| Barrier::new(&client, "gate", 2).wait().unwrap());

    let pops = move |client| Queue::new(&client, "jobs").pop(long).unwrap().unwrap().to_vec();
    let push = |client| drop(Queue::new(&client, "jobs").push("job"));
    assert_eq!(check(&server, pops, push), b"job");
}
