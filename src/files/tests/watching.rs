//! Lists and watches where nobody sweeps, and of many names.

use super::{Fixture, SECOND, fixture, fixture_with_memory, name};
use crate::budget::Budget;
use crate::contents::Contents;
use crate::exptime::Exptime;
use crate::files::tests::BY;
use crate::files::{Changes, ClientId, Clock, Expiry, Registry, Table, Waiting, Watch};
use crate::name::Stem;
use crate::refusal::Refusal;
use crate::version::Version;
use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;

const MAX: usize = 10_000;

/// More than is removed at once.
const MANY: u64 = 1000;

/// One with room for many files.
fn roomy() -> Fixture {
    let (clock, budget) = (Clock::manual(), Budget::new(1 << 30));
    let table = Table::new(Registry::default(), clock.clone(), budget.clone(), 1);
    Fixture { table, clock, budget }
}

/// Version, whether the name is there, the name.
type Line = (u64, bool, String);

fn lines(changes: Changes) -> (u64, Vec<Line>) {
    let line =
        |c: &crate::files::Change| (c.version, c.numbytes.is_some(), c.name.as_str().to_string());
    (changes.rev, changes.changes.iter().map(line).collect())
}

fn put(version: u64, name: &str) -> Line {
    (version, true, name.to_string())
}

fn del(version: u64, name: &str) -> Line {
    (version, false, name.to_string())
}

impl Fixture {
    fn look(&self, prefix: &str, rev: u64, max: usize) -> Result<(u64, Vec<Line>), Refusal> {
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

    fn ephemeral(&self, file: &str, client: u64) -> u64 {
        let expiry = Expiry::new(Exptime::Connection, ClientId::new(client));
        self.table.write(name(file), Contents::from(""), expiry, BY).unwrap().seen().unwrap()
    }

    fn delete(&self, file: &str) {
        self.table.delete(name(file), None).unwrap().seen().unwrap();
    }

    /// Nothing is left of watches that have come and gone.
    #[track_caller]
    fn nobody_waits(&self) {
        let state = self.table.lock().state;
        let watchers = format!("{:?}", state.watchers);
        assert!(watchers.contains("prefixes: {}, names: {}, files: {}"), "{watchers}");
        assert_eq!(state.watchers.waiting(), 0);
    }
}

/// Whether it has been woken.
fn is_awake(waiting: &Waiting<'_>) -> bool {
    let waker = waiting.waker().as_fd().try_clone_to_owned().unwrap();
    fs::File::from(waker).read(&mut [0; 8]).is_ok()
}

fn names(table: &Table, prefix: &str) -> Vec<String> {
    let listing = table.list(prefix, MAX, None);
    listing.files.iter().map(|file| file.name.as_str().to_string()).collect()
}

#[test]
fn what_has_expired_is_removed_by_a_list_and_by_a_watch() {
    let f = fixture();
    f.write("a", 2);
    f.write("b", 0);
    f.write("c", 2);
    f.clock.advance(2 * SECOND);
    let listing = f.table.list("b", 1, None);
    assert_eq!((listing.rev, listing.files.len(), listing.more), (5, 1, false));
    assert_eq!(names(&f.table, ""), ["b"]);
    f.write("a", 1);
    f.clock.advance(SECOND);
    assert_eq!(f.look("b", 2, MAX), Ok((7, vec![])), "in its rev, also if it shows others");
    assert_eq!(f.look("", 6, MAX), Ok((7, vec![del(7, "a")])));
    f.write("a", 1);
    f.clock.advance(SECOND);
    assert_eq!(f.look("a", 9, MAX), Ok((9, vec![])), "a version that the removal has taken");
}

#[test]
fn more_than_fit_into_one_turn_expire_before_a_list() {
    let f = fixture();
    for i in 0..MANY {
        f.write(&format!("f{i}"), 1);
    }
    f.write("stays", 0);
    f.clock.advance(SECOND);
    assert_eq!(names(&f.table, ""), ["stays"]);
    assert_eq!(f.table.totals().version, 2 * MANY + 1);
    assert_eq!(f.look("", 0, MAX).unwrap().1.len() as u64, MANY + 1);
}

#[test]
fn all_files_of_one_client_end_with_it_and_no_others() {
    let f = fixture();
    for i in 0..MANY {
        f.ephemeral(&format!("e{i}"), 1);
    }
    f.ephemeral("other", 2);
    f.ephemeral("taken", 1);
    f.ephemeral("taken", 2);
    f.write("stays", 0);
    f.ephemeral("kept", 1);
    f.write("kept", 0);
    let rev = f.table.totals().version;
    f.table.end_client(ClientId::new(1));
    assert_eq!(names(&f.table, ""), ["kept", "other", "stays", "taken"]);
    let (now, gone) = f.look("", rev, MAX).unwrap();
    assert_eq!(now, rev + MANY, "a version for each");
    assert!(gone.iter().map(|line| line.0).eq(rev + 1..=now));
    f.table.end_client(ClientId::new(1));
    f.table.end_client(ClientId::new(3));
    assert_eq!(f.table.totals().version, now);
    f.table.end_client(ClientId::new(2));
    assert_eq!(names(&f.table, ""), ["kept", "stays"]);
    let state = f.table.lock().state;
    assert!(state.ends.next().is_none() && format!("{:?}", state.ends).contains("by_client: {}"));
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
fn a_watch_that_waited_has_its_first_change_though_the_table_has_forgotten_it() {
    let f = fixture_with_memory(1 << 30);
    let (made, ended) = (f.wait("a", 0), f.wait("b", 0));
    f.write("a", 0);
    f.write("b", 0);
    f.delete("b");
    let late = f.wait("c", 3);
    f.write("c", 0);
    f.delete("c");
    for i in 0..=100_000 {
        f.write(&format!("other{i}"), 0);
        f.delete(&format!("other{i}"));
    }
    let now = f.table.totals().version;
    assert_eq!(f.look("", 0, MAX), Err(Refusal::Compacted(Version(now))));
    assert_eq!(lines(made.changes()), (1, vec![put(1, "a")]));
    // Its end is forgotten, and a watch from there says so.
    assert_eq!(lines(ended.changes()), (2, vec![put(2, "b")]));
    assert_eq!(lines(late.changes()), (4, vec![put(4, "c")]));
    assert_eq!(f.look("b", 2, MAX), Err(Refusal::Compacted(Version(now))));
}

#[test]
fn a_full_answer_ends_at_the_last_change_that_it_tells() {
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

/// A long look lets writers in, and what they change meanwhile is told once.
#[test]
fn a_long_look_tells_each_name_once() {
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

#[test]
fn who_waits_is_told_the_latest_state_since_the_first_change() {
    let f = fixture();
    f.write("a", 0);
    let [first, second, other] = ["a", "", "b"].map(|prefix| f.wait(prefix, 1));
    assert_eq!(f.table.totals().watches, 3);
    f.write("a", 0);
    f.delete("a");
    f.write("a2", 0);
    assert_eq!(lines(first.changes()), (4, vec![del(3, "a"), put(4, "a2")]));
    assert_eq!(lines(second.changes()), (4, vec![del(3, "a"), put(4, "a2")]));
    // The next group of a prefix is another one: nobody takes another's place.
    let again = f.wait("a", 4);
    assert_eq!(f.table.totals().watches, 2);
    assert_eq!(lines(other.changes()), (4, vec![]));
    drop(again);
    f.nobody_waits();
}

#[test]
fn who_leaves_takes_nobody_along() {
    let f = fixture();
    let (early, late) = (f.wait("a", 0), f.wait("a", 0));
    drop(early);
    f.write("a", 0);
    let next = f.wait("a", 1);
    // Woken, and looks when others wait already.
    assert_eq!(lines(late.changes()), (1, vec![put(1, "a")]));
    assert_eq!(f.table.totals().watches, 1);
    f.write("a", 0);
    assert_eq!(lines(next.changes()), (2, vec![put(2, "a")]));
    f.nobody_waits();
}

#[test]
fn a_change_wakes_those_whom_it_concerns() {
    let f = fixture();
    let waiting = ["", "a", "a/b", "a/bc", "b", "ab"].map(|prefix| f.wait(prefix, 0));
    f.write("a/b", 0);
    f.table.close(); // so that what wakes them ends
    f.table.notify();
    let woken: Vec<_> = waiting.into_iter().map(|w| w.changes().changes.len()).collect();
    assert_eq!(woken, [1, 1, 1, 0, 0, 0]);
    f.nobody_waits();
}

#[test]
fn of_a_closed_table_nobody_waits() {
    let f = fixture();
    let waiting = f.wait("a", 0);
    thread::scope(|scope| {
        let notifier = scope.spawn(|| f.table.notify());
        f.table.close();
        notifier.join().unwrap();
    });
    assert!(is_awake(&waiting));
    assert_eq!(lines(waiting.changes()), (0, vec![]));
    assert!(matches!(f.table.watch("a", 0, MAX, true), Ok(Watch::Now(_))));
    f.nobody_waits();
}

#[test]
fn what_changes_while_a_table_is_closed_is_told_before_its_watches_end() {
    let f = fixture();
    let waiting = f.wait("a", 0);
    f.table.close();
    f.write("a", 0);
    assert_eq!(waiting.changes().changes.len(), 1);
}

#[test]
fn of_many_that_create_at_once_each_makes_another_file() {
    let f = fixture();
    let stem = Stem::new("q/").unwrap();
    let create = || {
        let made = (0..500).map(|_| f.table.create(stem, Contents::from(""), Expiry::Never));
        made.map(|made| made.unwrap().seen().unwrap()).collect::<Vec<_>>()
    };
    let made: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(create)).collect();
        threads.into_iter().flat_map(|t| t.join().unwrap()).collect()
    });
    assert!(made.iter().all(|(version, name)| name.as_str() == format!("q/{version:020}")));
    let versions: BTreeSet<_> = made.iter().map(|(version, _)| *version).collect();
    assert!(versions.into_iter().eq(1..=2000));
}
