//! A watch that the log of changes no longer reaches is refused. The recipes then look again.

use super::proxy::Proxy;
use super::{PATIENCE, connect, running, spawn, waiting};
use crate::server::{Running, eventually};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use telefile::Client;
use telefile::client::recipes::{Election, Lease, Lock, Queue, Semaphore};

/// More deletions than the server remembers.
const TOO_MANY: usize = 100_001;

/// Deletes enough files that an earlier watch cannot be answered. Their names begin with digits, and
/// none of the `left` others do.
pub(crate) fn forget(server: &Running, left: usize) {
    let watcher = connect(server);
    let mut crowd = server.client();
    let sender = crowd.sender();
    let requests: String = (0..TOO_MANY).map(|i| format!("write {i} 0 -1\r\n\r\n")).collect();
    let sending = spawn(move || sender.send(requests));
    (0..TOO_MANY).for_each(|_| assert!(crowd.line().starts_with("OK ")));
    sending.join();
    drop(crowd); // and with it all of its files
    eventually("they are gone", || watcher.list("").unwrap().count() == left);
}

/// The waiters wait for a version from before the deletions.
#[test]
fn a_wait_for_something_held_for_ages_ends() {
    let server = running();
    let client = connect(&server);
    let lock = Lock::new(&client, "lock").lock().unwrap();
    let lease = Lease::new(&client, "lease", Duration::from_secs(3600)).acquire().unwrap();
    forget(&server, 2);
    assert!(client.watch("lock", lock.token().0, Duration::ZERO).is_err(), "it is compacted");
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

/// Checks that `waits` ends if its event happens just before its watch and is forgotten, and if it
/// happens during the watch.
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
fn each_recipe_lists_again_after_a_compacted_watch() {
    let (server, long) = (running(), 3 * PATIENCE);
    let client = || connect(&server);

    let holds = || [(); 2].map(|()| Semaphore::new(&client(), "seats", 2).acquire().unwrap());
    check(&server, holds, |client| drop(Semaphore::new(&client, "seats", 2).acquire().unwrap()));

    let (leads, candidate) = (Arc::new(Mutex::new(None)), client());
    let holds = || {
        *leads.lock().unwrap() = None;
        let (leads, election) = (leads.clone(), Election::new(&candidate, "leader"));
        Later(move || *leads.lock().unwrap() = Some(election.campaign("first").unwrap()))
    };
    check(&server, holds, move |client| {
        assert!(Election::new(&client, "leader").next_leader(None, long).unwrap().is_some());
    });

    let (here, name) = (client(), "jobs");
    let holds = || {
        let queue = Queue::new(&here, name);
        Later(move || drop(queue.push("job")))
    };
    check(&server, holds, move |client| {
        assert_eq!(&*Queue::new(&client, name).pop(long).unwrap().unwrap(), b"job");
    });
}
