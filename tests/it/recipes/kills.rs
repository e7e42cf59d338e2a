//! Programs that hold a lock, or whatever keeps others out, add to a counter, and are killed and
//! paused at any moment. `TELEFILE_TEST_KILLS` says how often.

use super::fence::{self, is_right, late, lines, never_overlaps, progress, values};
use super::holder::{Holder, Job, job};
use super::{connect, names, stat, waiting};
use crate::random::Random;
use crate::server::{Running, eventually};
use rustix::process::Signal;
use std::collections::BTreeSet;
use telefile::Client;
use telefile::client::recipes::Queue;

const HOLDERS: usize = 3;

fn kills() -> usize {
    let chosen = std::env::var("TELEFILE_TEST_KILLS").ok().and_then(|s| s.parse().ok());
    chosen.unwrap_or(12)
}

fn start(server: &Running, job: Job<'_>) -> Vec<Holder> {
    (0..HOLDERS).map(|i| Holder::start(server, job, &i.to_string())).collect()
}

/// Kills one of them, and starts another one in its place.
fn kill_one(server: &Running, job: Job<'_>, holders: &mut [Holder], random: &mut Random) {
    let i = random.below(holders.len());
    holders[i] = Holder::start(server, job, &i.to_string());
}

/// The end of a connection releases what it held only after all of its requests: so the server never
/// sees two clients inside, and has nothing to refuse.
#[track_caller]
fn check_kills(recipe: &str) {
    let (server, mut random) = (fence::running(), Random::new());
    let (client, file) = (connect(&server), format!("killed/{recipe}"));
    let job = job(recipe, &file, "Fenced");
    let mut holders = start(&server, job);
    progress(&file, 2 * HOLDERS);
    for _ in 0..kills() {
        kill_one(&server, job, &mut holders, &mut random);
        progress(&file, 1 + random.below(10));
        holders.iter_mut().for_each(Holder::is_well);
    }
    drop(holders);
    alone(&client);
    println!("{} times", values(&file).len());
    is_right(&file);
    never_overlaps(&file);
}

/// Waits until every request of the others is executed.
#[track_caller]
fn alone(client: &Client) {
    eventually("the others are gone", || stat(client, "connections") == 1);
}

#[test]
fn no_two_clients_hold_a_lock_while_holders_are_killed() {
    check_kills("lock");
}

#[test]
fn no_two_clients_hold_a_fair_lock_while_holders_are_killed() {
    check_kills("fair");
}

#[test]
fn no_two_clients_hold_the_only_permit_while_holders_are_killed() {
    check_kills("semaphore");
}

#[test]
fn no_two_candidates_lead_while_leaders_are_killed() {
    check_kills("election");
}

/// It holds the lock as long as its connection lasts, however long it sleeps.
#[track_caller]
fn check_pause(recipe: &str) {
    let (server, file) = (fence::running(), format!("paused/{recipe}"));
    let (client, job) = (connect(&server), job(recipe, &file, "Fenced"));
    let sleeper = Holder::start_and_pause(&server, job, "sleeper", 3);
    sleeper.has_stopped();
    let _others = start(&server, job);
    waiting(&client, HOLDERS as u64);
    assert_eq!(values(&file), [1, 2]);
    sleeper.wake(&client);
    progress(&file, 2 * HOLDERS);
    is_right(&file);
    never_overlaps(&file);
}

#[test]
fn a_holder_that_is_paused_keeps_its_lock() {
    ["lock", "fair", "semaphore", "election"].into_iter().for_each(check_pause);
}

/// A holder that sleeps for longer than its lease, between its look at the counter and its write.
fn oversleep(recipe: &str, kind: &str) -> String {
    let (server, file) = (fence::running(), format!("overslept/{recipe}/{kind}"));
    let job = job(recipe, &file, kind);
    let mut sleeper = Holder::start_and_pause(&server, job, "sleeper", 3);
    sleeper.has_stopped();
    assert_eq!(values(&file), [1, 2]);
    let mut other = Holder::start(&server, job, "other");
    progress(&file, 3);
    let tokens = || fence::writes(&file).iter().map(|write| write.token).collect::<Vec<_>>();
    let is_back = |tokens: Vec<u64>| !tokens.is_sorted();
    assert!(!is_back(tokens()));
    sleeper.wake(&connect(&server));
    eventually("it writes", || is_back(tokens()));
    progress(&file, 3);
    sleeper.is_well();
    other.is_well();
    file
}

#[test]
fn the_late_write_of_a_holder_that_overslept_is_refused() {
    for recipe in ["lease", "leased_election"] {
        let file = oversleep(recipe, "Fenced");
        is_right(&file);
        assert!(late(&file) > 0);
    }
}

/// Shows that the checks here can fail, and what happens without a check of the token.
#[test]
fn without_a_check_of_the_token_a_late_write_ruins_the_counter() {
    let file = oversleep("lease", "Unfenced");
    let values = values(&file);
    assert_eq!(late(&file), 0);
    assert_ne!(values, (1..=values.len() as u64).collect::<Vec<_>>());
    assert!(*values.last().unwrap() < values.len() as u64, "what others have added is lost");
}

#[test]
fn a_checked_counter_is_right_while_holders_of_a_lease_are_killed_and_paused() {
    let (server, mut random) = (fence::running(), Random::new());
    let (client, file) = (connect(&server), "killed/lease");
    let job = job("lease", file, "Fenced");
    // The test is about a pause between read and write, which random pauses may miss.
    let sleeper = Holder::start_and_pause(&server, job, "sleeper", 1);
    sleeper.has_stopped();
    let mut holders = start(&server, job);
    progress(file, HOLDERS);
    sleeper.wake(&client);
    eventually("its late write is refused", || late(file) > 0);
    drop(sleeper);
    // Each takes as long as a lease.
    for round in 1..=kills().div_ceil(3) {
        if round % 3 == 0 {
            kill_one(&server, job, &mut holders, &mut random);
        } else {
            // Mostly the current holder, as far as the test can know it.
            let named = client.read("lease").ok().map(|file| file.contents.to_vec());
            let named = named.and_then(|name| str::from_utf8(&name).ok()?.parse().ok());
            let i = named.filter(|_| random.below(4) > 0).unwrap_or(random.below(HOLDERS));
            holders[i].signal(Signal::STOP);
            progress(file, 3);
            holders[i].signal(Signal::CONT);
        }
        progress(file, 1 + random.below(3));
        holders.iter_mut().for_each(Holder::is_well);
    }
    drop(holders);
    alone(&client);
    println!("{} times, {} late", values(file).len(), late(file));
    is_right(file);
}

/// Kills consumers while there is work: the journal, and how many items are not in it.
fn consume(how: &str) -> (Vec<String>, usize) {
    const ITEMS: usize = 150;
    let (server, mut random) = (fence::running(), Random::new());
    let (client, file) = (connect(&server), format!("journal/{how}"));
    let job = job(how, &file, "Journal");
    let queue = Queue::new(&client, "jobs");
    for i in 0..ITEMS {
        queue.push(i.to_string()).unwrap();
    }
    let is_empty = || names(&client, "jobs/item/").is_empty();
    let mut consumers = start(&server, job);
    for _ in 0..kills() {
        let enough = lines(&file).len() + random.below(ITEMS.div_ceil(kills()));
        eventually("some is done", || lines(&file).len() >= enough || is_empty());
        kill_one(&server, job, &mut consumers, &mut random);
        consumers.iter_mut().for_each(Holder::is_well);
    }
    eventually("all is done", is_empty);
    waiting(&client, HOLDERS as u64);
    drop(consumers);
    alone(&client);
    assert_eq!(names(&client, "jobs"), [""; 0], "no claim is left");
    let lines = lines(&file);
    let done: BTreeSet<_> = lines.iter().collect();
    let missing = ITEMS - done.len();
    println!("{} lines, {missing} missing", lines.len());
    (lines, missing)
}

#[test]
fn every_item_is_done_at_least_once_while_takers_are_killed() {
    let (_, missing) = consume("take");
    assert_eq!(missing, 0);
}

#[test]
fn no_item_is_done_twice_while_poppers_are_killed() {
    let (mut lines, missing) = consume("pop");
    assert!(missing <= kills(), "a kill loses at most the item at hand: {missing}");
    let all = lines.len();
    lines.sort();
    lines.dedup();
    assert_eq!(lines.len(), all);
}
