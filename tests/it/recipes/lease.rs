//! `Lease`: mostly on a server whose clock stands still until the test moves it.

use super::proxy::Proxy;
use super::{PATIENCE, SHORT, connect, names, refused, running, spawn, stat, waiting};
use crate::server::{Running, eventually};
use std::time::{Duration, Instant};
use telefile::client::Error;
use telefile::client::recipes::{Lease, LeaseGuard};
use telefile::{Client, Clock, Exptime, Refusal, Server};

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// A server whose time stands still.
fn still() -> (Running, Clock) {
    let clock = Clock::manual();
    (Running::start(Server::builder().clock(clock.clone())), clock)
}

/// Takes the lease for this many seconds.
#[track_caller]
fn acquire(client: &Client, ttl: u64) -> LeaseGuard {
    Lease::new(client, "lease", seconds(ttl)).try_acquire().unwrap().expect("it is free")
}

#[track_caller]
fn is_free(client: &Client) -> bool {
    Lease::new(client, "lease", seconds(60)).try_acquire().unwrap().is_some()
}

#[track_caller]
fn left(client: &Client) -> Exptime {
    client.stat("lease").unwrap().exptime
}

#[track_caller]
fn other_table(result: Result<impl std::fmt::Debug, Error>) {
    assert!(matches!(result, Err(Error::OtherTable)), "{result:?}");
}

#[test]
fn one_client_holds_a_lease_until_its_release_and_the_tokens_grow() {
    let (server, _clock) = still();
    let (ann, bob) = (connect(&server), connect(&server));
    let mut last = None;
    for client in [&ann, &bob, &bob, &ann] {
        let lease = Lease::new(client, "lease", seconds(60)).holder("me").acquire().unwrap();
        assert!(Some(lease.token()) > last && lease.is_valid());
        last = Some(lease.token());
        let file = bob.read("lease").unwrap();
        assert_eq!((&*file.contents, file.version), (&b"me"[..], lease.token().0));
        assert!(!is_free(&ann) && !is_free(&bob));
        lease.release().unwrap();
    }
    drop(acquire(&ann, 60));
    assert!(is_free(&bob));
}

#[test]
fn the_time_of_a_lease_is_rounded_up_to_seconds() {
    let (server, _clock) = still();
    let client = connect(&server);
    for (ttl, shown) in [
        (Duration::ZERO, 1),
        (Duration::from_nanos(1), 1),
        (seconds(1), 1),
        (Duration::from_millis(1001), 2),
        (Duration::MAX, Exptime::MAX_SECONDS),
    ] {
        let lease = Lease::new(&client, "lease", ttl).acquire().unwrap();
        assert_eq!(left(&client), Exptime::Seconds(shown), "{ttl:?}");
        lease.renew().unwrap();
        assert_eq!(left(&client), Exptime::Seconds(shown), "{ttl:?}");
    }
}

#[test]
fn an_expired_lease_is_free_and_its_holder_gets_an_error() {
    let (server, clock) = still();
    let (ann, bob) = (connect(&server), connect(&server));
    let lease = acquire(&ann, 60);
    clock.advance(seconds(59));
    assert!(!is_free(&bob));
    lease.renew().unwrap();
    clock.advance(seconds(59));
    assert!(!is_free(&bob));
    clock.advance(seconds(1));
    assert_eq!(refused(lease.renew()), Refusal::NotFound);
    let theirs = acquire(&bob, 60);
    assert!(theirs.token() > lease.token());
    assert_eq!(refused(lease.renew()), Refusal::Version(theirs.token().0));
    assert_eq!(refused(lease.release()), Refusal::Version(theirs.token().0));
    theirs.renew().unwrap();
}

#[test]
fn a_lease_that_the_server_reports_as_lost_is_not_valid() {
    let (server, clock) = still();
    let (ann, bob) = (connect(&server), connect(&server));
    let lease = acquire(&ann, 3600);
    assert!(lease.is_valid());
    bob.delete("lease", None).unwrap();
    assert_eq!(refused(lease.renew()), Refusal::NotFound);
    assert!(!lease.is_valid());

    let lease = acquire(&ann, 3600);
    clock.advance(seconds(3600));
    let _theirs = acquire(&bob, 3600);
    refused(lease.renew());
    assert!(!lease.is_valid());
}

#[test]
fn a_waiter_gets_the_lease_when_it_expires() {
    let (server, clock) = still();
    let (ann, bob) = (connect(&server), connect(&server));
    let lease = acquire(&ann, 60);
    let task = spawn(move || Lease::new(&bob, "lease", seconds(60)).acquire().unwrap());
    waiting(&ann, 1);
    clock.advance(seconds(60));
    let theirs = task.join();
    assert!(theirs.token() > lease.token() && theirs.is_valid());
    drop(lease);
    theirs.renew().unwrap();
}

#[test]
fn a_wait_for_a_lease_times_out() {
    let (server, _clock) = still();
    let (ann, bob) = (connect(&server), connect(&server));
    let lease = acquire(&ann, 60);
    let since = Instant::now();
    let other = Lease::new(&bob, "lease", seconds(60));
    assert!(other.try_acquire().unwrap().is_none());
    assert!(other.try_acquire_for(SHORT).unwrap().is_none());
    assert!(since.elapsed() >= seconds(1) && since.elapsed() < PATIENCE);
    lease.release().unwrap();
    assert!(other.try_acquire_for(SHORT).unwrap().is_some());
}

/// The server's clock stands still, so for the server it is never over.
#[test]
fn the_holder_counts_the_time_by_its_own_clock() {
    let (server, _clock) = still();
    let (ann, bob) = (connect(&server), connect(&server));
    let since = Instant::now();
    let lease = acquire(&ann, 1);
    eventually("its time is over", || !lease.is_valid());
    assert!(since.elapsed() >= seconds(1));
    assert!(!is_free(&bob));
    lease.renew().unwrap();
    assert!(lease.is_valid() || since.elapsed() > seconds(2));
}

/// The server may have counted from when the request was sent.
#[test]
fn the_time_of_a_lease_includes_the_round_trip() {
    let (server, _clock) = still();
    let proxy = Proxy::new(server.addresses()[0]);
    let client = proxy.client();
    proxy.slow_down(seconds(1));
    let lease = acquire(&client, 1);
    assert!(!lease.is_valid());
    lease.renew().unwrap();
    assert!(!lease.is_valid());
    proxy.slow_down(Duration::ZERO);
    lease.renew().unwrap();
}

/// Nobody renews or releases it, so each waits until the time of the one before is over.
#[test]
fn no_two_clients_ever_believe_that_they_hold_the_lease() {
    let server = running();
    let clients = [connect(&server), connect(&server)];
    let mut before = acquire(&clients[0], 1);
    for client in [&clients[1], &clients[0]] {
        let lease = Lease::new(client, "lease", seconds(1)).acquire().unwrap();
        assert!(!before.is_valid() && lease.token() > before.token());
        before = lease;
    }
}

#[test]
fn a_cut_connection_is_replaced_and_the_lease_goes_on() {
    let (server, clock) = still();
    let (proxy, bob) = (Proxy::new(server.addresses()[0]), connect(&server));
    let ann = proxy.client();
    let lease = acquire(&ann, 60);
    for _ in 0..2 {
        clock.advance(seconds(30));
        proxy.cut();
        assert!(ann.wait_lost(PATIENCE).unwrap());
        assert!(lease.is_valid() && !is_free(&bob));
        lease.renew().unwrap();
        assert_eq!(left(&bob), Exptime::Seconds(60));
        assert_eq!(bob.stat("lease").unwrap().version, lease.token().0);
    }
    proxy.cut();
    lease.release().unwrap();
    assert!(is_free(&bob));
    let dropped = acquire(&proxy.client(), 60);
    proxy.cut();
    drop(dropped);
    assert!(is_free(&bob));
}

#[test]
fn a_lease_stays_valid_for_its_time_without_a_server_and_a_renewal_can_be_repeated() {
    let (server, _clock) = still();
    let mut gone = running();
    let proxy = Proxy::new(server.addresses()[0]);
    let lease = acquire(&proxy.client(), 3600);
    gone.stop();
    proxy.switch(gone.addresses()[0]);
    for _ in 0..3 {
        let error = lease.renew().unwrap_err();
        assert!(matches!(error, Error::Lost(_) | Error::Connect(_)), "{error:?}");
        assert!(lease.is_valid());
    }
    proxy.switch(server.addresses()[0]);
    lease.renew().unwrap();
    lease.release().unwrap();
}

#[test]
fn a_lease_is_over_on_another_table_and_sends_nothing_there() {
    let (server, _clock) = still();
    let (other, _other_clock) = still();
    let proxy = Proxy::new(server.addresses()[0]);
    let ann = proxy.client();
    // It has the same version there.
    let (lease, kept) = (acquire(&ann, 3600), Lease::new(&ann, "kept", seconds(3)));
    let kept = kept.acquire().unwrap().kept().unwrap();
    let bob = connect(&other);
    let theirs = acquire(&bob, 3600);
    assert_eq!(lease.token(), theirs.token());
    proxy.switch(other.addresses()[0]);
    assert!(lease.is_valid());
    other_table(lease.renew());
    assert!(!lease.is_valid());
    other_table(lease.renew());
    other_table(lease.release());
    let since = Instant::now();
    eventually("the keeper notices", || !kept.is_valid());
    other_table(kept.release());
    println!("noticed after {:?}", since.elapsed());
    theirs.renew().unwrap();
    assert_eq!(names(&bob, ""), ["lease"]);
}

#[test]
fn a_release_reports_a_lease_that_was_lost_without_a_connection() {
    let (server, clock) = still();
    let (proxy, bob) = (Proxy::new(server.addresses()[0]), connect(&server));
    let lease = acquire(&proxy.client(), 1);
    proxy.cut();
    clock.advance(seconds(1));
    drop(acquire(&bob, 60)); // somebody else had it
    eventually("its time is over", || !lease.is_valid());
    assert_eq!(refused(lease.release()), Refusal::NotFound);
}

#[test]
fn a_kept_lease_is_renewed_until_its_release() {
    let (server, clock) = still();
    let bob = connect(&server);
    let ann = connect(&server);
    let lease = acquire(&ann, 2).kept().unwrap();
    drop(ann);
    for _ in 0..2 {
        clock.advance(Duration::from_millis(1500));
        eventually("it is renewed", || left(&bob) == Exptime::Seconds(2));
        assert!(lease.is_valid() && !is_free(&bob));
    }
    lease.release().unwrap();
    assert!(is_free(&bob));
    eventually("the keeper's connection ends", || stat(&bob, "connections") == 1);
    drop(acquire(&bob, 60).kept().unwrap());
    assert!(is_free(&bob));
}

#[test]
fn a_kept_lease_outlives_a_connection_that_is_cut_and_one_that_hangs() {
    let (server, clock) = still();
    let (proxy, bob) = (Proxy::new(server.addresses()[0]), connect(&server));
    let lease = acquire(&proxy.client(), 3).kept().unwrap();
    for harm in [Proxy::cut, Proxy::hang] {
        harm(&proxy);
        clock.advance(Duration::from_millis(1500));
        eventually("it is renewed", || left(&bob) == Exptime::Seconds(3));
        assert!(lease.is_valid());
    }
    proxy.hang();
    let since = Instant::now();
    lease.release().unwrap();
    assert!(since.elapsed() < PATIENCE, "its time-out is short");
    assert!(is_free(&bob));
}

#[test]
fn a_kept_lease_outlives_a_server_that_is_full_for_a_while() {
    let clock = Clock::manual();
    let server = Running::start(Server::builder().clock(clock.clone()).connections(3));
    let proxy = Proxy::new(server.addresses()[0]);
    let bob = connect(&server);
    let lease = acquire(&proxy.client(), 3).kept().unwrap();
    proxy.cut();
    eventually("there is room", || stat(&bob, "connections") == 1);
    let others = [connect(&server), connect(&server)];
    clock.advance(Duration::from_millis(1500));
    eventually("the keeper is not let in", || stat(&bob, "connections_refused") > 0);
    drop(others);
    eventually("it is renewed", || left(&bob) == Exptime::Seconds(3));
    assert!(lease.is_valid());
    lease.release().unwrap();
}

#[test]
fn a_lease_that_cannot_be_kept_is_released() {
    let (server, _clock) = still();
    let (proxy, bob) = (Proxy::new(server.addresses()[0]), connect(&server));
    let (lease, other) = (acquire(&proxy.client(), 3600), running());
    proxy.switch(other.addresses()[0]);
    other_table(lease.kept());
    assert!(!is_free(&bob), "it could not be asked");

    let full = Running::start(Server::builder().connections(1));
    let client = connect(&full);
    let error = acquire(&client, 3600).kept().unwrap_err();
    assert!(error.refusal().is_some(), "{error:?}");
    assert!(is_free(&client));
}
