//! The protocol under random schedules: three clients, a user at each, crashes and power losses between
//! any two steps of a round, and a server that loses its table. Every content is unique. It is retired
//! when a user overwrites or deletes it on some disk, or when a power loss takes what the user has not
//! flushed before another machine or the server has it; the one promise is that no other is ever lost.
//!
//! The same with one rule broken has to lose something, or this test sees nothing.
//!
//! `TELEFILE_TEST_SCHEDULES` sets how many schedules are tried, `TELEFILE_TEST_SEED` repeats one.

mod schedule;
mod user;

use super::planted::Fault;
use schedule::{Outcome, Schedule};
use std::hash::{BuildHasher, RandomState};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

/// Without `TELEFILE_TEST_SCHEDULES`: this many, or fewer on a slow machine.
const SCHEDULES: usize = 60;
const TIME: Duration = Duration::from_secs(10);

/// A broken rule shows within this many schedules.
const SCHEDULES_OF_FAULT: usize = 4000;

/// The search ends after this many bad schedules.
const ENOUGH: usize = 10;

/// When to stop.
struct Limits {
    /// How many schedules to run.
    count: usize,
    /// How many bad ones to find.
    enough: usize,
    deadline: Option<Instant>,
    /// How many run at a time. They wait for each other more than they work.
    workers: usize,
}

/// Runs schedules until `is_bad` was true of enough of them. Returns how many ran, and the bad ones
/// with their seeds.
fn schedules(
    fault: Option<Fault>,
    Limits { count, enough, deadline, workers }: Limits,
    is_bad: impl Fn(&Outcome) -> bool + Sync,
) -> (usize, Vec<(u64, Outcome)>) {
    let first = match std::env::var("TELEFILE_TEST_SEED") {
        Ok(seed) => seed.parse().unwrap(),
        Err(_) => RandomState::new().hash_one(0) >> 16,
    };
    let count = if std::env::var("TELEFILE_TEST_SEED").is_ok() { 1 } else { count };
    println!("seeds from {first}");
    let (next, ran, bad) = (AtomicUsize::new(0), AtomicUsize::new(0), Mutex::new(Vec::new()));
    let work = || loop {
        let n = next.fetch_add(1, SeqCst);
        let is_over = n > 0 && deadline.is_some_and(|deadline| Instant::now() > deadline);
        if n >= count || is_over || bad.lock().unwrap().len() >= enough {
            return;
        }
        let seed = first + n as u64;
        let outcome = Schedule::new(seed, fault).run();
        if (ran.fetch_add(1, SeqCst) + 1).is_multiple_of(1000) {
            println!("{} schedules", ran.load(SeqCst));
        }
        if is_bad(&outcome) {
            bad.lock().unwrap().push((seed, outcome));
        }
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        workers.into_iter().for_each(|worker| worker.join().unwrap());
    });
    (ran.into_inner(), bad.into_inner().unwrap())
}

#[test]
fn nothing_is_lost_whatever_crashes() {
    let wanted = std::env::var("TELEFILE_TEST_SCHEDULES").ok().map(|n| n.parse().unwrap());
    let limits = match wanted {
        Some(count) => Limits { count, enough: ENOUGH, deadline: None, workers: 32 },
        None => {
            let deadline = Some(Instant::now() + TIME);
            Limits { count: SCHEDULES, enough: ENOUGH, deadline, workers: 8 }
        }
    };
    let is_bad = |outcome: &Outcome| {
        !outcome.lost.is_empty() || !outcome.has_converged || outcome.failed.is_some()
    };
    let (ran, bad) = schedules(None, limits, is_bad);
    println!("{ran} schedules, {} bad", bad.len());
    for (seed, Outcome { lost, failed, has_converged, log }) in &bad {
        println!("seed {seed}: lost {lost:?}, {failed:?}, converged: {has_converged}");
        println!("{}\n", log.join("\n"));
    }
    let seeds: Vec<_> = bad.iter().map(|(seed, _)| seed).collect();
    assert!(
        bad.is_empty(),
        "{} of {ran} schedules are bad, with these seeds: {seeds:?}",
        bad.len()
    );
}

#[track_caller]
fn shows(fault: Fault, is_bad: impl Fn(&Outcome) -> bool + Sync) {
    let limits = Limits { count: SCHEDULES_OF_FAULT, enough: 1, deadline: None, workers: 4 };
    let (ran, bad) = schedules(Some(fault), limits, is_bad);
    println!("{fault:?}: in schedule {ran}");
    assert!(!bad.is_empty(), "{fault:?} does no harm in {ran} schedules");
}

#[track_caller]
fn loses(fault: Fault) {
    shows(fault, |outcome| !outcome.lost.is_empty());
}

#[test]
fn without_the_look_at_what_came_out_something_is_lost() {
    loses(Fault::NoLook);
}

#[test]
fn with_rows_that_are_written_first_something_is_lost() {
    loses(Fault::RowFirst);
}

#[test]
fn with_the_last_writer_winning_something_is_lost() {
    loses(Fault::LastWriter);
}

#[test]
fn with_rows_of_another_table_something_is_lost() {
    loses(Fault::NoEpoch);
}

#[test]
fn with_versions_that_begin_anew_something_is_lost() {
    loses(Fault::VersionsRestart);
}

#[test]
fn with_rows_before_the_renames_are_flushed_something_is_lost() {
    loses(Fault::RenamesUnflushed);
}

#[test]
fn with_rows_before_what_was_pushed_is_flushed_something_is_lost() {
    loses(Fault::PushedUnflushed);
}

#[test]
fn with_renames_before_the_contents_are_flushed_something_is_lost() {
    loses(Fault::ContentsUnflushed);
}

#[test]
fn with_a_collector_that_heeds_no_upload_contents_are_missing() {
    shows(Fault::CollectAnyway, |outcome| !outcome.has_converged);
}
