//! A tree that has shrunk gives its room back, whatever happens meanwhile.

mod faults;

use super::log::{put, read};
use super::model::Model;
use super::sim::Sim;
use super::{EPOCH, Random, SETTINGS, found, fresh, open, open_as};
use crate::files::store::{CommitError, Store};
use crate::store::core::Compactor;
use crate::store::log::Settings;
use crate::store::medium::Medium;
use crate::store::{Durable, Options};
use std::io::Read;
use std::slice::from_ref;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, OnceLock, mpsc};
use std::thread;
use std::time::Duration;

const MIB: u64 = 1 << 20;

/// Returns one that makes small pieces, at each call.
fn compactor() -> Compactor {
    Compactor::every(Duration::ZERO, MIB, 4096)
}

/// Runs a compaction until it has nothing more to do.
fn compact(store: &Durable) {
    let mut compactor = compactor();
    while store.core().compact(&mut compactor).unwrap() > Duration::ZERO {}
}

/// Copies half of a tree that has shrunk.
fn compact_half(store: &Durable) -> Compactor {
    let mut compactor = compactor();
    for _ in 0..5 {
        assert!(store.core().compact(&mut compactor).unwrap() > Duration::ZERO);
    }
    compactor
}

fn remove(store: &Durable, model: &mut Model, name: &str) {
    let (change, head) = (model.remove(name), model.next());
    store.commit(from_ref(&change), &head).unwrap();
    model.apply(&[change], head);
}

/// Creates a store of about 4 MiB, of which one file in ten is left.
fn shrunk_as(settings: Settings) -> (Sim, Durable, Model) {
    static SHRUNK: OnceLock<(Sim, Model)> = OnceLock::new();
    let (sim, model) = SHRUNK.get_or_init(|| {
        let ((sim, store), mut model) = (fresh(), Model::empty(EPOCH));
        for i in 0..60 {
            put(&store, &mut model, &format!("large/{i:02}"), 60_000);
            put(&store, &mut model, &format!("small/{i:02}"), 100);
        }
        for i in (0..60).filter(|i| i % 10 != 9) {
            remove(&store, &mut model, &format!("large/{i:02}"));
            remove(&store, &mut model, &format!("small/{i:02}"));
        }
        drop(store);
        (sim, model)
    });
    let sim = sim.after_kill();
    let store = open_as(&sim, Options::default(), settings).unwrap();
    (sim, store, model.clone())
}

fn shrunk() -> (Sim, Durable, Model) {
    shrunk_as(SETTINGS)
}

const COPY: &str = "compact.unfinished";

#[test]
fn a_tree_that_has_shrunk_gives_its_room_back() {
    let (sim, store, mut model) = shrunk();
    let before = store.bytes().unwrap();
    compact(&store);
    let after = store.bytes().unwrap();
    assert!(after < before / 3, "{after} bytes of {before}");
    assert!(!sim.has(COPY));
    assert_eq!(found(&store), model);
    put(&store, &mut model, "more", 10_000);
    assert_eq!(read(&sim).unwrap(), model);
    drop(store);
    assert_eq!(found(&open(&sim).unwrap()), model);
    assert!(sim.end().unwrap() < before / 3);
}

#[test]
fn a_tree_that_has_not_shrunk_stays_as_it_is() {
    let ((sim, store), mut model) = (fresh(), Model::empty(EPOCH));
    for round in 0..4 {
        (0..20).for_each(|i| put(&store, &mut model, &format!("f{i}"), 100_000 - round));
        compact(&store);
    }
    let before = sim.end().unwrap();
    compact(&store);
    assert_eq!(sim.end().unwrap(), before);
}

/// Otherwise it would be compacted again and again.
#[test]
fn a_tree_is_not_compacted_twice_for_nothing() {
    let (sim, store, _) = shrunk();
    let mut compactor = Compactor::every(Duration::ZERO, 0, 4096);
    while store.core().compact(&mut compactor).unwrap() > Duration::ZERO {}
    let operations = sim.operations();
    assert_eq!(store.core().compact(&mut compactor).unwrap(), Duration::ZERO);
    assert_eq!(sim.operations(), operations);
}

#[test]
fn commits_and_reads_go_on_during_a_compaction() {
    let (sim, store, mut model) = shrunk();
    let mut compactor = compact_half(&store);
    put(&store, &mut model, "large/15", 100);
    let operations = sim.operations();
    put(&store, &mut model, "large/09", 60_001); // copied already
    put(&store, &mut model, "large/59", 60_002);
    put(&store, &mut model, "small/09", 70);
    remove(&store, &mut model, "large/19");
    remove(&store, &mut model, "small/59");
    assert_eq!(found(&store), model);
    assert!(sim.has(COPY) && sim.operations() > operations);
    while store.core().compact(&mut compactor).unwrap() > Duration::ZERO {
        assert_eq!(found(&store), model);
    }
    assert!(!sim.has(COPY));
    assert_eq!(found(&store), model);
    assert_eq!(read(&sim).unwrap(), model);
}

#[test]
fn a_commit_during_a_compaction_takes_no_longer() {
    let (sim, store, mut model) = shrunk();
    put(&store, &mut model, "small/09", 70);
    let mut compactor = compact_half(&store);
    put(&store, &mut model, "small/19", 70); // begins a segment
    for i in 0..20 {
        let before = sim.operations();
        put(&store, &mut model, &format!("small/{}9", i % 6), 71);
        assert_eq!(sim.operations() - before, 2, "a write and a sync");
        store.core().compact(&mut compactor).unwrap();
    }
    assert_eq!(found(&store), model);
}

#[test]
fn a_backup_keeps_the_tree_that_it_reads() {
    let (sim, store, mut model) = shrunk();
    let mut compactor = compact_half(&store);
    let mut backup = store.begin_backup().unwrap().unwrap();
    let mut at_once = Vec::new();
    store.backup(&mut at_once, "backup").unwrap();
    put(&store, &mut model, "small/09", 70);
    for _ in 0..100 {
        store.core().compact(&mut compactor).unwrap();
    }
    assert!(sim.has(COPY), "it waits");
    let mut bytes = Vec::new();
    backup.bytes.read_to_end(&mut bytes).unwrap();
    assert!(bytes == at_once);
    assert!(sim.has(COPY), "it waits");
    drop(backup);
    while store.core().compact(&mut compactor).unwrap() > Duration::ZERO {}
    assert!(!sim.has(COPY));
    assert!(sim.end().unwrap() < 2 * MIB);
    assert_eq!(found(&store), model);
}

#[test]
fn there_is_no_compaction_without_room() {
    let (sim, store, model) = shrunk();
    let before = sim.end().unwrap();
    sim.fill();
    compact(&store);
    assert_eq!((sim.end().unwrap(), sim.has(COPY)), (before, false));
    sim.resize(100 * MIB, None);
    compact(&store);
    assert!(sim.end().unwrap() < before / 3);
    assert_eq!(found(&store), model);
    // Nor beyond the maximum of the store.
    let (sim, store, model) = shrunk();
    drop(store);
    let options = Options { max_data: Some(before), ..Options::default() };
    let store = open_as(&sim, options, SETTINGS).unwrap();
    compact(&store);
    assert!(sim.end().unwrap() > before / 2);
    assert_eq!(found(&store), model);
}

#[test]
fn a_change_that_needs_the_room_of_the_copy_gets_it() {
    let (sim, store, mut model) = shrunk();
    compact_half(&store);
    assert!(sim.has(COPY));
    sim.fill();
    // More than the old tree has free.
    let (change, head) = (model.put("more", vec![1; 8 << 20]), model.next());
    assert!(matches!(store.commit(from_ref(&change), &head), Err(CommitError::Full(_))));
    assert!(!sim.has(COPY), "it was given up");
    remove(&store, &mut model, "large/09");
    assert_eq!(found(&store), model);
}

/// The room on the disk is asked of the file that has the name.
#[test]
fn a_commit_goes_on_while_the_copy_takes_the_place_of_the_tree() {
    let (sim, store, mut model) = shrunk();
    put(&store, &mut model, "small/09", 70);
    let (change, head) = (model.put("small/09", vec![1; 71]), model.next());
    model.apply(from_ref(&change), head);
    let (store, (sender, commits)) = (Arc::new(store), mpsc::channel());
    sim.when_replaced({
        let store = store.clone();
        move || {
            let (store, change) = (store.clone(), change.clone());
            let commit = thread::spawn(move || store.commit(&[change], &head));
            // It may wait for the new tree.
            (0..1000).take_while(|_| !commit.is_finished()).for_each(|_| thread::yield_now());
            sender.send(commit).unwrap();
        }
    });
    compact(&store);
    commits.recv().unwrap().join().unwrap().unwrap();
    assert!(!sim.has(COPY));
    assert_eq!(found(&store), model);
    assert_eq!(read(&sim).unwrap(), model);
}

#[test]
fn threads_write_and_read_during_a_compaction() {
    for seed in 0..4 {
        let settings = Settings { has_checkpointer: true, ..SETTINGS };
        let (sim, store, mut model) = shrunk_as(settings);
        let (random, is_over) = (&mut Random(seed), AtomicBool::new(false));
        thread::scope(|scope| {
            let compacted = scope.spawn(|| compact(&store));
            let reader = scope.spawn(|| {
                while !is_over.load(SeqCst) {
                    Model::of(&store).map(drop).or_else(ignore_replaced).unwrap();
                }
            });
            while !compacted.is_finished() {
                let (batch, head) = model.draw(random);
                store.commit(&batch, &head).unwrap();
                model.apply(&batch, head);
            }
            is_over.store(true, SeqCst);
            reader.join().unwrap();
        });
        assert!(!sim.has(COPY));
        assert_eq!(found(&store), model, "seed {seed}");
        assert_eq!(read(&sim).unwrap(), model, "seed {seed}");
    }
}

/// Contents that were replaced between the look at the file and that at its contents are missing.
fn ignore_replaced(e: std::io::Error) -> std::io::Result<()> {
    if e.to_string().starts_with("no contents of") { Ok(()) } else { Err(e) }
}
