//! What is there after a restart, and what is not in memory.

use super::*;
use crate::files::store::{Head, Life, Mutation, Store};
use crate::files::tests::file_cost;
use std::io::ErrorKind;

#[test]
fn a_restart_keeps_everything_but_code_files_and_ephemeral_files() {
    let disk = Arc::new(Disk::default());
    let client = ClientId::new(1);
    let version = run(&disk, |table| {
        put(table, "stays", "as it is").unwrap();
        table
            .write(name("ephemeral"), "".into(), Expiry::With(client), BY)
            .unwrap()
            .seen()
            .unwrap();
        let log = NameRef::new("log").unwrap();
        let fd = table.open(log, Some("LogFile"), client).and_then(Open::opened).unwrap().fd;
        let by_fd = table.write(FileRef::Descriptor(fd), "line".into(), Expiry::Never, BY);
        by_fd.unwrap().seen().unwrap();
        put(table, "deleted", "").unwrap();
        table.delete(name("deleted"), None).unwrap().seen().unwrap();
        table.delete(FileRef::Descriptor(fd), None).unwrap().seen().unwrap();
        let unlinked = table.write(FileRef::Descriptor(fd), "line".into(), Expiry::Never, BY);
        unlinked.unwrap().seen().unwrap()
    });
    assert_eq!(version, 8);
    run(&disk, |table| {
        assert_eq!(table.epoch(), 0xe90c);
        assert_eq!(read(table, "stays").as_deref(), Some("as it is"));
        assert_eq!(table.list("", 10, None).files.len(), 1);
        let gone = |version, name: &str| (version, name.to_string(), true);
        assert_eq!(changes(table, 5), [gone(6, "deleted"), gone(7, "log"), gone(9, "ephemeral")]);
        assert_eq!(put(table, "next", ""), Ok(10));
    });
}

/// The change log finds files by their versions.
#[test]
fn files_whose_versions_contradict_each_other_are_not_loaded() {
    let put = |file: &str, version| Mutation::Put {
        name: NameRef::new(file).unwrap().to_name(),
        version,
        old: None,
        removed: None,
        life: Life::Unlimited,
        contents: Some("".into()),
    };
    for (versions, is_sound) in [([1, 2], true), ([1, 1], false), ([1, 3], false)] {
        let disk = Arc::new(Disk::default());
        let head = Head { epoch: 1, version: 2, time: Duration::ZERO, forgotten: 0 };
        disk.commit(&[put("a", versions[0]), put("b", versions[1])], &head).unwrap();
        let (clock, budget) = (Clock::manual(), Budget::new(1 << 20));
        let loaded = Table::load(Registry::default(), &clock, budget, disk);
        let error = loaded.err().map(|e| e.kind());
        assert_eq!(error, (!is_sound).then_some(ErrorKind::InvalidData), "{versions:?}");
    }
}

#[test]
fn deadlines_stand_still_while_nothing_runs() {
    let disk = Arc::new(Disk::default());
    let left = |table: &Table| table.stat(name("lease")).ok().map(|(stat, ..)| stat.exptime);
    let clock = Clock::manual();
    let _ = with(&disk, &clock, |table| {
        clock.advance(50 * SECOND);
        table.write(name("lease"), "".into(), Expiry::Seconds(100), BY).unwrap().seen().unwrap();
        clock.advance(30 * SECOND);
        put(table, "other", "").unwrap(); // the last commit
        clock.advance(10 * SECOND);
        assert_eq!(left(table), Some(Exptime::Seconds(60)));
    });
    let clock = Clock::manual();
    clock.advance(1_000_000 * SECOND);
    let _ = with(&disk, &clock, |table| {
        assert_eq!(left(table), Some(Exptime::Seconds(70)));
        clock.advance(69 * SECOND);
        assert_eq!(left(table), Some(Exptime::Seconds(1)));
        clock.advance(SECOND);
        assert_eq!(left(table), None);
    });
}

#[test]
fn large_contents_are_read_from_the_store_and_stay_readable_while_open() {
    let disk = Arc::new(Disk::default());
    let (large, larger) = ("x".repeat(STORED_FROM), "y".repeat(STORED_FROM + 1));
    let client = ClientId::new(1);
    run(&disk, |table| {
        let used = table.budget.used();
        put(table, "f", &large).unwrap();
        assert_eq!(
            table.budget.used(),
            used + file_cost("f"),
            "the contents are in the store alone"
        );
        assert_eq!(read(table, "f"), Some(large.clone()));
        assert_eq!(table.stat(name("f")).unwrap().0.numbytes, large.len() as u64);
    });
    run(&disk, |table| {
        assert_eq!(read(table, "f"), Some(large.clone()));
        let fd =
            table.open(NameRef::new("f").unwrap(), None, client).and_then(Open::opened).unwrap().fd;
        table.delete(name("f"), None).unwrap().seen().unwrap();
        let by_fd = || table.read(FileRef::Descriptor(fd), BY).unwrap().1.to_vec();
        assert_eq!(by_fd(), large.as_bytes());
        put(table, "f", "another").unwrap();
        let file = FileRef::Descriptor(fd);
        let written =
            table.write(file, Contents::from(&*larger), Expiry::Never, BY).unwrap().seen();
        written.unwrap();
        assert_eq!(by_fd(), larger.as_bytes());
        assert_eq!(read(table, "f").as_deref(), Some("another"));
        table.close_file(fd, client).unwrap();
    });
}
