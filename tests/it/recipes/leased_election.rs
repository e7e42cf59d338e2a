//! `LeasedElection`: on a server whose clock stands still until the test moves it.

use super::proxy::Proxy;
use super::{PATIENCE, SHORT, connect, lost, names, refused, running, spawn, waiting};
use crate::server::{Running, eventually};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};
use telefile::client::Error;
use telefile::client::recipes::{FencingToken, Leader, LeaseEvent, LeasedElection};
use telefile::{Client, Clock, Exptime, Refusal, Server};

const TTL: Duration = Duration::from_secs(60);

/// A server whose time stands still.
fn still() -> (Running, Clock) {
    let clock = Clock::manual();
    (Running::start(Server::builder().clock(clock.clone())), clock)
}

fn election(client: &Client) -> LeasedElection {
    LeasedElection::new(client, "leader", TTL)
}

fn named(leader: Option<Leader>) -> (String, FencingToken) {
    let leader = leader.expect("somebody leads");
    (String::from_utf8(leader.contents.to_vec()).unwrap(), leader.token)
}

#[test]
fn everybody_reads_who_leads_and_a_leader_that_resigns_is_replaced_at_once() {
    let (server, _clock) = still();
    let (ann, bob, observer) = (connect(&server), connect(&server), connect(&server));
    let observer = election(&observer);
    assert!(observer.leader().unwrap().is_none());
    let first = election(&ann).campaign("ann").unwrap();
    assert!(first.is_leader() && first.valid_until() > Instant::now());
    assert_eq!(named(observer.leader().unwrap()), ("ann".to_string(), first.token()));
    assert!(election(&bob).campaign_for("bob", SHORT).unwrap().is_none());

    let candidate = spawn(move || election(&bob).campaign("bob").unwrap());
    waiting(&ann, 1);
    let token = first.token();
    first.resign().unwrap();
    let second = candidate.join();
    assert!(second.token() > token);
    assert_eq!(named(observer.leader().unwrap()), ("bob".to_string(), second.token()));
    drop(second);
    assert_eq!(names(&ann, "leader"), [""; 0]);

    let any_bytes = election(&ann).campaign(b"\xff\0\r\n").unwrap();
    assert_eq!(*observer.leader().unwrap().unwrap().contents, *b"\xff\0\r\n");
    any_bytes.resign().unwrap();
}

#[test]
fn a_leader_that_stops_is_replaced_after_its_time_and_not_before() {
    let (server, clock) = still();
    let (bob, observer) = (connect(&server), connect(&server));
    let proxy = Proxy::new(server.addresses()[0]);
    let stops = election(&proxy.client()).campaign("stops").unwrap();
    proxy.cut();
    let candidate = spawn(move || election(&bob).campaign("bob").unwrap());
    waiting(&observer, 1);
    clock.advance(TTL - Duration::from_secs(1));
    assert_eq!(named(election(&observer).leader().unwrap()).0, "stops");
    waiting(&observer, 1);
    clock.advance(Duration::from_secs(1));
    let leads = candidate.join();
    assert!(leads.is_leader() && leads.token() > stops.token());
    assert_eq!(named(election(&observer).leader().unwrap()).0, "bob");
}

#[test]
fn a_leader_that_is_kept_stays_over_many_times_its_time_and_a_lost_connection() {
    let (server, clock) = still();
    let (bob, observer) = (connect(&server), connect(&server));
    let proxy = Proxy::new(server.addresses()[0]);
    let every = election(&proxy.client()).renew_every(Duration::from_millis(1));
    let leads = every.campaign("ann").unwrap().kept().unwrap();
    let candidate = spawn(move || election(&bob).campaign("bob").unwrap());
    waiting(&observer, 1);
    for round in 0..6 {
        clock.advance(TTL / 2);
        let left = || observer.stat("leader").unwrap().exptime;
        eventually("it is renewed", || left() == Exptime::Seconds(TTL.as_secs()));
        if round % 2 == 0 {
            proxy.cut();
        }
        assert!(leads.is_leader());
    }
    let leader = named(election(&observer).leader().unwrap());
    assert_eq!(leader, ("ann".to_string(), leads.token()));
    waiting(&observer, 1);
    leads.resign().unwrap();
    drop(candidate.join());
}

/// For the server, whose clock stands still, the time is never over.
#[test]
fn a_leader_finds_out_by_its_own_clock_that_its_time_is_over() {
    let (server, _clock) = still();
    let client = connect(&server);
    let election = LeasedElection::new(&client, "leader", Duration::from_secs(1));
    let since = Instant::now();
    let leads = election.campaign("ann").unwrap();
    eventually("its time is over", || !leads.is_leader());
    assert!(since.elapsed() >= Duration::from_secs(1) && leads.valid_until() <= Instant::now());
    leads.renew().unwrap();
    assert_eq!(named(election.leader().unwrap()), ("ann".to_string(), leads.token()));
}

/// What a pause of its program looks like to the server.
#[test]
fn a_leader_that_was_paused_over_its_time_finds_out_and_leaves_the_next_one_alone() {
    let (server, clock) = still();
    let (bob, proxy) = (connect(&server), Proxy::new(server.addresses()[0]));
    let (sender, events) = channel();
    let sleeps = election(&proxy.client()).on_event(move |event| drop(sender.send(event)));
    let sleeps = sleeps.campaign("sleeps").unwrap().kept().unwrap();
    clock.advance(TTL);
    let leads = election(&bob).campaign("bob").unwrap();
    proxy.cut(); // This wakes the thread, whose next renewal is due in twenty seconds.
    let LeaseEvent::Lost(why) = events.recv_timeout(PATIENCE).unwrap() else { panic!("not lost") };
    assert_eq!(why.refusal(), Some(&Refusal::Version(leads.token().0)));
    assert!(!sleeps.is_leader());
    assert_eq!(refused(sleeps.resign()), Refusal::Version(leads.token().0));
    assert_eq!(named(election(&bob).leader().unwrap()), ("bob".to_string(), leads.token()));

    // One that nobody renews, and that is dropped.
    clock.advance(TTL);
    let sleeps = leads;
    let leads = election(&bob).campaign("eve").unwrap();
    assert!(leads.token() > sleeps.token());
    drop(sleeps);
    assert_eq!(named(election(&bob).leader().unwrap()), ("eve".to_string(), leads.token()));
}

#[test]
fn a_leader_is_none_on_another_table() {
    let ((server, _), other) = (still(), running());
    let proxy = Proxy::new(server.addresses()[0]);
    let (sender, events) = channel();
    let leads = election(&proxy.client()).on_event(move |event| drop(sender.send(event)));
    let leads = leads.campaign("ann").unwrap().kept().unwrap();
    proxy.switch(other.addresses()[0]);
    let event = events.recv_timeout(PATIENCE).unwrap();
    assert!(matches!(event, LeaseEvent::Lost(Error::OtherTable)), "{event:?}");
    assert!(!leads.is_leader());
}

#[test]
fn a_candidate_that_loses_its_connection_is_none_any_more() {
    let (server, _clock) = still();
    let (observer, proxy) = (connect(&server), Proxy::new(server.addresses()[0]));
    let leads = election(&observer).campaign("ann").unwrap();
    let waits = proxy.client();
    let candidate = spawn(move || lost(election(&waits).campaign("bob")));
    waiting(&observer, 1);
    proxy.cut();
    candidate.join();
    leads.resign().unwrap();
    assert!(election(&observer).leader().unwrap().is_none());
}

#[test]
fn an_observer_gets_each_new_leader_and_nothing_else() {
    let (server, clock) = still();
    let (ann, observer) = (connect(&server), connect(&server));
    let next = |known| {
        let client = connect(&server);
        spawn(move || election(&client).next_leader(known, 3 * PATIENCE).unwrap())
    };
    let news = next(None);
    waiting(&observer, 1);
    observer.write("leader2", "").unwrap();
    let leads = election(&ann).campaign("ann").unwrap();
    let first = leads.token();
    assert_eq!(named(news.join()), ("ann".to_string(), first));

    // A renewal is no new leader, and neither is a candidate.
    let news = next(Some(first));
    waiting(&observer, 1);
    leads.renew().unwrap();
    assert!(election(&observer).campaign_for("bob", Duration::ZERO).unwrap().is_none());
    waiting(&observer, 1);
    clock.advance(TTL);
    assert!(news.join().is_none());

    // The same candidate, which leads once more, and came between two calls.
    drop(leads);
    let leads = election(&ann).campaign("ann").unwrap();
    assert!(leads.token() > first);
    assert_eq!(named(next(Some(first)).join()), ("ann".to_string(), leads.token()));
    assert_eq!(named(next(None).join()), ("ann".to_string(), leads.token()));
    let same = election(&observer).next_leader(Some(leads.token()), SHORT).unwrap();
    assert_eq!(named(same), ("ann".to_string(), leads.token()));
    leads.resign().unwrap();
    assert!(next(Some(first)).join().is_none());
    assert!(election(&observer).next_leader(None, SHORT).unwrap().is_none());
}

/// Each leads until the observer has seen it, so one that is missed ends the test.
#[test]
fn an_observer_misses_no_leader_while_leaders_come_and_go() {
    let (server, _clock) = still();
    let (client, observer) = (connect(&server), connect(&server));
    let (sender, seen) = channel();
    let observer = spawn(move || {
        let (election, mut known) = (election(&observer), None);
        loop {
            let leader = election.next_leader(known, PATIENCE).unwrap();
            known = leader.map(|leader| leader.token);
            if known.is_some_and(|token| sender.send(token).is_err()) {
                return;
            }
        }
    });
    for _ in 0..100 {
        let leads = election(&client).campaign("").unwrap();
        assert_eq!(seen.recv_timeout(PATIENCE).unwrap(), leads.token());
    }
    drop(seen);
    let _last = election(&client).campaign("").unwrap();
    observer.join();
}
