//! The log in front of the tree: what a start makes of it, and which faults the tests would notice.

use super::model::Model;
use super::sim::{Fault, Sim};
use super::{EPOCH, Random, SETTINGS, found, fresh, open, open_as};
use crate::files::store::{CommitError, Head, Mutation, Store};
use crate::store::log::Settings;
use crate::store::planted::{Planted, plant};
use crate::store::tree::view::View;
use crate::store::{Durable, Options};
use std::io::{self, ErrorKind};
use std::slice::from_ref;
use std::thread;
use std::time::{Duration, Instant};

/// Another thread would have begun by then.
const LONG_ENOUGH: Duration = Duration::from_millis(200);
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) fn put(store: &Durable, model: &mut Model, name: &str, bytes: usize) {
    let (change, head) = (model.put(name, vec![model.next().version as u8; bytes]), model.next());
    store.commit(from_ref(&change), &head).unwrap();
    model.apply(&[change], head);
}

/// Writes puts of 100 bytes, which are in the first segment.
pub(super) fn logged(count: u64) -> (Sim, Durable, Model) {
    let ((sim, store), mut model) = (fresh(), Model::empty(EPOCH));
    (0..count).for_each(|i| put(&store, &mut model, &format!("f{i}"), 100));
    (sim, store, model)
}

/// Opens what a killed process left.
pub(super) fn read(sim: &Sim) -> io::Result<Model> {
    Model::of(&open(&sim.after_kill())?)
}

/// Returns where each batch begins in the first segment, and where the last one ends.
fn starts(segment: &[u8]) -> Vec<usize> {
    let mut starts = vec![0];
    while let Some(length) = segment[starts[starts.len() - 1]..].get(8..16) {
        let length = u64::from_le_bytes(length.try_into().unwrap()) as usize;
        if length == 0 {
            break;
        }
        starts.push(starts[starts.len() - 1] + length);
    }
    starts
}

#[test]
fn a_small_commit_is_one_write_and_one_sync() {
    let (sim, store, mut model) = logged(3);
    let before = sim.operations();
    put(&store, &mut model, "one", 100);
    assert_eq!(sim.operations() - before, 2);
    assert_eq!(read(&sim).unwrap(), model);
}

#[test]
fn a_batch_that_is_not_whole_ends_the_log() {
    let (sim, _store, model) = logged(5);
    let log = sim.log();
    let segment = log[0].clone().unwrap();
    let starts = starts(&segment);
    assert_eq!(starts.len(), 6);
    for at in starts[4]..starts[5] {
        let mut log = log.clone();
        log[0].as_mut().unwrap()[at] ^= 1;
        let sim = sim.after_kill();
        sim.set_log(log);
        let found = read(&sim).unwrap();
        assert_eq!((found.files.len(), found.head.version), (4, 4), "offset {at}");
        assert_ne!(found, model);
    }
}

#[test]
fn damage_before_whole_batches_is_reported_with_file_and_offset() {
    let (sim, _store, _) = logged(5);
    let log = sim.log();
    let starts = starts(log[0].as_ref().unwrap());
    for start in &starts[..4] {
        let mut log = log.clone();
        log[0].as_mut().unwrap()[start + 50] ^= 1;
        let sim = sim.after_kill();
        sim.set_log(log);
        let error = read(&sim).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidData);
        let place = format!("log.0 has no whole batch at offset {start}");
        assert!(error.to_string().contains(&place), "{error}");
    }
}

/// A crash between the tree's commit and the release of a segment.
#[test]
fn batches_that_the_tree_has_are_skipped() {
    let (sim, store, model) = logged(5);
    let log = sim.log();
    drop(store);
    sim.set_log(log);
    assert_eq!(read(&sim).unwrap(), model);
    let store = open(&sim).unwrap();
    assert_eq!(found(&store), model);
}

#[test]
fn contents_that_look_like_a_batch_are_not_one() {
    let (sim, store, mut model) = logged(2);
    // A client cannot know the number of the log.
    let mut forged = sim.log()[0].clone().unwrap();
    forged.truncate(2000);
    forged[16..24].fill(0xab);
    let (change, head) = (model.put("forged", forged), model.next());
    store.commit(from_ref(&change), &head).unwrap();
    let mut log = sim.log();
    let starts = starts(log[0].as_ref().unwrap());
    log[0].as_mut().unwrap()[starts[2] + 20] ^= 1;
    sim.set_log(log);
    assert_eq!(read(&sim).unwrap(), model);
    model.apply(&[], model.head);
}

#[test]
fn contents_are_read_from_the_log_and_while_their_segment_goes() {
    let (sim, store) = fresh();
    let mut model = Model::empty(EPOCH);
    put(&store, &mut model, "large", 5000);
    let read = |store: &Durable| store.contents(1).unwrap().map(|contents| contents.to_vec());
    let reads = sim.reads();
    assert_eq!(read(&store), Some(vec![1; 5000]));
    assert_eq!(sim.reads() - reads, 1, "from the log");
    for i in 0..40 {
        put(&store, &mut model, &format!("other{i}"), 5000);
        assert_eq!(read(&store), Some(vec![1; 5000]), "after {i}");
    }
    put(&store, &mut model, "large", 10);
    assert_eq!(read(&store), None);
    assert_eq!(found(&store), model);
    assert_eq!(super::found(&open(&sim.after_kill()).unwrap()), model);
}

#[test]
fn damaged_contents_in_the_log_are_an_error() {
    let (sim, store) = fresh();
    put(&store, &mut Model::empty(EPOCH), "large", 5000);
    let mut log = sim.log();
    log[0].as_mut().unwrap()[3000] ^= 1;
    sim.damage_log(&log);
    let error = store.contents(1).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidData);
    assert!(
        error.to_string().contains("sim/log.0: damaged: contents 1 have a wrong checksum"),
        "{error}"
    );
}

/// Changes of the same few names, so that segments hold several of each.
#[test]
fn many_batches_make_what_they_would_make_one_by_one() {
    for seed in 0..20 {
        let ((sim, store), mut model, random) = (fresh(), Model::empty(EPOCH), &mut Random(seed));
        for _ in 0..60 {
            let (batch, head) = model.draw(random);
            store.commit(&batch, &head).unwrap();
            model.apply(&batch, head);
            if random.below(10) == 0 {
                assert_eq!(read(&sim).unwrap(), model, "seed {seed}");
            }
        }
        assert_eq!(found(&store), model, "seed {seed}");
    }
}

/// The states after each batch that was decided, of which the first `confirmed` were acknowledged.
struct History {
    states: Vec<Model>,
    confirmed: usize,
}

/// Runs until a power failure, and returns the disk then.
fn crash(seed: u64) -> (History, Sim) {
    let (sim, store) = fresh();
    let mut random = Random(seed);
    let mut history = History { states: vec![Model::empty(EPOCH)], confirmed: 0 };
    sim.fail_after(random.below(160), Fault::Power);
    while history.states.len() < 200 {
        let last = history.states.last().unwrap();
        let (mut batch, mut head) = last.draw(&mut random);
        if random.below(3) > 0 {
            let name = format!("n{}", random.below(4));
            (batch, head) = (vec![last.put(&name, vec![3; 2000])], last.next());
        }
        let mut next = last.clone();
        next.apply(&batch, head);
        history.states.push(next);
        match store.commit(&batch, &head) {
            Ok(()) => history.confirmed = history.states.len() - 1,
            Err(CommitError::Failed(_)) => break,
            Err(CommitError::Full(_)) => panic!("there is room"),
        }
    }
    let after = sim.after_power_loss(&mut random);
    std::mem::forget(store);
    (history, after)
}

/// Returns whether the state after a crash is a prefix of what was decided, with all that was
/// acknowledged; and goes on from there.
fn is_right(seed: u64) -> bool {
    let (history, sim) = crash(seed);
    let Ok(store) = open(&sim) else { return false };
    let Ok(found) = Model::of(&store) else { return false };
    let Some(at) = history.states.iter().rposition(|state| *state == found) else { return false };
    let mut model = found;
    let mut goes_on = |name: &str| {
        let (change, head) = (model.put(name, vec![1; 50]), model.next());
        model.apply(from_ref(&change), head);
        store.commit(&[change], &head).is_ok()
    };
    let goes_on = goes_on("more") && goes_on("still/more");
    at >= history.confirmed && goes_on && read(&sim).is_ok_and(|found| found == model)
}

#[test]
fn after_a_power_loss_the_state_is_a_prefix_of_what_was_decided() {
    for seed in 0..150 {
        assert!(is_right(seed), "seed {seed}");
    }
}

#[track_caller]
fn notices(fault: Planted) {
    plant(Some(fault));
    let noticed = (0..400).find(|seed| !is_right(*seed));
    plant(None);
    assert!(noticed.is_some(), "{fault:?} makes no difference");
}

#[test]
fn a_reply_before_the_fsync_would_be_noticed() {
    notices(Planted::Unsynced);
}

#[test]
fn a_segment_that_goes_too_early_would_be_noticed() {
    notices(Planted::Early);
}

#[test]
fn a_checksum_that_is_not_looked_at_would_be_noticed() {
    notices(Planted::Unchecked);
}

#[test]
fn a_recycled_segment_that_is_replayed_would_be_noticed() {
    notices(Planted::Recycled);
}

/// An empty batch renews the head, and the largest one that the log takes fills a segment.
#[test]
fn batches_of_all_sizes_fit() {
    let ((sim, store), mut model) = (fresh(), Model::empty(EPOCH));
    let around = SETTINGS.segment_bytes as usize;
    for bytes in [0, 1, 4095, 4096, around - 300, around - 150, around - 100, around, 3 * around] {
        put(&store, &mut model, "f", bytes);
        let head = Head { time: model.head.time + Duration::from_secs(1), ..model.head };
        store.commit(&[] as &[Mutation], &head).unwrap();
        model.apply(&[], head);
        assert_eq!(read(&sim).unwrap(), model, "{bytes}");
    }
}

/// Segments are sealed while a checkpoint runs, and are no part of it.
#[test]
fn checkpoints_of_another_thread_leave_nothing_out() {
    for _ in 0..4 {
        let (sim, store) = fresh();
        drop(store);
        let settings = Settings { has_checkpointer: true, ..SETTINGS };
        let store = open_as(&sim, Options::default(), settings).unwrap();
        let mut model = Model::empty(EPOCH);
        (0..1500).for_each(|i| put(&store, &mut model, &format!("f{i}"), 100));
        store.close();
        assert_eq!(found(&open(&sim).unwrap()), model);
    }
}

/// As above, with changes of all kinds, and a kill instead of an end.
#[test]
fn checkpoints_of_another_thread_leave_out_no_change() {
    for seed in 0..4 {
        let ((sim, store), random) = (fresh(), &mut Random(seed));
        drop(store);
        let settings = Settings { has_checkpointer: true, ..SETTINGS };
        let store = open_as(&sim, Options::default(), settings).unwrap();
        let mut model = Model::empty(EPOCH);
        for i in 0..200 {
            let (batch, head) = model.draw(random);
            store.commit(&batch, &head).unwrap();
            model.apply(&batch, head);
            put(&store, &mut model, &format!("n{}", i % 7), 2000);
        }
        assert_eq!(found(&store), model, "seed {seed}");
        assert_eq!(read(&sim).unwrap(), model, "seed {seed}");
    }
}

/// It would take seconds where the log has much, and the load would wait for it.
#[test]
fn a_checkpoint_waits_until_the_table_is_loaded() {
    let batch = |store: &Durable| store.core().engine().look(View::stamp).unwrap().batch;
    let (sim, killed, model) = logged(5);
    let behind = batch(&killed);
    let settings = Settings { has_checkpointer: true, ..SETTINGS };
    let store = open_as(&sim.after_kill(), Options::default(), settings).unwrap();
    let begun = Instant::now();
    while begun.elapsed() < LONG_ENOUGH {
        thread::yield_now();
        assert_eq!(batch(&store), behind);
    }
    assert_eq!(found(&store), model);
    while batch(&store) == behind {
        assert!(begun.elapsed() < PATIENCE, "no checkpoint after the load");
        thread::yield_now();
    }
    assert_eq!(found(&store), model);
}

#[test]
fn a_commit_before_the_load_is_loaded_too() {
    let (sim, _store, mut model) = logged(5);
    let store = open(&sim.after_kill()).unwrap();
    put(&store, &mut model, "f1", 50);
    assert_eq!(found(&store), model);
    let sim = sim.after_kill();
    let store = open(&sim).unwrap();
    store.core().checkpoint().unwrap();
    assert_eq!(found(&store).files.len(), 5);
}
