//! Watches that wait: what wakes them, and what they return then.

use super::{MAX, del, lines, put};
use crate::files::tests::{Fixture, fixture, fixture_with_memory};
use crate::files::{Waiting, Watch};
use crate::refusal::Refusal;
use crate::version::Version;
use std::fs;
use std::io::Read;
use std::os::fd::AsFd;
use std::thread;

impl Fixture {
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
fn a_watch_that_waits_returns_the_latest_state_since_the_first_change() {
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
fn a_watch_that_ends_leaves_the_others_waiting() {
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
fn a_change_wakes_only_the_watches_of_its_prefixes() {
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
fn no_watch_waits_for_a_closed_table() {
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
fn a_change_after_the_close_of_the_table_is_still_reported() {
    let f = fixture();
    let waiting = f.wait("a", 0);
    f.table.close();
    f.write("a", 0);
    assert_eq!(waiting.changes().changes.len(), 1);
}
