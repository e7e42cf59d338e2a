//! Watches: what a look finds, and how it ends where there is more.

mod wakes;

use super::{Fixture, fixture, name};
use crate::budget::Budget;
use crate::contents::Contents;
use crate::exptime::Exptime;
use crate::files::tests::BY;
use crate::files::{Changes, ClientId, Clock, Expiry, Registry, Table, Waiting, Watch};
use crate::refusal::Refusal;
use crate::version::Version;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;

pub(super) const MAX: usize = 10_000;

/// One with room for many files.
fn roomy() -> Fixture {
    let (clock, budget) = (Clock::manual(), Budget::new(1 << 30));
    let table = Table::new(Registry::default(), clock.clone(), budget.clone(), 1);
    Fixture { table, clock, budget }
}

/// Version, whether the name is there, the name.
pub(super) type Line = (u64, bool, String);

fn lines(changes: Changes) -> (u64, Vec<Line>) {
    let line =
        |c: &crate::files::Change| (c.version, c.numbytes.is_some(), c.name.as_str().to_string());
    (changes.rev, changes.changes.iter().map(line).collect())
}

fn put(version: u64, name: &str) -> Line {
    (version, true, name.to_string())
}

pub(super) fn del(version: u64, name: &str) -> Line {
    (version, false, name.to_string())
}

impl Fixture {
    pub(super) fn look(
        &self,
        prefix: &str,
        rev: u64,
        max: usize,
    ) -> Result<(u64, Vec<Line>), Refusal> {
        match self.table.watch(prefix, rev, max, false)? {
            Watch::Now(changes) => Ok(lines(changes)),
            Watch::Later(_) => panic!("it was not to wait"),
        }
    }

    fn wait(&self, prefix: &str, rev: u64) -> Waiting<'_> {
        match self.table.watch(prefix, rev, MAX, true) {
            Ok(Watch::Later(waiting)) => waiting,
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn ephemeral(&self, file: &str, client: u64) -> u64 {
        let expiry = Expiry::new(Exptime::Connection, ClientId::new(client));
        self.table.write(name(file), Contents::from(""), expiry, BY).unwrap().seen().unwrap()
    }

    fn delete(&self, file: &str) {
        self.table.delete(name(file), None).unwrap().seen().unwrap();
    }
}

#[test]
fn a_lock_that_comes_and_goes_200_000_times_compacts_nobody() {
    let f = fixture();
    f.write("old", 0);
    f.delete("old");
    let waiting = f.wait("stays", 2);
    for _ in 0..100_000 {
        f.ephemeral("lock", 1);
        f.table.end_client(ClientId::new(1));
        f.cas("lock", 0, 0).unwrap();
        f.delete("lock");
    }
    let now = 400_002;
    assert_eq!(f.look("", 0, MAX), Ok((now, vec![del(2, "old"), del(now, "lock")])));
    assert_eq!(f.look("lock", 300_000, MAX), Ok((now, vec![del(now, "lock")])));
    f.write("stays", 0);
    assert_eq!(lines(waiting.changes()), (now + 1, vec![put(now + 1, "stays")]));
}

#[test]
fn a_full_answer_ends_at_its_last_change() {
    let f = fixture();
    for file in ["a1", "b1", "a2", "b2", "a3", "c"] {
        f.write(file, 0);
    }
    f.delete("b1");
    assert_eq!(f.look("a", 0, 2), Ok((3, vec![put(1, "a1"), put(3, "a2")])));
    assert_eq!(f.look("a", 3, 2), Ok((7, vec![put(5, "a3")])));
    assert_eq!(f.look("a", 0, 3).map(|found| found.0), Ok(7), "that was all");
    assert_eq!(f.look("", 5, 1), Ok((6, vec![put(6, "c")])));
    assert_eq!(f.look("", 6, 1), Ok((7, vec![del(7, "b1")])));
    assert_eq!(f.look("", 7, 1), Ok((7, vec![])));
    assert_eq!(f.look("", 8, 1), Err(Refusal::Compacted(Version(7))));
}

#[test]
fn one_change_among_many_others_is_found() {
    let (f, many) = (roomy(), 30_000);
    for i in 0..many {
        f.write(&format!("n{i}"), 0);
    }
    f.write("x", 0);
    assert_eq!(f.look("x", 0, MAX), Ok((many + 1, vec![put(many + 1, "x")])));
    // Where a long look makes a pause, too.
    let (rev, found) = f.look("", 0, 20_000).unwrap();
    assert_eq!((rev, found.len()), (20_000, 20_000));
    assert!(found.iter().map(|line| line.0).eq(1..=20_000), "none is left out");
    assert_eq!(f.look("", 0, 40_000).map(|(rev, found)| (rev, found.len())), Ok((30_001, 30_001)));
}

/// Says that it is enough, also when a test fails.
struct Enough<'a>(&'a AtomicBool);

impl Drop for Enough<'_> {
    fn drop(&mut self) {
        self.0.store(true, SeqCst);
    }
}

/// A long look lets writers in, and reports what they change meanwhile once.
#[test]
fn a_long_look_reports_each_name_once() {
    const NAMES: usize = 20_000;
    let f = roomy();
    let name_of = |i: usize| format!("n{i}");
    for i in 0..NAMES {
        f.ephemeral(&name_of(i), 1);
    }
    let enough = AtomicBool::new(false);
    thread::scope(|scope| {
        for step in [7919, 104_729] {
            let (f, enough) = (&f, &enough);
            scope.spawn(move || {
                let mut i = 0;
                while !enough.load(SeqCst) {
                    i = (i + step) % NAMES;
                    f.ephemeral(&name_of(i), 1);
                }
            });
        }
        let _enough = Enough(&enough);
        for _ in 0..25 {
            let (rev, found) = f.look("", 0, 10 * NAMES).unwrap();
            let names: BTreeSet<_> = found.iter().map(|line| &line.2).collect();
            assert_eq!((names.len(), found.len()), (NAMES, NAMES));
            assert!(found.windows(2).all(|pair| pair[0].0 < pair[1].0));
            assert!(found[NAMES - 1].0 <= rev);
        }
    });
}
