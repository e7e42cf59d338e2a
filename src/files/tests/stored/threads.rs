//! Which thread commits.

use super::disk::Disk;
use super::{BY, load, name, put, read, run, with};
use crate::files::state::asked::Asked;
use crate::files::store::Whole;
use crate::files::{Clock, Decided, Expiry, Table, Ticket};
use crate::refusal::Refusal;
use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// Nobody waits that long.
const HOUR: Duration = Duration::from_secs(3600);

fn decide(table: &Table, file: &str) -> Ticket {
    let decided: Decided<u64> = table.write(name(file), "x".into(), Expiry::Never, BY).unwrap();
    decided.ticket
}

#[test]
fn a_thread_that_needs_an_answer_commits_what_waits() {
    let commits_itself = || {
        let disk = Arc::new(Disk::default());
        let mut is_own = false;
        run(&disk, |table| {
            let (first, second) = (decide(table, "a"), decide(table, "b"));
            assert!(table.outcome(&first).is_ok());
            is_own = disk.last_by() == Some(thread::current().id()) && disk.commits() == 1;
            assert!(!is_own || second.is_known(), "both are in one commit");
            assert!(table.outcome(&second).is_ok());
            assert!(read(table, "a").is_some() && read(table, "b").is_some());
        });
        is_own
    };
    // A committer that starts only now commits what it finds.
    assert!((0..100).any(|_| commits_itself()), "nobody needs an answer before this thread does");
}

#[test]
fn the_committer_commits_what_others_wait_for_meanwhile() {
    let disk = Arc::new(Disk::default());
    run(&disk, |table| {
        let first = decide(table, "a");
        disk.hold(true);
        thread::scope(|scope| {
            let here = scope.spawn(|| table.outcome(&first).map(|_| thread::current().id()));
            disk.wait_held();
            let second = decide(table, "b");
            let there = scope.spawn(move || table.outcome(&second).map(|_| thread::current().id()));
            disk.hold(false);
            let (here, there) = (here.join().unwrap().unwrap(), there.join().unwrap().unwrap());
            let last = disk.last_by().unwrap();
            // The second waiter commits itself if it comes only after the first commit.
            assert!(last != here && disk.commits() == 2, "{last:?} {here:?} {there:?}");
        });
    });
}

#[test]
fn a_failure_in_any_thread_ends_the_commits_with_its_error() {
    let (disk, clock) = (Arc::new(Disk::default()), Clock::manual());
    let ((), committed) = with(&disk, &clock, |table| {
        put(table, "a", "1").unwrap();
        disk.fail_next(io::Error::other("the disk is broken"));
        let ticket = decide(table, "a");
        assert_eq!(table.outcome(&ticket).map(drop), Err(Refusal::Internal));
        assert!(table.is_lost() && disk.last_by() == Some(thread::current().id()));
        let later = decide(table, "b");
        assert_eq!(table.outcome(&later).map(drop), Err(Refusal::Internal));
    });
    assert_eq!(committed.unwrap_err().to_string(), "the disk is broken");
    assert_eq!(disk.commits(), 2, "nothing is committed after a failure");
}

#[test]
fn changes_of_a_name_are_combined_only_in_a_commit_that_is_written_as_a_whole() {
    let disk = Arc::new(Disk::default());
    disk.write_in_parts_over(Whole { mutations: 2, numbytes: 10 });
    let table = load(&disk, &Clock::manual()); // without a committer
    let put = |file: &str, numbytes: usize| {
        let contents = vec![b'x'; numbytes].into();
        table.write(name(file), contents, Expiry::Never, BY).unwrap().ticket
    };
    // Puts the file in a thread, which has to wait until `earlier` is committed.
    let put_later = |file: &str, earlier: &[Ticket]| {
        assert!(!earlier.iter().any(Ticket::is_known));
        thread::scope(|scope| {
            let later = scope.spawn(|| put(file, 1));
            let waits = || table.lock().decided(name(file), Asked::Read).is_none();
            while !waits() {
                assert!(!later.is_finished(), "it is combined with {file}'s earlier change");
                thread::yield_now();
            }
            assert!(table.outcome(&earlier[0]).is_ok());
            later.join().unwrap()
        })
    };
    let earlier = ["a", "b", "a", "c"].map(|file| put(file, 1));
    let later = put_later("a", &earlier);
    assert!(earlier.iter().all(Ticket::is_known) && !later.is_known());
    assert!(table.outcome(&later).is_ok());
    assert_eq!(disk.commits(), 2);
    // All contents count but the last.
    let earlier = [10, 11].map(|numbytes| put("a", numbytes));
    let later = put_later("a", &earlier);
    assert!(table.outcome(&later).is_ok());
    assert_eq!(disk.commits(), 4);
}

#[test]
fn the_store_is_closed_after_the_last_commit_of_any_thread() {
    let disk = Arc::new(Disk::default());
    let table = load(&disk, &Clock::manual());
    let ticket = decide(&table, "a");
    disk.hold(true);
    thread::scope(|scope| {
        let waiter = scope.spawn(|| table.outcome(&ticket).map(drop));
        disk.wait_held();
        table.end_commits();
        let committer = scope.spawn(|| table.commit().map(|()| disk.commits()));
        disk.hold(false);
        assert_eq!(committer.join().unwrap().unwrap(), 1, "it waits for the commit that runs");
        assert_eq!(waiter.join().unwrap(), Ok(()));
    });
}

/// Ends a commit of one thread while another one waits for the next, and then calls `then`, while there
/// is a committer.
fn after_a_commit(disk: &Arc<Disk>, then: impl FnOnce(&Table)) {
    let table = load(disk, &Clock::manual());
    let outcome = |ticket: Ticket| assert_eq!(table.outcome(&ticket).map(drop), Ok(()));
    disk.hold(true);
    thread::scope(|scope| {
        let answered = scope.spawn(|| outcome(decide(&table, "a")));
        disk.wait_held();
        let waiting = scope.spawn(|| outcome(decide(&table, "b")));
        while table.lock().state.journal.as_ref().unwrap().gathering.waiting() == 0 {
            thread::yield_now();
        }
        let committer = scope.spawn(|| table.commit());
        disk.hold(false);
        answered.join().unwrap();
        then(&table);
        waiting.join().unwrap();
        table.end_commits();
        committer.join().unwrap().unwrap();
    });
}

#[test]
fn the_next_commit_waits_until_those_whom_the_last_one_answered_have_sent_again() {
    let disk = Arc::new(Disk::default());
    disk.set_gather(HOUR, 2);
    after_a_commit(&disk, |table| {
        assert_eq!(table.outcome(&decide(table, "a")).map(drop), Ok(()));
    });
    assert_eq!(disk.commits(), 2);
}

#[test]
fn the_end_of_a_table_waits_for_no_client() {
    let disk = Arc::new(Disk::default());
    disk.set_gather(HOUR, 2);
    after_a_commit(&disk, Table::end_commits);
    assert_eq!(disk.commits(), 2);
}

#[test]
fn a_client_alone_waits_for_nobody() {
    let disk = Arc::new(Disk::default());
    disk.set_gather(HOUR, 2);
    run(&disk, |table| {
        (0..100).for_each(|_| assert!(table.outcome(&decide(table, "a")).is_ok()));
    });
    assert_eq!(disk.commits(), 100);
}

#[test]
fn a_commit_that_would_be_too_large_waits_for_nobody() {
    let disk = Arc::new(Disk::default());
    disk.set_gather(HOUR, 1);
    after_a_commit(&disk, |_| {}); // nobody comes
    assert_eq!(disk.commits(), 2);
}
