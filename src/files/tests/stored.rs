//! What a stored table promises.

mod disk;
mod model;
mod restarts;
mod room;
mod threads;

use crate::budget::Budget;
use crate::contents::Contents;
use crate::exptime::Exptime;
use crate::files::tests::BY;
use crate::files::{
    Change, ClientId, Clock, Decided, Endings, Expiry, Looked, Open, Opened, Registry, Table,
    Ticket, Wait, Watch,
};
use crate::name::{FileRef, NameRef, Stem};
use crate::refusal::{Limit, Refusal};
use crate::version::Version;
use disk::{Disk, Full};
use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

/// Contents of at least this size, in bytes, stay on disk.
const STORED_FROM: usize = 100;

fn load(disk: &Arc<Disk>, clock: &Clock) -> Table {
    Table::load(Registry::default(), clock, Budget::new(1 << 20), disk.clone()).unwrap()
}

/// Does `work` with the table that the disk has, and with its committer; what the latter said.
fn with<T>(disk: &Arc<Disk>, clock: &Clock, work: impl FnOnce(&Table) -> T) -> (T, io::Result<()>) {
    let table = load(disk, clock);
    thread::scope(|scope| {
        let committer = scope.spawn(|| table.commit());
        let end = End(disk, &table);
        let done = work(&table);
        drop(end);
        (done, committer.join().unwrap())
    })
}

/// Lets the committer end, also when a test panics.
struct End<'a>(&'a Disk, &'a Table);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.hold(false);
        self.0.pass(u64::MAX);
        self.1.end_commits();
    }
}

fn run<T>(disk: &Arc<Disk>, work: impl FnOnce(&Table) -> T) -> T {
    let (done, committed) = with(disk, &Clock::manual(), work);
    committed.unwrap();
    done
}

fn name(text: &str) -> FileRef<'_> {
    FileRef::Name(NameRef::new(text).unwrap())
}

fn write(table: &Table, file: &str, text: &str) -> Result<Decided<u64>, Refusal> {
    let decided = table.write(name(file), Contents::from(text), Expiry::Never, BY);
    decided.inspect(|decided| decided.ticket.hurry())
}

fn put(table: &Table, file: &str, text: &str) -> Result<u64, Refusal> {
    write(table, file, text)?.seen()
}

fn read(table: &Table, file: &str) -> Option<String> {
    let (_, contents) = table.read(name(file), BY).ok()?;
    Some(String::from_utf8(contents.to_vec()).unwrap())
}

fn changes(table: &Table, rev: u64) -> Vec<(u64, String, bool)> {
    let Ok(Watch::Now(found)) = table.watch("", rev, 100, false) else { panic!() };
    let shown = |c: Change| (c.version, c.name.as_str().to_string(), c.numbytes.is_none());
    found.changes.into_iter().map(shown).collect()
}

#[test]
fn what_is_not_on_disk_is_seen_by_nobody() {
    let disk = Arc::new(Disk::default());
    run(&disk, |table| {
        put(table, "a", "old").unwrap();
        disk.hold(true);
        let decided = write(table, "a", "new").unwrap();
        let created = table.create(Stem::new("q/").unwrap(), "".into(), Expiry::Never);
        let created = created.unwrap();
        disk.wait_held();
        assert_eq!(read(table, "a").as_deref(), Some("old"));
        assert_eq!(table.stat(name("a")).unwrap().0.version, 1);
        assert_eq!(table.list("", 10, None).files.len(), 1);
        assert_eq!((table.list("", 10, None).rev, table.totals().version), (1, 1));
        assert_eq!(changes(table, 1), []);
        disk.hold(false);
        assert_eq!(decided.seen(), Ok(2));
        assert_eq!(created.seen().unwrap().0, 3);
        assert_eq!(read(table, "a").as_deref(), Some("new"));
        assert_eq!(changes(table, 1).len(), 2);
    });
}

#[test]
fn who_changes_the_same_file_waits_and_is_judged_by_what_is_seen() {
    let disk = Arc::new(Disk::default());
    run(&disk, |table| {
        put(table, "a", "1").unwrap();
        disk.hold(true);
        let first = write(table, "a", "2").unwrap();
        thread::scope(|scope| {
            let cas = |version| {
                let cas = table.cas(name("a"), version, "3".into(), Expiry::Never, BY);
                cas.and_then(Decided::seen)
            };
            let (late, right) = (scope.spawn(move || cas(1)), scope.spawn(move || cas(2)));
            disk.wait_held();
            assert!(!late.is_finished() && !right.is_finished());
            disk.hold(false);
            assert!(matches!(late.join().unwrap(), Err(Refusal::Version(Version(2) | Version(3)))));
            assert_eq!(right.join().unwrap(), Ok(3));
        });
        assert_eq!(first.seen(), Ok(2));
    });
}

#[test]
fn what_waits_is_one_commit() {
    let disk = Arc::new(Disk::default());
    run(&disk, |table| {
        disk.hold(true);
        let first = write(table, "first", "").unwrap();
        disk.wait_held();
        let names: Vec<_> = (0..1000).map(|i| i.to_string()).collect();
        let decided: Vec<_> = names.iter().map(|name| write(table, name, name).unwrap()).collect();
        disk.hold(false);
        first.seen().unwrap();
        for (i, decided) in decided.into_iter().enumerate() {
            assert_eq!(decided.seen(), Ok(i as u64 + 2));
        }
        assert_eq!(disk.commits(), 2);
    });
}

#[test]
fn what_is_put_upon_what_waits_shares_its_commit() {
    let disk = Arc::new(Disk::default());
    run(&disk, |table| {
        disk.hold(true);
        let first = write(table, "f", "first").unwrap();
        disk.wait_held();
        let mut versions = vec![first];
        for i in 1..1000 {
            let file = if i % 2 == 0 { "f" } else { "g" };
            versions.push(write(table, file, &i.to_string()).unwrap());
        }
        let cas = table.cas(name("f"), 999, "last".into(), Expiry::Seconds(9), BY).unwrap();
        disk.hold(false);
        for (i, decided) in versions.into_iter().enumerate() {
            assert_eq!(decided.seen(), Ok(i as u64 + 1));
        }
        assert_eq!(cas.seen(), Ok(1001));
        assert_eq!(disk.commits(), 2);
        assert_eq!(read(table, "f").as_deref(), Some("last"));
        assert_eq!(table.stat(name("f")).unwrap().0.exptime, Exptime::Seconds(9));
        let put = |version, name: &str| (version, name.to_string(), false);
        assert_eq!(changes(table, 0), [put(1000, "g"), put(1001, "f")]);
        assert_eq!(changes(table, 1000), [put(1001, "f")]);
    });
    run(&disk, |table| assert_eq!(read(table, "f").as_deref(), Some("last")));
}

#[test]
fn a_connection_takes_a_thousand_files_with_it() {
    let disk = Arc::new(Disk::default());
    let client = ClientId::new(1);
    run(&disk, |table| {
        let names: Vec<_> = (0..1000).map(|i| i.to_string()).collect();
        let write =
            |file: &String| table.write(name(file), "".into(), Expiry::With(client), BY).unwrap();
        let decided: Vec<_> = names.iter().map(write).collect();
        assert!(decided.into_iter().all(|decided| decided.seen().is_ok()));
        let before = disk.commits();
        table.end_client(client);
        assert_eq!(table.totals().files, 0);
        assert!(disk.commits() - before < 10, "{} commits", disk.commits() - before);
    });
}

#[test]
fn a_wait_is_for_what_is_on_disk() {
    let disk = Arc::new(Disk::default());
    run(&disk, |table| {
        put(table, "a", "1").unwrap();
        disk.hold(true);
        let decided = write(table, "a", "2").unwrap();
        disk.wait_held();
        let Ok(Wait::Later(waiter)) = table.wait(name("a"), 1, true) else { panic!() };
        assert!(matches!(table.wait(name("b"), 0, false), Ok(Wait::Now(0))));
        assert_eq!(table.woken.len(), 0);
        disk.hold(false);
        assert_eq!(decided.seen(), Ok(2));
        assert_eq!(table.woken.len(), 1);
        assert!(matches!(waiter.look(), Ok(Wait::Now(2))));
    });
}

#[test]
fn the_ends_of_files_that_one_closes_share_a_commit() {
    let disk = Arc::new(Disk::default());
    let client = ClientId::new(1);
    run(&disk, |table| {
        let names: Vec<_> = (0..200).map(|i| i.to_string()).collect();
        let open = |file: &String| {
            table.open(NameRef::new(file).unwrap(), None, client).and_then(Open::opened).unwrap().fd
        };
        let opens: Vec<_> = names.iter().map(open).collect();
        let before = disk.commits();
        disk.hold(true);
        let mut endings = Endings::default();
        for fd in opens {
            assert!(table.try_close_file(fd, client, &mut endings));
        }
        assert_eq!((table.totals().files, table.totals().opens), (200, 0));
        disk.hold(false);
        endings.finish();
        assert_eq!(table.totals().files, 0);
        assert!(disk.commits() - before <= 2, "{} commits", disk.commits() - before);
        put(table, "0", "").unwrap(); // it is not busy any more
    });
}

#[test]
fn an_open_of_a_new_file_returns_its_ticket_and_the_file_is_open_once_that_is_done() {
    let disk = Arc::new(Disk::default());
    let client = ClientId::new(1);
    run(&disk, |table| {
        for (file, kind) in [("memory", "MemoryFile"), ("log", "LogFile")] {
            disk.hold(true);
            let new = NameRef::new(file).unwrap();
            let Ok(Open::Later(opening)) = table.open(new, Some(kind), client) else { panic!() };
            opening.ticket().hurry();
            disk.wait_held();
            assert!(!opening.ticket().is_done());
            assert_eq!(table.stat(name(file)), Err(Refusal::NotFound));
            disk.hold(false);
            let Ok(Open::Now(opened)) = opening.finish() else { panic!() };
            assert_eq!(
                table.stat(name(file)).map(|(stat, _, opens)| (stat.version, opens)),
                Ok((opened.version, 1))
            );
            assert!(
                matches!(table.open(new, None, client), Ok(Open::Now(again)) if again == opened)
            );
        }
    });
}

#[test]
fn an_opened_memory_file_that_is_deleted_before_it_is_visible_is_made_again() {
    let disk = Arc::new(Disk::default());
    run(&disk, |table| {
        disk.hold(true);
        let new = NameRef::new("f").unwrap();
        let open = table.open(new, Some("MemoryFile"), ClientId::new(1)).unwrap();
        let deleted = table.delete(name("f"), None).unwrap();
        disk.hold(false);
        deleted.seen().unwrap();
        assert_eq!(open.opened().map(|opened| opened.version), Ok(3));
    });
}
