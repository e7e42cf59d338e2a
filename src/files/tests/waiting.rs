//! Waits for one file.

use super::{Fixture, Open, SECOND, fixture, name};
use crate::contents::Contents;
use crate::files::tests::BY;
use crate::files::{ClientId, Expiry, Wait, Waiter};
use crate::name::{FileRef, NameRef};
use std::fs;
use std::io::Read;
use std::os::fd::AsFd;
use std::thread;

impl Fixture {
    fn await_version<'a>(&'a self, file: FileRef<'_>, version: u64) -> Waiter<'a> {
        match self.table.wait(file, version, true) {
            Ok(Wait::Later(waiter)) => waiter,
            other => panic!("{other:?}"),
        }
    }

    /// Wakes the waiters that the changes so far concern. Nobody can wait after that.
    fn close(&self) {
        self.table.close();
        self.table.notify();
    }
}

fn is_awake(waiter: &Waiter<'_>) -> bool {
    let waker = waiter.waker().as_fd().try_clone_to_owned().unwrap();
    fs::File::from(waker).read(&mut [0; 8]).is_ok()
}

#[track_caller]
fn version(waiter: Waiter<'_>) -> u64 {
    match waiter.look() {
        Ok(Wait::Now(version)) => version,
        other => panic!("{other:?}"),
    }
}

#[test]
fn busy_names_that_begin_the_same_wake_nobody() {
    let f = fixture();
    let waiters: Vec<_> = (0..100).map(|_| f.await_version(name("db"), 0)).collect();
    for i in 0..1000 {
        f.write(&format!("db/{}", i % 10), 0);
    }
    f.write("d", 0);
    assert_eq!(f.table.woken.len(), 0);
    f.write("db", 0);
    assert_eq!(f.table.woken.len(), 4, "a batch of 32 at once");
    assert!(waiters.into_iter().all(|waiter| version(waiter) == 1002));
}

#[test]
fn a_wait_looks_at_the_file_and_not_at_what_has_happened_to_it() {
    let f = fixture();
    let waiter = f.await_version(name("a"), 0);
    f.write("a", 0);
    f.table.delete(name("a"), None).unwrap().seen().unwrap();
    // Woken, and there is no file as before.
    let Ok(Wait::Later(again)) = waiter.look() else { panic!() };
    assert_eq!(f.table.totals().watches, 1);
    f.write("a", 0);
    f.write("a", 0);
    assert_eq!(version(again), 4);
    // Not woken: the time is over.
    assert_eq!(version(f.await_version(name("a"), 4)), 4);
    assert_eq!(f.table.totals().watches, 0);
}

#[test]
fn time_and_clients_end_files_for_those_who_wait() {
    let f = fixture();
    thread::scope(|scope| {
        scope.spawn(|| f.table.sweep());
        let expiring = f.await_version(name("a"), f.write("a", 2));
        let expiry = Expiry::With(ClientId::new(1));
        let written =
            f.table.write(name("b"), Contents::from(""), expiry, BY).unwrap().seen().unwrap();
        let ephemeral = f.await_version(name("b"), written);
        f.clock.advance(2 * SECOND);
        f.table.end_client(ClientId::new(1));
        while f.table.totals().files > 0 {
            thread::yield_now();
        }
        f.close();
        assert!(is_awake(&expiring) && is_awake(&ephemeral));
        assert_eq!((version(expiring), version(ephemeral)), (0, 0));
    });
}

#[test]
fn what_has_expired_is_at_0_before_anybody_has_removed_it() {
    let f = fixture();
    let waiter = f.await_version(name("a"), f.write("a", 2));
    f.clock.advance(2 * SECOND);
    assert_eq!(version(waiter), 0);
}

#[test]
fn an_open_file_is_waited_for_under_its_name_and_without() {
    let f = fixture();
    let opened = NameRef::new("a").unwrap();
    let fd = f
        .table
        .open(opened, Some("MemoryFile"), ClientId::new(1))
        .and_then(Open::opened)
        .unwrap()
        .fd;
    let file = FileRef::Descriptor(fd);
    let waiter = f.await_version(file, 1);
    assert_eq!(f.write("a", 0), 2);
    assert_eq!(version(waiter), 2);
    let (waiter, by_name) = (f.await_version(file, 2), f.await_version(name("a"), 2));
    f.table.delete(name("a"), None).unwrap().seen().unwrap();
    assert_eq!(version(by_name), 0);
    f.write("a", 0);
    assert_eq!(f.table.woken.len(), 2, "its own write, and the delete for the name");
    let written =
        f.table.write(file, Contents::from("x"), Expiry::Never, BY).unwrap().seen().unwrap();
    assert_eq!(version(waiter), written);
}

#[test]
fn no_watch_waits_for_a_closed_table() {
    let f = fixture();
    let waiter = f.await_version(name("a"), 0);
    f.close();
    assert!(is_awake(&waiter));
    assert_eq!(version(waiter), 0);
    assert!(matches!(f.table.wait(name("a"), 0, true), Ok(Wait::Now(0))));
}
