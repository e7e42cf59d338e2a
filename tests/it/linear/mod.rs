//! Linearizability: the replies to concurrent requests are those that the same requests would get one
//! after the other, in an order in which each reply precedes the requests that were sent after it.
//!
//! Real clients of a real server are recorded, in many short rounds; for each, stateright's tester
//! looks for such an order. `TELEFILE_TEST_ROUNDS` sets the number of rounds, `TELEFILE_TEST_SEED` repeats
//! the requests of one, each time with another timing. Proxies that falsify replies show that a fault is
//! found.
//!
//! Servers that end and hang, in `tests/it/etcd`, leave requests without an answer. Such a request has happened
//! at some time after it was sent, or never.

mod by_hand;
mod door;
mod history;
mod lost;
mod round;
mod spec;

#[cfg(all(feature = "etcd", feature = "cli"))]
pub(crate) use history::{Event, History};
#[cfg(all(feature = "etcd", feature = "cli"))]
pub(crate) use spec::{Answer, Files, Name, Op};

use crate::server::turns;
use door::Fault;
use round::Stage;
use std::hash::{BuildHasher, RandomState};

const ROUNDS: usize = 1000;

/// So often each fault has to be caught. Not all have a chance in every round.
const CATCHES: usize = 10;

/// In at most this many rounds.
const FAULTY_ROUNDS: u64 = 1000;

fn variable(name: &str) -> Option<u64> {
    let value = std::env::var(name).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

#[track_caller]
fn check(stage: &Stage, seed: u64) {
    let history = stage.round(seed, None);
    let explained = history.is_linearizable();
    assert!(explained, "no order explains this, of TELEFILE_TEST_SEED={seed}:\n{history}");
}

#[test]
fn an_order_explains_whatever_the_server_answers() {
    let stage = Stage::new();
    let first = RandomState::new().hash_one(()) >> 1;
    for round in 0..variable("TELEFILE_TEST_ROUNDS").unwrap_or(turns(ROUNDS) as u64) {
        check(&stage, variable("TELEFILE_TEST_SEED").unwrap_or(first + round));
    }
}

/// And that nothing is caught where the same is asked at an honest door.
#[track_caller]
fn check_is_caught(fault: Fault) {
    let stage = Stage::new();
    let caught = |seed: &u64| !stage.round(*seed, Some(fault)).is_linearizable();
    let Some(last) = (0..FAULTY_ROUNDS).filter(caught).nth(CATCHES - 1) else {
        panic!("{fault:?} is not caught {CATCHES} times in {FAULTY_ROUNDS} rounds");
    };
    println!("{fault:?} is caught {CATCHES} times in {} rounds", last + 1);
    (0..=last).for_each(|seed| check(&stage, seed));
}

#[test]
fn a_read_from_a_stale_cache_is_caught() {
    check_is_caught(Fault::StaleRead);
}

#[test]
fn a_cas_that_was_not_done_is_caught() {
    check_is_caught(Fault::UndoneCas);
}

#[test]
fn two_cas_of_one_version_are_caught() {
    check_is_caught(Fault::TornCas);
}

#[test]
fn a_lost_delete_is_caught() {
    check_is_caught(Fault::LostDelete);
}

#[test]
fn an_expired_file_that_is_read_is_caught() {
    check_is_caught(Fault::Undead);
}

#[test]
fn a_version_that_repeats_is_caught() {
    check_is_caught(Fault::RepeatedVersion);
}
