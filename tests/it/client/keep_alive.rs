//! Clients that hold something outlast the idle time-out of a server.

use super::connect;
use crate::server::{PATIENCE, Running};
use std::cell::LazyCell;
use std::time::Duration;
use telefile::client::Error;
use telefile::client::recipes::{Election, FairLock, Lease, Lock, Queue};
use telefile::{Exptime, Server, Version};

/// Much longer than the pauses of a busy machine.
const IDLE: Duration = Duration::from_secs(2);

/// Makes a silent connection, and waits until the server has ended it.
fn pass_idle_timeout(server: &Running) {
    let silent = connect(server.addresses()[0]);
    assert_eq!(silent.idle_timeout(), Some(IDLE));
    assert!(silent.wait_lost(PATIENCE).unwrap());
    assert!(matches!(silent.stat("f"), Err(Error::Lost(_))));
}

#[test]
fn a_client_that_holds_something_is_not_silent() {
    let server = Running::start(Server::builder().idle_timeout(Some(IDLE)));
    let client = |which: usize| connect(server.addresses()[which % 2]);
    let connection = Exptime::Connection;
    // Each connects just before it asks for something: until then it is silent.
    let clients: Vec<_> = (0..12).map(|which| LazyCell::new(move || client(which))).collect();
    let opened = clients[0].open("opened", None).unwrap();
    clients[1].write_expiring("written", "", connection).unwrap();
    clients[2].cas_expiring("cas", Version(0), "", connection).unwrap();
    let (_, created) = clients[3].create("created/", "", connection).unwrap();
    let version = clients[4].write("touched", "").unwrap();
    clients[4].touch("touched", version, connection).unwrap();
    let mut pipeline = clients[5].pipeline();
    pipeline.write_expiring("piped", "", connection).unwrap();
    assert!(pipeline.send().all(|answer| answer.is_ok()));
    let lock = Lock::new(&clients[6], "lock").lock().unwrap();
    let lease = Lease::new(&clients[7], "lease", 60 * PATIENCE).acquire().unwrap();
    let fair = FairLock::new(&clients[8], "fair").lock().unwrap();
    let leads = Election::new(&clients[9], "leader").campaign("me").unwrap();
    Queue::new(&clients[10], "jobs").push("job").unwrap();
    let job = Queue::new(&clients[10], "jobs").take(Duration::ZERO).unwrap().unwrap();
    clients[11].keep_alive().unwrap();
    for _ in 0..2 {
        pass_idle_timeout(&server);
    }
    // Each over its own connection, which is in step.
    assert_eq!(opened.stat().unwrap().opens, 1);
    for (client, name) in
        clients[1..].iter().zip(["written", "cas", &created, "touched", "piped", "lock"])
    {
        assert_eq!(client.stat(name).unwrap().exptime, connection, "{name}");
    }
    lock.unlock().unwrap();
    clients[7].stat("lease").unwrap();
    lease.release().unwrap();
    fair.unlock().unwrap();
    leads.unlock().unwrap();
    job.done().unwrap();
    clients[11].stats().unwrap();
}

#[test]
fn a_kept_alive_connection_ends_with_its_client() {
    let server = Running::start(Server::builder().idle_timeout(Some(IDLE)));
    let (client, other) = (connect(server.addresses()[0]), connect(server.addresses()[0]));
    let file = client.open("f", None).unwrap();
    drop(client);
    drop(file);
    let since = std::time::Instant::now();
    while other.stats().unwrap().contains(&("connections".to_string(), "2".to_string())) {
        assert!(since.elapsed() < PATIENCE);
    }
}
