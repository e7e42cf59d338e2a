//! `Election`.

use super::proxy::Proxy;
use super::{PATIENCE, SHORT, Task, connect, lost, names, running, spawn, waiting};
use crate::server::eventually;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};
use telefile::client::recipes::{Election, FencingToken, Leader};
use telefile::{Client, Exptime};

fn named(leader: Option<Leader>) -> (String, FencingToken) {
    let leader = leader.expect("somebody leads");
    (String::from_utf8(leader.contents.to_vec()).unwrap(), leader.token)
}

#[test]
fn everybody_knows_the_leader_and_its_successor_waits_already() {
    let server = running();
    let (ann, bob, voter) = (connect(&server), connect(&server), connect(&server));
    let voter = Election::new(&voter, "leader/web");
    assert!(voter.leader().unwrap().is_none());
    let leads = Election::new(&ann, "leader/web").campaign("ann").unwrap();
    let first = ("ann".to_string(), leads.token());
    assert_eq!(named(voter.leader().unwrap()), first);
    leads.check().unwrap();

    let candidate = spawn(move || Election::new(&bob, "leader/web").campaign("bob").unwrap());
    waiting(&ann, 1);
    assert_eq!(named(voter.leader().unwrap()), first);
    assert_eq!(names(&ann, "leader/web/").len(), 2);
    leads.unlock().unwrap();
    let leads = candidate.join();
    assert!(leads.token() > first.1);
    assert_eq!(named(voter.leader().unwrap()), ("bob".to_string(), leads.token()));
    leads.unlock().unwrap();
    assert!(voter.leader().unwrap().is_none());
}

#[test]
fn only_another_leader_ends_the_wait_for_the_next_leader() {
    let server = running();
    let (ann, bob, voter) = (connect(&server), connect(&server), connect(&server));
    let next = |known| {
        let client = connect(&server);
        spawn(move || Election::new(&client, "leader").next_leader(known, 3 * PATIENCE).unwrap())
    };
    let news = next(None);
    waiting(&voter, 1);
    voter.write("leader/of-the-band", "").unwrap();
    voter.write("leader2/00000000000000000001", "").unwrap();
    let leads = Election::new(&ann, "leader").campaign("ann").unwrap();
    assert_eq!(named(news.join()), ("ann".to_string(), leads.token()));

    let news = next(Some(leads.token()));
    waiting(&voter, 1);
    let candidate = spawn(move || Election::new(&bob, "leader").campaign("bob").unwrap());
    waiting(&voter, 2);
    assert!(!news.0.is_finished(), "another candidate is not another leader");
    let token = leads.token();
    drop(leads);
    let leads = candidate.join();
    assert_eq!(named(news.join()), ("bob".to_string(), leads.token()));
    // A voter that comes late learns of the leader at once.
    assert_eq!(named(next(Some(token)).join()), ("bob".to_string(), leads.token()));

    let news = next(Some(leads.token()));
    waiting(&voter, 1);
    drop(leads);
    assert!(news.join().is_none());
}

#[test]
fn a_wait_for_the_next_leader_times_out_with_the_same_one() {
    let server = running();
    let client = connect(&server);
    let election = Election::new(&client, "leader");
    let since = Instant::now();
    assert!(election.next_leader(None, SHORT).unwrap().is_none());
    assert!(since.elapsed() >= Duration::from_secs(1) && since.elapsed() < PATIENCE);
    let leads = election.campaign("me").unwrap();
    let same = election.next_leader(Some(leads.token()), Duration::ZERO).unwrap();
    assert_eq!(named(same), ("me".to_string(), leads.token()));
}

#[test]
fn a_campaign_that_times_out_leaves_no_candidate() {
    let server = running();
    let (ann, bob) = (connect(&server), connect(&server));
    let leads = Election::new(&ann, "leader").campaign_for("ann", SHORT).unwrap().expect("first");
    let since = Instant::now();
    assert!(Election::new(&bob, "leader").campaign_for("bob", SHORT).unwrap().is_none());
    assert!(since.elapsed() >= Duration::from_secs(1) && since.elapsed() < PATIENCE);
    assert_eq!(names(&ann, "leader"), [leads.name()]);
}

#[test]
fn a_dead_leader_is_succeeded_and_a_dead_candidate_is_skipped() {
    let server = running();
    let (first, second) = (Proxy::new(server.addresses()[0]), Proxy::new(server.addresses()[0]));
    let (client, voter) = (connect(&server), connect(&server));
    let leads = Election::new(&first.client(), "leader").campaign("first").unwrap();
    let dies = second.client();
    let dies = spawn(move || lost(Election::new(&dies, "leader").campaign("second")));
    waiting(&voter, 1);
    let third = spawn(move || Election::new(&client, "leader").campaign("third").unwrap());
    waiting(&voter, 2);
    second.cut();
    dies.join();
    eventually("two are left", || names(&voter, "leader/").len() == 2);
    let election = Election::new(&voter, "leader");
    assert_eq!(named(election.leader().unwrap()), ("first".to_string(), leads.token()));
    first.cut();
    let third = third.join();
    assert_eq!(named(election.leader().unwrap()), ("third".to_string(), third.token()));
    lost(leads.check());
}

/// The leader in a list may have left before its file is read.
#[test]
fn each_new_leader_is_reported_while_leaders_come_and_go() {
    let server = running();
    let (ann, bob, voter) = (connect(&server), connect(&server), connect(&server));
    let enough = Arc::new(AtomicBool::new(false));
    let tasks = [(ann, "ann"), (bob, "bob")].map(|(client, name)| {
        let enough = enough.clone();
        spawn(move || {
            let election = Election::new(&client, "leader");
            while !enough.load(Relaxed) {
                election.campaign(name).unwrap().unlock().unwrap();
            }
        })
    });
    let election = Election::new(&voter, "leader");
    let (mut seen, mut last) = (0, None);
    while seen < 50 {
        let leader = election.next_leader(last, PATIENCE).unwrap();
        if let Some(leader) = leader {
            assert!([&b"ann"[..], b"bob"].contains(&&*leader.contents));
            assert!(Some(leader.token) > last, "{} after {last:?}", leader.token);
            last = Some(leader.token);
            seen += 1;
        }
    }
    enough.store(true, Relaxed);
    tasks.into_iter().for_each(Task::join);
}

/// The line is never empty, so somebody leads at any time.
#[test]
fn a_leader_is_always_reported_if_there_is_one() {
    let server = running();
    let (client, voter) = (connect(&server), connect(&server));
    let enough = Arc::new(AtomicBool::new(false));
    let stand = |client: &Client| client.create("leader/", "me", Exptime::Connection).unwrap().1;
    let (mut first, ends) = (stand(&client), enough.clone());
    let task = spawn(move || {
        while !ends.load(Relaxed) {
            let next = stand(&client);
            client.delete(&first, None).unwrap();
            first = next;
        }
    });
    let election = Election::new(&voter, "leader");
    let found = (0..300).all(|_| election.leader().unwrap().is_some());
    enough.store(true, Relaxed);
    task.join();
    assert!(found);
}

#[test]
fn candidates_that_come_and_go_do_not_wake_a_wait_for_the_next_leader() {
    let server = running();
    let (client, proxy) = (connect(&server), Proxy::new(server.addresses()[0]));
    let leads = Election::new(&client, "leader").campaign("first").unwrap();
    let (waits, token) = (proxy.client(), leads.token());
    let task =
        spawn(move || Election::new(&waits, "leader").next_leader(Some(token), 9 * PATIENCE));
    waiting(&client, 1);
    for _ in 0..100 {
        let candidate = Election::new(&client, "leader").campaign_for("", Duration::ZERO);
        assert!(candidate.unwrap().is_none());
    }
    waiting(&client, 1);
    assert_eq!((proxy.asked("list"), proxy.asked("wait"), proxy.asked("watch")), (1, 1, 0));
    leads.unlock().unwrap();
    assert!(task.join().unwrap().is_none());
}
