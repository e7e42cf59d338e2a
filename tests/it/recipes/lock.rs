//! `Lock` and `Guard`.

use super::proxy::Proxy;
use super::{PATIENCE, SHORT, connect, lost, names, refused, running, spawn, stat, waiting};
use crate::server::eventually;
use std::time::{Duration, Instant};
use telefile::client::recipes::{Guard, Lock};
use telefile::{Exptime, Refusal};

#[test]
fn one_client_holds_a_lock_and_the_tokens_grow() {
    let server = running();
    let clients = [connect(&server), connect(&server)];
    let locks = clients.each_ref().map(|client| Lock::new(client, "lock/db"));
    let mut last = None;
    for i in [0, 1, 1, 0] {
        let guard = locks[i].lock().unwrap();
        assert!(Some(guard.token()) > last);
        last = Some(guard.token());
        assert_eq!(guard.name(), "lock/db");
        guard.check().unwrap();
        for lock in &locks {
            assert!(lock.try_lock().unwrap().is_none(), "for its own client too");
        }
        guard.unlock().unwrap();
    }
    assert!(names(&clients[0], "lock/db").is_empty());
}

#[test]
fn the_file_of_a_lock_is_ephemeral_and_names_its_holder() {
    let server = running();
    let client = connect(&server);
    let guard = Lock::new(&client, "lock").holder("ann on host 7").lock().unwrap();
    let file = client.read("lock").unwrap();
    assert_eq!((&*file.contents, file.version), (&b"ann on host 7"[..], guard.token().0));
    assert_eq!(file.exptime, Exptime::Connection);
}

#[test]
fn dropping_the_guard_releases_the_lock() {
    let server = running();
    let (ann, bob) = (connect(&server), connect(&server));
    drop(Lock::new(&ann, "lock").lock().unwrap());
    assert!(Lock::new(&bob, "lock").try_lock().unwrap().is_some());
    assert!(Lock::new(&ann, "lock").try_lock().unwrap().is_some(), "dropped at once");
}

#[test]
fn a_waiter_gets_the_lock_when_it_is_released() {
    let server = running();
    let (ann, bob) = (connect(&server), connect(&server));
    for wait in [None, Some(3 * PATIENCE), Some(Duration::MAX)] {
        let guard = Lock::new(&ann, "lock").lock().unwrap();
        let lock = Lock::new(&bob, "lock");
        let task = spawn(move || match wait {
            None => Some(lock.lock().unwrap().token()),
            Some(time) => lock.try_lock_for(time).unwrap().map(|guard| guard.token()),
        });
        waiting(&ann, 1);
        let token = guard.token();
        guard.unlock().unwrap();
        assert!(task.join().expect("it is free") > token, "{wait:?}");
    }
}

#[test]
fn the_time_of_a_wait_is_rounded_up_to_seconds() {
    let server = running();
    let (ann, bob) = (connect(&server), connect(&server));
    let _guard = Lock::new(&ann, "lock").lock().unwrap();
    let since = Instant::now();
    assert!(Lock::new(&bob, "lock").try_lock().unwrap().is_none());
    let at_once = since.elapsed();
    assert!(Lock::new(&bob, "lock").try_lock_for(SHORT).unwrap().is_none());
    let took = since.elapsed();
    assert!(took >= Duration::from_secs(1) && took < PATIENCE, "{took:?}");
    assert!(at_once < took && stat(&ann, "watches") == 0);
}

#[test]
fn a_longer_name_is_another_lock() {
    let server = running();
    let (ann, proxy) = (connect(&server), Proxy::new(server.addresses()[0]));
    let guard = Lock::new(&ann, "lock/db").lock().unwrap();
    let bob = proxy.client();
    let task = spawn(move || Lock::new(&bob, "lock/db").lock().unwrap().token());
    waiting(&ann, 1);
    for _ in 0..100 {
        drop(Lock::new(&ann, "lock/db2").try_lock().unwrap().expect("another lock"));
    }
    waiting(&ann, 1);
    // It asks again from time to time, whatever happens, but not for each of a hundred other locks.
    assert!(!task.0.is_finished() && proxy.asked("cas") < 10);
    assert!(proxy.asked("wait") < 10 && proxy.asked("watch") == 0);
    guard.check().unwrap();
    let token = guard.token();
    guard.unlock().unwrap();
    assert!(task.join() > token);
}

/// It is deleted and made again before those who wait have looked.
#[test]
fn a_waiter_goes_on_waiting_if_another_client_is_faster() {
    let server = running();
    let (ann, bob) = (connect(&server), connect(&server));
    let first = Lock::new(&ann, "lock").lock().unwrap();
    let token = first.token();
    let lock = Lock::new(&bob, "lock");
    let task = spawn(move || lock.lock().unwrap().token());
    waiting(&ann, 1);
    first.unlock().unwrap();
    for _ in 0..50 {
        // Whoever of both is faster.
        let _ = Lock::new(&ann, "lock").try_lock().unwrap().map(Guard::unlock);
    }
    assert!(task.join() > token);
}

#[test]
fn a_lock_that_another_client_has_deleted_is_lost() {
    let server = running();
    let (ann, bob) = (connect(&server), connect(&server));
    let guard = Lock::new(&ann, "lock").lock().unwrap();
    bob.delete("lock", None).unwrap();
    assert_eq!(refused(guard.check()), Refusal::NotFound);
    assert_eq!(refused(guard.unlock()), Refusal::NotFound);

    let guard = Lock::new(&ann, "lock").lock().unwrap();
    bob.delete("lock", None).unwrap();
    let theirs = Lock::new(&bob, "lock").lock().unwrap();
    assert_eq!(refused(guard.check()), Refusal::Version(theirs.token().0));
    assert_eq!(refused(guard.unlock()), Refusal::Version(theirs.token().0));
    theirs.check().unwrap();

    let guard = Lock::new(&ann, "second").lock().unwrap();
    bob.delete("second", None).unwrap();
    let theirs = Lock::new(&bob, "second").lock().unwrap();
    drop(guard);
    theirs.check().unwrap();
}

#[test]
fn a_lock_is_free_when_its_holder_is_disconnected() {
    let server = running();
    let (proxy, bob) = (Proxy::new(server.addresses()[0]), connect(&server));
    let ann = proxy.client();
    let guard = Lock::new(&ann, "lock").lock().unwrap();
    let lock = Lock::new(&bob, "lock");
    let task = spawn(move || lock.lock().unwrap());
    waiting(&connect(&server), 1);
    proxy.cut();
    let theirs = task.join();
    assert!(theirs.token() > guard.token());
    lost(guard.check());
    let again = ann.reconnect().unwrap();
    lost(Lock::new(&ann, "lock").try_lock());
    assert!(Lock::new(&again, "lock").try_lock().unwrap().is_none(), "not taken again");
    lost(guard.unlock());
    theirs.check().unwrap();
}

#[test]
fn the_connection_stays_as_long_as_a_guard_does() {
    let server = running();
    let (ann, bob) = (connect(&server), connect(&server));
    let guard = Lock::new(&ann, "lock").lock().unwrap();
    drop(ann);
    assert!(Lock::new(&bob, "lock").try_lock().unwrap().is_none());
    guard.check().unwrap();
    drop(guard);
    eventually("the connection ends", || stat(&bob, "connections") == 1);
}

#[test]
fn a_waiter_and_a_holder_learn_that_the_server_has_stopped() {
    let mut server = running();
    let (ann, bob) = (connect(&server), connect(&server));
    let guard = Lock::new(&ann, "lock").lock().unwrap();
    let lock = Lock::new(&bob, "lock");
    let task = spawn(move || lost(lock.lock()));
    waiting(&ann, 1);
    server.stop();
    task.join();
    lost(guard.check());
    lost(guard.unlock());
}

#[test]
fn an_invalid_name_is_not_a_lock() {
    let server = running();
    let client = connect(&server);
    for bad in ["", "a b", "@7", "a\n", &"n".repeat(600)] {
        let error = Lock::new(&client, bad).try_lock().unwrap_err();
        assert!(matches!(error, telefile::client::Error::Invalid(_)), "{bad:?}: {error:?}");
    }
}
