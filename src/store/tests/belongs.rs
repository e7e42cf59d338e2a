//! Whether the log in a folder is that of the database there, and all of it.

use super::log::{logged, put, read};
use super::model::Model;
use super::sim::Sim;
use super::{EPOCH, SETTINGS, found, fresh, open, open_as};
use crate::store::log::Settings;
use crate::store::tree::log_head::LogHead;
use crate::store::{Durable, Options};
use std::io::ErrorKind;

#[test]
fn a_missing_segment_is_reported() {
    let (sim, _store, _) = logged(400);
    let log = sim.log();
    assert!(log.iter().filter(|file| file.is_some()).count() >= 2);
    let newest = log.iter().flatten().map(|segment| segment[24]).max().unwrap();
    for (slot, segment) in log.iter().enumerate() {
        let Some(segment) = segment else { continue };
        let mut rest = log.clone();
        rest[slot] = None;
        let sim = sim.after_kill();
        sim.set_log(rest);
        match read(&sim) {
            // The tree had it, or it was the last one: as if it had never been written.
            Ok(found) => assert!(found.files.len() == 400 || segment[24] == newest),
            Err(e) => assert!(e.to_string().contains("damaged"), "{e}"),
        }
    }
}

#[test]
fn a_log_that_goes_on_after_a_gap_is_refused() {
    let (sim, store) = fresh();
    let old_tree = sim.image();
    let mut model = Model::empty(EPOCH);
    put(&store, &mut model, "large", 100_000); // directly into the tree
    put(&store, &mut model, "small", 100);
    let with_old_tree = Sim::with(old_tree);
    with_old_tree.set_log(sim.log());
    let error = read(&with_old_tree).unwrap_err().to_string();
    assert!(error.contains("up to batch 2 without batch 1"), "{error}");
    assert_eq!(read(&sim).unwrap(), model);
}

#[test]
fn the_log_of_another_table_is_refused() {
    let (sim, _store, _) = logged(3);
    let (other, store) = fresh();
    store.renew(LOG_OF_ANOTHER);
    drop(store);
    other.set_log(sim.log());
    let error = read(&other).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidData);
    assert!(error.to_string().contains("another table's"), "{error}");
}

const LOG_OF_ANOTHER: u64 = 7;

impl Durable {
    fn renew(&self, log: u64) {
        let head = self.core().head();
        self.core()
            .transact(&head, None, false, |tables| tables.set_log(LogHead::new(log)))
            .unwrap();
    }
}

#[test]
fn a_log_of_another_epoch_is_refused() {
    let (sim, _store, _) = logged(3);
    let (other, store) = fresh();
    store.renew_epoch(EPOCH + 1).unwrap();
    drop(store);
    other.set_log(sim.log());
    let error = read(&other).unwrap_err();
    assert!(error.to_string().contains("has epoch 000000000000beef"), "{error}");
}

#[test]
fn a_store_with_a_new_epoch_does_not_trip_over_its_old_log() {
    let (sim, store, mut model) = logged(3);
    store.renew_epoch(EPOCH + 1).unwrap();
    model.head.epoch = EPOCH + 1;
    put(&store, &mut model, "after", 100);
    assert_eq!(read(&sim).unwrap(), model);
}

#[test]
fn a_log_that_was_removed_or_is_older_is_refused() {
    let (sim, store, mut model) = logged(300);
    drop(store);
    let older = sim.log();
    let store = open(&sim).unwrap();
    (0..200).for_each(|i| put(&store, &mut model, &format!("more{i}"), 100));
    assert_eq!(read(&sim).unwrap(), model);
    let log = sim.log();
    for (what, log) in [("removed", vec![None; 4]), ("older", older)] {
        let sim = sim.after_kill();
        sim.set_log(log);
        let error = read(&sim).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidData);
        assert!(
            error.to_string().contains("is missing, damaged or an older one"),
            "{what}: {error}"
        );
    }
    // What the tree has is not missed.
    drop(store);
    sim.set_log(vec![None; 4]);
    assert_eq!(read(&sim).unwrap(), model);
    sim.set_log(log);
    assert_eq!(read(&sim).unwrap(), model);
}

/// At any time, also right after a segment was begun.
#[test]
fn a_log_that_was_removed_is_always_refused() {
    let (sim, store, mut model) = logged(0);
    for i in 0..300 {
        put(&store, &mut model, &format!("f{i}"), 1000);
        let sim = sim.after_kill();
        sim.set_log(vec![None; 4]);
        let error = read(&sim).unwrap_err().to_string();
        assert!(error.contains("does not continue"), "{error}");
        if i % 50 == 0 {
            store.core().checkpoint_all().unwrap();
            put(&store, &mut model, "again", 10);
        }
    }
}

/// Each second batch begins a segment, while a checkpoint of the one before runs.
#[test]
fn a_segment_that_begins_during_a_checkpoint_is_missed_as_well() {
    let (sim, store) = fresh();
    drop(store);
    let settings = Settings { has_checkpointer: true, ..SETTINGS };
    let store = open_as(&sim, Options::default(), settings).unwrap();
    let (mut model, mut missed) = (Model::empty(EPOCH), 0);
    for i in 0..100 {
        put(&store, &mut model, &format!("f{}", i % 5), 14_000);
        store.core().checkpoint().unwrap(); // it waits for one that runs
        let sim = sim.after_kill();
        sim.set_log(vec![None; 4]);
        match read(&sim) {
            Ok(found) => assert_eq!(found, model, "the tree has everything"),
            Err(e) => missed += usize::from(e.to_string().contains("is missing")),
        }
    }
    assert!(missed > 50, "{missed}");
}

#[test]
fn a_log_that_is_shorter_than_a_segment_is_refused() {
    let (sim, _store, _) = logged(50);
    for length in [100, 4000, 20_000, SETTINGS.segment_bytes as usize - 1] {
        let mut log = sim.log();
        log[0].as_mut().unwrap().truncate(length);
        let sim = sim.after_kill();
        sim.set_log(log);
        let error = read(&sim).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidData);
        assert!(error.to_string().contains("log.0"), "{error}");
    }
}

/// Both copies of a table went on, and made batches with the same numbers.
#[test]
fn a_log_of_another_copy_of_the_table_is_refused() {
    let (sim, store, model) = logged(3);
    drop(store);
    // Large ones go directly into the tree, where nothing has a checksum.
    let write = |sizes: &[usize], is_killed: bool| {
        let (sim, mut model) = (sim.after_kill(), model.clone());
        let store = open(&sim).unwrap();
        sizes.iter().for_each(|bytes| put(&store, &mut model, "f", *bytes));
        let killed = sim.after_kill();
        drop(store);
        if is_killed { killed } else { sim }
    };
    for (tree, log) in [
        (&[10, 10, 10][..], &[11; 20][..]),
        (&[100_000], &[11; 20]),
        (&[100_000], &[100_000, 11, 11]),
        (&[10], &[100_000, 11, 11]),
    ] {
        let sim = write(tree, false);
        sim.set_log(write(log, true).log());
        let error = read(&sim).unwrap_err().to_string();
        assert!(error.contains("of another copy of the folder"), "{tree:?}: {error}");
    }
}

/// By another program, under a running server.
#[test]
fn files_that_are_removed_under_the_log_lose_nothing() {
    let (sim, store, mut model) = logged(500); // several segments, and free ones
    for round in 0..3 {
        sim.set_log(vec![None; 4]);
        for i in 0..100 {
            put(&store, &mut model, &format!("{round}/{i}"), 100);
            if i % 20 == 0 {
                assert_eq!(read(&sim).unwrap(), model, "round {round}, {i}");
            }
        }
    }
    assert_eq!(found(&store), model);
}
