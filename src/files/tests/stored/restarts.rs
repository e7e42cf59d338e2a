//! What is there after a restart, and what is not in memory.

use super::*;
use crate::files::store::{BOUND, CommitError, Head, Life, Mutation, Row, RowContents, Store};
use crate::files::tests::file_cost;
use crate::name::Name;
use std::io::ErrorKind;
use std::time::Instant;

const PATIENCE: Duration = Duration::from_secs(60);

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

#[test]
fn an_idle_table_with_a_deadline_stores_the_time_that_passes() {
    let (disk, clock) = (Arc::new(Disk::default()), Clock::manual());
    let (_, committed) = with(&disk, &clock, |table| {
        let lease = table.write(name("lease"), "".into(), Expiry::Seconds(100), BY);
        lease.unwrap().seen().unwrap();
        clock.advance(60 * SECOND);
        table.commit_time();
    });
    committed.unwrap();
    run(&disk, |table| {
        let (stat, _, _) = table.stat(name("lease")).unwrap();
        assert_eq!(stat.exptime, Exptime::Seconds(40));
    });
}

#[test]
fn the_first_deadline_wakes_the_committer() {
    let keeps_time =
        |table: &Table| table.lock().state.journal.as_ref().is_some_and(|j| j.keeps_time);
    for _ in 0..20 {
        run(&Arc::new(Disk::default()), |table| {
            put(table, "file", "").unwrap();
            (0..200).for_each(|_| thread::yield_now()); // most likely it sleeps then
            assert!(!keeps_time(table));
            let lease = table.write(name("lease"), "".into(), Expiry::Seconds(100), BY).unwrap();
            table.outcome(&lease.ticket).unwrap();
            let begun = Instant::now();
            while !keeps_time(table) {
                assert!(begun.elapsed() < PATIENCE, "nobody woke the committer");
                thread::yield_now();
            }
        });
    }
}

/// What a store returns, right or wrong.
#[derive(Debug)]
struct Rows {
    files: Vec<(&'static str, u64, Life, Option<u64>)>,
    removals: Vec<(u64, &'static str)>,
    head: Head,
}

impl Store for Rows {
    fn load(
        &self,
        file: &mut dyn FnMut(Row),
        removal: &mut dyn FnMut(u64, Name),
    ) -> io::Result<Head> {
        let name = |text| NameRef::new(text).unwrap().to_name();
        for (text, version, life, numbytes) in &self.files {
            let contents = numbytes.map_or(RowContents::Inline("x".into()), RowContents::Stored);
            file(Row { name: name(text), version: *version, life: *life, contents });
        }
        self.removals.iter().for_each(|(version, text)| removal(*version, name(text)));
        Ok(self.head)
    }

    fn commit(&self, _: &[Mutation], _: &Head) -> Result<(), CommitError> {
        Ok(())
    }

    fn contents(&self, _: u64) -> io::Result<Option<Contents>> {
        Ok(None)
    }

    fn size(&self) -> (u64, Option<u64>) {
        (0, None)
    }

    fn stored_from(&self) -> usize {
        STORED_FROM
    }
}

/// Anybody can give the right checksums to a store or a backup that no table has written.
#[test]
fn a_store_that_no_table_has_written_is_not_loaded() {
    let check = |is_sound: bool, change: fn(&mut Rows)| {
        let head = Head { epoch: 1, version: 9, time: Duration::ZERO, forgotten: 0 };
        let mut rows = Rows {
            files: vec![("a", 1, Life::Unlimited, None), ("b", 2, Life::Unlimited, None)],
            removals: vec![(3, "c"), (4, "d")],
            head,
        };
        change(&mut rows);
        let shown = format!("{rows:?}");
        let (clock, budget) = (Clock::manual(), Budget::new(u64::MAX));
        let loaded = Table::load(Registry::default(), &clock, budget, Arc::new(rows));
        let error = loaded.as_ref().err().map(io::Error::kind);
        assert_eq!(error, (!is_sound).then_some(ErrorKind::InvalidData), "{shown}");
        // What is loaded works as long as the server runs.
        let Ok(table) = loaded else { return };
        clock.advance(10_000 * SECOND);
        let year = Expiry::Seconds(Exptime::MAX_SECONDS);
        let _ = table.write(name("a"), "new".into(), year, BY).unwrap();
        let _ = table.create(Stem::new("q/").unwrap(), "".into(), year).unwrap();
        table.commit_waiting();
        assert!(table.totals().version <= i64::MAX as u64);
        assert_eq!(
            table.stat(name("a")).unwrap().0.exptime,
            Exptime::Seconds(Exptime::MAX_SECONDS)
        );
        let _ = table.read(name("b"), BY);
    };
    check(true, |_| {});
    // Versions. The change log finds files by them.
    check(false, |rows| rows.files[1].1 = 1);
    check(false, |rows| rows.files[1].1 = 10);
    check(false, |rows| rows.files[1].1 = 0);
    check(false, |rows| rows.files[1].0 = "a");
    check(false, |rows| rows.removals[1].0 = 0);
    check(false, |rows| rows.removals[1].0 = 3);
    check(false, |rows| rows.removals[1].0 = 2);
    check(false, |rows| rows.removals[1].0 = 10);
    check(false, |rows| rows.removals[1].1 = "c");
    check(false, |rows| rows.removals[1].1 = "a");
    check(false, |rows| rows.head.forgotten = 10);
    check(true, |rows| rows.head.version = BOUND - 1);
    check(false, |rows| rows.head.version = BOUND);
    check(false, |rows| rows.head.version = u64::MAX);
    // Times.
    check(true, |rows| rows.head.time = Duration::from_secs(BOUND - 1));
    check(false, |rows| rows.head.time = Duration::from_secs(BOUND));
    check(false, |rows| rows.head.time = Duration::MAX);
    check(true, |rows| rows.files[1].2 = Life::Until(Duration::from_secs(BOUND - 1)));
    check(false, |rows| rows.files[1].2 = Life::Until(Duration::MAX));
    // Sizes.
    check(true, |rows| rows.files[1].3 = Some(BOUND - 2));
    check(false, |rows| rows.files[1].3 = Some(BOUND));
    check(false, |rows| rows.files[1].3 = Some(u64::MAX));
    check(false, |rows| rows.files.iter_mut().for_each(|file| file.3 = Some(BOUND / 2)));
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
