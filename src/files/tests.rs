//! What the table promises, with a clock that stands still.

mod ending;
mod expiring;
mod stored;
mod waiting;
mod watching;

use super::stat::Totals;
use super::state::changes::removal_cost;
use super::state::cost_of;
use super::state::expiry::End;
use super::state::files::entry::{Body, Entry};
use super::{ClientId, Clock, Decided, Expiry, File, FileType, Open, Registry, Table, Watch};
use crate::budget::Budget;
use crate::contents::Contents;
use crate::exptime::Exptime;
use crate::name::{FileRef, Name, NameRef, Stem};
use crate::refusal::Limit;
use crate::refusal::Refusal;
use crate::version::Version;
use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};
use std::thread;
use std::time::Duration;

struct Fixture {
    table: Table,
    clock: Clock,
    budget: Arc<Budget>,
}

fn fixture() -> Fixture {
    fixture_with_memory(1 << 20)
}

fn fixture_with_memory(bytes: u64) -> Fixture {
    let (clock, budget) = (Clock::manual(), Budget::new(bytes));
    Fixture {
        table: Table::new(Registry::default(), clock.clone(), budget.clone(), 1),
        clock,
        budget,
    }
}

/// Who writes and reads, where that does not matter.
const BY: ClientId = ClientId::new(1);

const SECOND: Duration = Duration::from_secs(1);

fn name(text: &str) -> FileRef<'_> {
    FileRef::Name(NameRef::new(text).unwrap())
}

/// 0 is never.
fn expiry(seconds: u64) -> Expiry {
    if seconds == 0 { Expiry::Never } else { Expiry::Seconds(seconds) }
}

impl Fixture {
    fn write(&self, file: &str, seconds: u64) -> u64 {
        let contents = Contents::from(file.as_bytes());
        self.table.write(name(file), contents, expiry(seconds), BY).unwrap().seen().unwrap()
    }

    fn cas(&self, file: &str, version: u64, seconds: u64) -> Result<u64, Refusal> {
        let contents = Contents::from(file.as_bytes());
        self.table.cas(name(file), version, contents, expiry(seconds), BY).and_then(Decided::seen)
    }

    /// Version and remaining seconds.
    fn stat(&self, file: &str) -> Option<(u64, u64)> {
        let seconds = |exptime| match exptime {
            Exptime::Never => 0,
            Exptime::Seconds(n) => n,
            Exptime::Connection => unreachable!(),
        };
        self.table.stat(name(file)).ok().map(|(s, ..)| (s.version, seconds(s.exptime)))
    }
}

#[test]
fn a_version_never_repeats() {
    let f = fixture();
    assert_eq!([f.write("a", 0), f.write("b", 0), f.write("a", 0)], [1, 2, 3]);
    assert_eq!(f.table.delete(name("a"), None).and_then(Decided::seen), Ok(()));
    assert_eq!(f.write("a", 0), 5);
    assert_eq!(f.cas("a", 3, 0), Err(Refusal::Version(Version(5))));
    let Totals { files, bytes, version, .. } = f.table.totals();
    assert_eq!((files, bytes, version), (2, 2, 5));
}

#[test]
fn a_refusal_changes_nothing() {
    let f = fixture();
    assert_eq!(f.cas("a", 1, 0), Err(Refusal::Version(Version(0))));
    assert_eq!(f.cas("a", 0, 10), Ok(1));
    f.clock.advance(4 * SECOND);
    assert_eq!(f.cas("a", 0, 100), Err(Refusal::Version(Version(1))));
    assert_eq!(
        f.table.delete(name("a"), Some(7)).and_then(Decided::seen),
        Err(Refusal::Version(Version(1)))
    );
    assert_eq!(f.table.delete(name("b"), Some(0)).and_then(Decided::seen), Err(Refusal::NotFound));
    assert_eq!(f.stat("a"), Some((1, 6)));
    assert_eq!(f.table.totals().version, 1);
}

fn owned(text: &str) -> Name {
    NameRef::new(text).unwrap().to_name()
}

/// What a MemoryFile of this name takes, without its contents.
fn file_cost(text: &str) -> u64 {
    cost_of(&Entry::new(owned(text), 1, Body::Stored(0), None))
}

#[test]
fn without_room_for_an_entry_nothing_is_made() {
    let room = file_cost("a") + removal_cost(&owned("a"));
    let table = Table::new(Registry::default(), Clock::manual(), Budget::new(room), 1);
    let empty = || Contents::from(b"".as_slice());
    assert_eq!(table.write(name("a"), empty(), Expiry::Never, BY).and_then(Decided::seen), Ok(1));
    let refusal = Err(Refusal::Limit(Limit::Memory, room));
    assert_eq!(table.write(name("b"), empty(), Expiry::Never, BY).and_then(Decided::seen), refusal);
    assert_eq!(table.write(name("a"), empty(), Expiry::Never, BY).and_then(Decided::seen), Ok(2));
    table.delete(name("a"), None).unwrap().seen().unwrap();
    assert_eq!(table.write(name("b"), empty(), Expiry::Never, BY).and_then(Decided::seen), Ok(4));
}

#[test]
fn of_many_that_cas_at_once_one_wins_each_version() {
    let f = fixture();
    f.write("a", 0);
    let won: u64 = std::thread::scope(|scope| {
        let racer = || {
            let tries = (0..1000).filter(|_| {
                let (version, _) = f.stat("a").unwrap();
                f.cas("a", version, 0).is_ok()
            });
            tries.count() as u64
        };
        let racers: Vec<_> = (0..8).map(|_| scope.spawn(racer)).collect();
        racers.into_iter().map(|r| r.join().unwrap()).sum()
    });
    assert_eq!(f.stat("a"), Some((1 + won, 0)));
    assert!(won >= 1000);
}

static SLOW: LazyLock<Clock> = LazyLock::new(Clock::manual);

/// Five seconds pass while it is written.
struct Slow;

impl File for Slow {
    fn create(_name: &Name, _: &()) -> Result<Self, Refusal> {
        Ok(Slow)
    }

    fn write(&mut self, _contents: Contents) -> Result<(), Refusal> {
        SLOW.advance(5 * SECOND);
        Ok(())
    }
}

/// Nobody else has met the passed deadline, not even the sweeper: absent all the same.
#[test]
fn a_cas_whose_lease_runs_out_while_its_type_writes_is_refused() {
    let registry = Registry::default().with(vec![FileType::new::<Slow>("Slow")]).unwrap();
    let table = Table::new(registry, SLOW.clone(), Budget::new(1 << 20), 1);
    let (lease, text) = (name("lease"), || Contents::from("mine"));
    let FileRef::Name(opened) = lease else { unreachable!() };
    let fd = table.open(opened, Some("Slow"), ClientId::new(1)).and_then(Open::opened).unwrap().fd;
    assert_eq!(table.write(lease, text(), Expiry::Seconds(5), BY).and_then(Decided::seen), Ok(2));
    let late = table.cas(lease, 2, text(), Expiry::Seconds(30), BY).and_then(Decided::seen);
    assert_eq!(late, Err(Refusal::Version(Version(0))));
    assert_eq!(table.stat(lease), Err(Refusal::NotFound));
    assert_eq!(table.stat(FileRef::Descriptor(fd)).map(|(s, ..)| s.version), Ok(4));
}

/// Run it with `cargo test --release --lib longest -- --ignored --nocapture`. Nobody else uses the
/// table, so a write takes at least as long as it holds the lock.
#[test]
#[ignore = "measures, and judges nothing"]
fn the_longest_write_while_a_table_grows_to_a_million_names() {
    const NAMES: u64 = 1_000_000;
    // The scheduler interrupts some writes, but hardly the same one in each of five tables.
    for ascending in [true, false] {
        let longest = (0..5).map(|_| {
            let f = fixture_with_memory(1 << 30);
            let write = |i: u64| {
                let number = if ascending { i } else { i.wrapping_mul(0x9e37_79b9_7f4a_7c15) };
                let file = format!("{number:016x}");
                let before = std::time::Instant::now();
                f.write(&file, 0);
                before.elapsed()
            };
            (0..NAMES).map(write).max().unwrap()
        });
        let longest: Vec<_> = longest.collect();
        let order = if ascending { "ascending" } else { "any" };
        println!("{NAMES} names in {order} order: the longest writes take {longest:?}");
    }
}

#[test]
fn concurrent_creates_make_different_files() {
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

#[test]
fn a_run_of_reads_ends_before_a_type_and_an_expired_file_and_after_large_contents() {
    let registry = Registry::default().with(vec![FileType::new::<Slow>("Slow")]).unwrap();
    let (clock, budget) = (Clock::manual(), Budget::new(1 << 20));
    let f =
        Fixture { table: Table::new(registry, clock.clone(), budget.clone(), 1), clock, budget };
    let large = Contents::from(vec![b'x'; 64 << 10]);
    for (file, contents, seconds) in [("a", "1".into(), 0), ("b", "2".into(), 5), ("l", large, 0)] {
        let written = f.table.write(name(file), contents, expiry(seconds), BY);
        written.unwrap().seen().unwrap();
    }
    let slow = NameRef::new("slow").unwrap();
    f.table.open(slow, Some("Slow"), BY).and_then(Open::opened).unwrap();
    let run = |names: &[&str]| {
        let names: Vec<_> = names.iter().map(|name| name.parse().unwrap()).collect();
        let looked = f.table.read_run(&names).into_iter();
        looked.map(|looked| looked.map(|l| (l.stat.version, l.contents.len()))).collect::<Vec<_>>()
    };
    let (a, b, l) = (Some((1, 1)), Some((2, 1)), Some((3, 64 << 10)));
    assert_eq!(run(&["a", "none", "b", "a"]), [a, None, b, a]);
    assert_eq!(run(&["a", "slow", "b"]), [a]);
    assert_eq!(run(&["a", "l", "b"]), [a, l]);
    f.clock.advance(5 * SECOND);
    assert_eq!(run(&["none", "b", "a"]), [None]);
    assert_eq!(run(&["b"]), []);
}

/// A removal moves the last file into the gap, here one with a name and one that has lost its name.
#[test]
fn descriptors_changes_and_deadlines_stay_with_their_files_when_another_is_removed() {
    let f = fixture();
    let open = |name: &str| {
        let name = NameRef::new(name).unwrap();
        f.table.open(name, None, BY).and_then(Open::opened).unwrap().fd
    };
    let delete = |file| f.table.delete(name(file), None).unwrap().seen().unwrap();
    let read = |fd| f.table.read(FileRef::Descriptor(fd), BY).unwrap().1.to_vec();
    for (file, seconds) in [("a", 0), ("b", 0), ("c", 5), ("d", 0)] {
        f.write(file, seconds);
    }
    let [c, d] = ["c", "d"].map(open);
    delete("d");
    delete("a"); // d, without a name, is in its place
    delete("b"); // c is in its place
    assert_eq!([read(c), read(d)], [b"c", b"d"]);
    assert_eq!((f.stat("c"), f.table.totals().files), (Some((3, 5)), 1));
    let Ok(Watch::Now(found)) = f.table.watch("", 2, 10, false) else {
        panic!("there are changes")
    };
    let found: Vec<_> = found.changes.iter().map(|c| (c.version, c.name.as_str())).collect();
    assert_eq!(found, [(3, "c"), (5, "d"), (6, "a"), (7, "b")]);
    f.clock.advance(5 * SECOND);
    assert_eq!((f.stat("c"), f.table.list("", 10, None).files.len()), (None, 0));
    assert_eq!([read(c), read(d)], [b"c", b"d"]);
    f.table.close_file(d, BY).unwrap(); // c, without a name by now, is in its place
    assert_eq!(read(c), b"c");
    f.table.close_file(c, BY).unwrap();
    let Totals { files, descriptors, bytes, .. } = f.table.totals();
    assert_eq!((files, descriptors, bytes), (0, 0, 0));
}
