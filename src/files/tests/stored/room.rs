//! A disk that is full, or fails.

use super::*;
use crate::files::tests::BY;

const MAX: u64 = 77;
const REFUSED: Refusal = Refusal::Limit(Limit::Data, MAX);

fn left(bytes: usize) -> Option<Full> {
    Some(Full { max: MAX, left: Some(bytes) })
}

fn nothing_left() -> Option<Full> {
    Some(Full { max: MAX, left: None })
}

#[test]
fn without_room_what_waits_is_refused_and_removals_are_not() {
    let disk = Arc::new(Disk::default());
    run(&disk, |table| {
        put(table, "old", "1").unwrap();
        put(table, "other", "1").unwrap();
        disk.hold(true);
        let first = write(table, "first", "").unwrap();
        disk.wait_held();
        let batch = [write(table, "f", "").unwrap(), write(table, "old", "2").unwrap()];
        let delete = table.delete(name("other"), None).unwrap();
        disk.fill(left(0));
        disk.hold(false);
        first.seen().unwrap();
        for decided in batch {
            assert_eq!(decided.seen(), Err(REFUSED));
        }
        assert_eq!(delete.seen(), Ok(()));
        assert_eq!(read(table, "old").as_deref(), Some("1"));
        assert_eq!(table.list("", 10, None).files.len(), 2);
        disk.fill(None);
        assert_eq!(put(table, "f", "again"), Ok(7));
    });
}

#[test]
fn what_is_too_large_keeps_nothing_else_out() {
    let disk = Arc::new(Disk::default());
    run(&disk, |table| {
        disk.hold(true);
        let first = write(table, "first", "").unwrap();
        disk.wait_held();
        let sizes = [5, 500, 6, 400, 7];
        let names: Vec<_> = (0..sizes.len()).map(|i| i.to_string()).collect();
        let batch: Vec<_> = names
            .iter()
            .zip(sizes)
            .map(|(name, size)| write(table, name, &"x".repeat(size)).unwrap())
            .collect();
        disk.fill(left(20));
        disk.hold(false);
        first.seen().unwrap();
        for ((decided, size), version) in batch.into_iter().zip(sizes).zip(2..) {
            assert_eq!(decided.seen(), if size < 20 { Ok(version) } else { Err(REFUSED) });
        }
        assert_eq!(table.list("", 10, None).files.len(), 4);
    });
    run(&disk, |table| assert_eq!(table.list("", 10, None).files.len(), 4));
}

#[test]
fn what_is_decided_upon_what_did_not_fit_is_judged_again() {
    let disk = Arc::new(Disk::default());
    run(&disk, |table| {
        put(table, "f", "old").unwrap();
        disk.fill(left(50));
        disk.hold(true);
        let refused = write(table, "f", &"x".repeat(60)).unwrap();
        disk.wait_held();
        let upon = table.cas(name("f"), 2, "new".into(), Expiry::Never, BY).unwrap();
        let beside = write(table, "g", "new").unwrap();
        disk.hold(false);
        assert_eq!(refused.seen(), Err(REFUSED));
        assert_eq!(upon.seen(), Err(Refusal::Version(Version(1))));
        assert_eq!(beside.seen(), Ok(4));
        assert_eq!(read(table, "f").as_deref(), Some("old"));
        assert_eq!(put(table, "f", "newer"), Ok(5));
    });
}

#[test]
fn a_full_disk_refuses_and_nothing_else() {
    let disk = Arc::new(Disk::default());
    run(&disk, |table| {
        put(table, "a", "old").unwrap();
        disk.fill(nothing_left());
        assert_eq!(put(table, "a", "new"), Err(REFUSED));
        assert_eq!(read(table, "a").as_deref(), Some("old"));
        let refused = table.touch(name("a"), 1, Expiry::Seconds(1)).unwrap().seen();
        assert_eq!(refused, Err(REFUSED));
        assert_eq!(table.delete(name("a"), None).unwrap().seen(), Err(REFUSED));
        disk.fill(None);
        assert_eq!(table.stat(name("a")).unwrap().0.exptime, Exptime::Never);
        let version = put(table, "a", "newer").unwrap();
        assert_eq!(read(table, "a").as_deref(), Some("newer"));
        assert_eq!(changes(table, 1), [(version, "a".to_string(), false)]);
    });
}

#[test]
fn a_type_that_was_written_without_room_takes_a_version_when_there_is() {
    let disk = Arc::new(Disk::default());
    run(&disk, |table| {
        let opened = table
            .open(NameRef::new("n").unwrap(), Some("Counter"), ClientId::new(1))
            .and_then(Open::opened);
        let Opened { fd, version, .. } = opened.unwrap();
        disk.fill(nothing_left());
        assert_eq!(put(table, "n", "5"), Err(Refusal::Internal));
        assert_eq!(read(table, "n").as_deref(), Some("5\n"));
        disk.fill(None);
        let stale = table.cas(name("n"), version, "1".into(), Expiry::Never, BY).map(|_| ());
        assert!(matches!(stale, Err(Refusal::Version(now)) if now > Version(version)), "{stale:?}");
        assert_eq!(read(table, "n").as_deref(), Some("5\n"));
        table.close_file(fd, ClientId::new(1)).unwrap();
    });
}

#[test]
fn a_disk_that_fails_ends_all_changes() {
    let disk = Arc::new(Disk::default());
    let ((), committed) = with(&disk, &Clock::manual(), |table| {
        put(table, "a", "old").unwrap();
        disk.fail_next(io::Error::other("worn out"));
        assert_eq!(put(table, "a", "new"), Err(Refusal::Internal));
        assert_eq!(put(table, "b", "new"), Err(Refusal::Internal));
        assert_eq!(read(table, "a").as_deref(), Some("old"));
    });
    assert_eq!(committed.unwrap_err().to_string(), "worn out");
}

#[test]
fn an_expired_file_is_absent_also_while_its_end_is_not_on_disk() {
    let disk = Arc::new(Disk::default());
    let clock = Clock::manual();
    let _ = with(&disk, &clock, |table| {
        table.write(name("lease"), "".into(), Expiry::Seconds(1), BY).unwrap().seen().unwrap();
        clock.advance(SECOND);
        disk.fill(nothing_left());
        assert_eq!(table.read(name("lease"), BY).unwrap_err(), Refusal::NotFound);
        assert_eq!(table.list("", 10, None).files.len(), 0);
        let cas = table.cas(name("lease"), 0, "".into(), Expiry::Never, BY).map(|_| ());
        assert_eq!(cas, Err(REFUSED));
        disk.fill(None);
        let version = put(table, "lease", "").unwrap();
        assert_eq!(table.stat(name("lease")).unwrap().0.version, version);
    });
}

#[test]
fn what_ended_with_its_server_is_absent_also_while_that_cannot_be_written_down() {
    let disk = Arc::new(Disk::default());
    let client = ClientId::new(1);
    run(&disk, |table| {
        let lock = table.write(name("lock"), "".into(), Expiry::With(client), BY);
        lock.unwrap().seen().unwrap();
        table
            .open(NameRef::new("n").unwrap(), Some("Counter"), client)
            .and_then(Open::opened)
            .unwrap();
    });
    disk.fill(nothing_left());
    run(&disk, |table| {
        for file in ["lock", "n"] {
            assert_eq!(table.read(name(file), BY).unwrap_err(), Refusal::NotFound);
        }
        assert_eq!(table.list("", 10, None).files.len(), 0);
        disk.fill(None);
        assert_eq!(table.list("", 10, None).files.len(), 0);
        let gone = |version, name: &str| (version, name.to_string(), true);
        let changes = changes(table, 2);
        assert_eq!(changes.len(), 2);
        assert!(
            changes.contains(&gone(changes[0].0, "lock"))
                || changes.contains(&gone(changes[1].0, "lock"))
        );
        assert_eq!(table.totals().files, 0);
    });
}

#[test]
fn an_open_of_a_new_file_without_room_leaves_nothing_open() {
    let disk = Arc::new(Disk::default());
    run(&disk, |table| {
        for (file, kind) in [("memory", "MemoryFile"), ("log", "LogFile")] {
            disk.fill(nothing_left());
            let open = || table.open(NameRef::new(file).unwrap(), Some(kind), ClientId::new(1));
            assert_eq!(open().and_then(Open::opened), Err(REFUSED));
            assert_eq!((table.totals().files, table.totals().opens), (0, 0));
            disk.fill(None);
            let fd = open().and_then(Open::opened).unwrap().fd;
            table.close_file(fd, ClientId::new(1)).unwrap();
            let _ = table.delete(name(file), None).map(Decided::seen);
        }
    });
}

#[test]
fn what_many_pending_changes_took_is_given_back() {
    let disk = Arc::new(Disk::default());
    run(&disk, |table| {
        let room = || table.lock().state.journal.as_ref().unwrap().room();
        disk.hold(true);
        let decided: Vec<_> =
            (0..5_000).map(|i| write(table, &format!("f{i}"), "").unwrap()).collect();
        assert!(room() >= 5_000);
        disk.hold(false);
        decided.into_iter().for_each(|decided| assert!(decided.seen().is_ok()));
        assert!(room() <= 2048, "{}", room());
    });
}
