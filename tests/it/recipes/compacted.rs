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

/// Whether `waits` ends, when what it waits for happens just before its watch and is forgotten, and
/// when it happens while it waits.
#[track_caller]
fn check<T: Send + 'static>(
    server: &Running,
    holds: impl Fn() -> T,
    waits: impl FnOnce(Client) + Clone + Send + 'static,
) {
    let watcher = connect(server);
    for forgotten in [true, false] {
        let proxy = Proxy::new(server.addresses()[0]);
        let (client, waits, held) = (proxy.client(), waits.clone(), holds());
        if forgotten {
            proxy.compacts(|| drop(held));
            spawn(move || waits(client)).join();
            assert!(proxy.asked("watch") > 0);
        } else {
            proxy.compacts(|| {});
            let task = spawn(move || waits(client));
            waiting(&watcher, 1);
            assert_eq!(proxy.asked("watch"), 3);
            assert!(!task.0.is_finished());
            drop(held);
            task.join();
        }
    }
}

/// Does something when it is dropped.
struct Later<F: FnMut()>(F);

impl<F: FnMut()> Drop for Later<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

#[test]
fn whatever_one_waits_for_one_looks_again() {
    let (server, long) = (running(), 3 * PATIENCE);
    let client = || connect(&server);

    let holds = || Lock::new(&client(), "lock").lock().unwrap();
    check(&server, holds, |client| Lock::new(&client, "lock").lock().unwrap().unlock().unwrap());

    let holds = || FairLock::new(&client(), "fair").lock().unwrap();
    check(&server, holds, |client| {
        FairLock::new(&client, "fair").lock().unwrap().unlock().unwrap()
    });

    let holds = || [(); 2].map(|()| Semaphore::new(&client(), "seats", 2).acquire().unwrap());
    check(&server, holds, |client| drop(Semaphore::new(&client, "seats", 2).acquire().unwrap()));

    let holds = || Election::new(&client(), "leader").campaign("first").unwrap();
    check(&server, holds, move |client| {
        let election = Election::new(&client, "leader");
        let leader = election.leader().unwrap().unwrap();
        assert!(election.next_leader(leader.token, long).unwrap().is_none());
    });

    let (here, name) = (client(), "jobs");
    let holds = || {
        let queue = Queue::new(&here, name);
        Later(move || drop(queue.push("job")))
    };
    check(&server, holds, move |client| {
        assert_eq!(&*Queue::new(&client, name).pop(long).unwrap().unwrap(), b"job");
    });

    // The second one comes, and then both pass.
    let comes = || {
        let client = client();
        Later(move || {
            let client = client.clone();
            drop(std::thread::spawn(move || Barrier::new(&client, "gate", 2).wait()));
        })
    };
    check(&server, comes, |client| Barrier::new(&client, "gate", 2).wait().unwrap());
}
