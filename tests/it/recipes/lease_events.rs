//! The events that the observer of a kept lease gets.

use super::proxy::Proxy;
use super::{PATIENCE, connect, running, stat};
use crate::server::eventually;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use telefile::client::Error;
use telefile::client::recipes::{Lease, LeaseEvent, LeaseGuard};
use telefile::{Client, Refusal};

/// Longer than any test: no renewal is due.
const LONG: Duration = Duration::from_secs(3600);

fn keep(client: &Client, renew_every: Duration) -> (LeaseGuard, Receiver<LeaseEvent>) {
    let (sender, events) = channel();
    let lease = Lease::new(client, "lease", LONG).renew_every(renew_every);
    let lease = lease.on_event(move |event| drop(sender.send(event)));
    (lease.acquire().unwrap().kept().unwrap(), events)
}

#[track_caller]
fn next(events: &Receiver<LeaseEvent>) -> LeaseEvent {
    events.recv_timeout(PATIENCE).expect("an event")
}

#[test]
fn each_renewal_is_an_event_that_says_how_long_the_lease_is_valid() {
    let server = running();
    let (lease, events) = keep(&connect(&server), Duration::from_millis(1));
    let mut last = Instant::now();
    for _ in 0..3 {
        let LeaseEvent::Renewed { valid_until } = next(&events) else { panic!("not renewed") };
        assert!(valid_until > last && valid_until <= Instant::now() + LONG);
        assert!(lease.valid_until() >= valid_until);
        last = valid_until;
    }
    lease.release().unwrap();
    while let Ok(event) = events.recv() {
        assert!(matches!(event, LeaseEvent::Renewed { .. }), "{event:?}");
    }
}

/// No renewal is due for an hour, but the lost connection is noticed.
#[test]
fn a_cut_connection_is_replaced_at_once_and_while_that_fails_the_thread_tries_again() {
    let server = running();
    let mut gone = running();
    let proxy = Proxy::new(server.addresses()[0]);
    let (lease, events) = keep(&proxy.client(), LONG);
    proxy.cut();
    assert!(matches!(next(&events), LeaseEvent::Renewed { .. }));

    gone.stop();
    proxy.switch(gone.addresses()[0]);
    for _ in 0..2 {
        let event = next(&events);
        assert!(matches!(event, LeaseEvent::Retrying(Error::Connect(_))), "{event:?}");
        assert!(lease.is_valid());
    }
    proxy.switch(server.addresses()[0]);
    while !matches!(next(&events), LeaseEvent::Renewed { .. }) {}
    lease.release().unwrap();
}

#[test]
fn the_loss_of_the_lease_is_the_last_event() {
    let server = running();
    let other = running();
    let (lease, events) = keep(&connect(&server), Duration::from_millis(1));
    connect(&server).delete("lease", None).unwrap();
    let last = std::iter::from_fn(|| Some(next(&events)));
    let why = last.into_iter().find_map(|event| match event {
        LeaseEvent::Lost(why) => Some(why),
        _ => None,
    });
    assert_eq!(why.unwrap().refusal(), Some(&Refusal::NotFound));
    assert!(!lease.is_valid());

    let proxy = Proxy::new(server.addresses()[0]);
    let (_lease, events) = keep(&proxy.client(), LONG);
    proxy.switch(other.addresses()[0]);
    assert!(matches!(next(&events), LeaseEvent::Lost(Error::OtherTable)));
}

#[test]
fn releasing_a_lease_ends_a_thread_that_has_an_hour_to_wait() {
    let server = running();
    let since = Instant::now();
    let (lease, events) = keep(&connect(&server), LONG);
    lease.release().unwrap();
    assert!(events.recv().is_err(), "the thread has ended, without an event");
    assert!(since.elapsed() < LONG / 3);
}

#[test]
fn an_observer_may_drop_the_guard() {
    let server = running();
    let client = connect(&server);
    let slot: Arc<Mutex<Option<LeaseGuard>>> = Arc::default();
    let (sender, dropped) = channel();
    let observer = {
        let slot = slot.clone();
        move |_| {
            if slot.lock().unwrap().take().is_some() {
                let _ = sender.send(());
            }
        }
    };
    let lease = Lease::new(&client, "lease", LONG).renew_every(Duration::from_millis(1));
    let guard = lease.on_event(observer).acquire().unwrap().kept().unwrap();
    *slot.lock().unwrap() = Some(guard);
    dropped.recv_timeout(PATIENCE).unwrap();
    assert!(Lease::new(&client, "lease", LONG).try_acquire().unwrap().is_some());
}

/// The next renewal would be due in twenty minutes.
#[test]
fn an_observer_that_drops_the_guard_ends_the_thread_and_its_connection() {
    let server = running();
    let proxy = Proxy::new(server.addresses()[0]);
    let slot: Arc<Mutex<Option<LeaseGuard>>> = Arc::default();
    let observer = {
        let slot = slot.clone();
        move |_| drop(slot.lock().unwrap().take())
    };
    let lease = Lease::new(&proxy.client(), "lease", LONG).on_event(observer);
    *slot.lock().unwrap() = Some(lease.acquire().unwrap().kept().unwrap());
    drop(lease);
    proxy.cut();
    let client = connect(&server);
    eventually("the guard is dropped", || slot.lock().unwrap().is_none());
    eventually("only this client is left", || stat(&client, "connections") == 1);
}
