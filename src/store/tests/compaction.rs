//! A tree that has shrunk gives its room back, whatever happens meanwhile.

use super::log::{put, read};
use super::model::Model;
use super::sim::{Fault, Sim};
use super::{EPOCH, Random, SETTINGS, found, fresh, open, open_as};
use crate::files::store::{CommitError, Store};
use crate::store::core::Compactor;
use crate::store::log::Settings;
use crate::store::medium::Medium;
use crate::store::planted::{Planted, plant};
use crate::store::{Durable, Options};
use std::io::{ErrorKind, Read};
use std::slice::from_ref;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
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
fn a_disk_that_fills_up_ends_a_compaction_and_nothing_else() {
    for seed in 0..ROUNDS {
        let (sim, store, mut model) = shrunk();
        let (random, mut compactor) = (&mut Random(seed), compactor());
        for _ in 0..1 + random.below(8) {
            store.core().compact(&mut compactor).unwrap();
        }
        let taken = sim.end().unwrap() + 2 * MIB;
        // Sometimes the system reports the free room too late.
        let says_free = Some(u64::MAX).filter(|_| random.one_in(2));
        sim.resize(taken - random.below(3 * MIB), says_free);
        for i in 0..40 {
            store.core().compact(&mut compactor).unwrap();
            let (change, head) = (model.put("large/09", vec![i; 20_000]), model.next());
            match store.commit(from_ref(&change), &head) {
                Ok(()) => model.apply(&[change], head),
                Err(CommitError::Full(_)) => {}
                Err(CommitError::Failed(e)) => panic!("seed {seed}: {e}"),
            }
        }
        assert_eq!(found(&store), model, "seed {seed}");
        sim.resize(u64::MAX, None);
        assert_eq!(read(&sim).unwrap(), model, "seed {seed}");
        put(&store, &mut model, "more", 10_000);
        compact(&store);
        assert!(sim.end().unwrap() < 2 * MIB, "seed {seed}");
        assert_eq!(found(&store), model, "seed {seed}");
    }
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

/// How many runs with each fault.
const ROUNDS: u64 = 20;

/// What happened in a run.
#[derive(Debug, Default)]
struct Seen {
    in_copy: bool,
    after_copy: bool,
}

/// Runs commits and a compaction until a fault, and checks that the next start finds a prefix of what was
/// decided, with all that was acknowledged, and goes on from there.
fn run(seed: u64, fault: Fault, seen: &mut Seen) -> Result<(), String> {
    let (sim, store, start) = shrunk();
    let (random, mut compactor) = (&mut Random(seed), compactor());
    let (mut states, mut confirmed) = (vec![start], 0);
    let mut is_over = false;
    sim.fail_after(random.below(if matches!(fault, Fault::Sync(_)) { 200 } else { 900 }), fault);
    for _ in 0..60 {
        for _ in 0..random.below(3) {
            let may_fail = sim.is_waiting() && sim.has(COPY);
            is_over |= store.core().compact(&mut compactor).is_err();
            seen.in_copy |= may_fail && !sim.is_waiting();
        }
        let last = states.last().unwrap();
        let (batch, head) = match random.below(3) {
            0 => last.draw(random),
            _ => {
                let name = format!("large/{}9", random.below(6));
                (vec![last.put(&name, vec![3; 6000])], last.next())
            }
        };
        let mut next = last.clone();
        next.apply(&batch, head);
        match store.commit(&batch, &head) {
            Ok(()) if is_over => return Err("a commit after a failure".to_string()),
            Ok(()) => {
                states.push(next);
                confirmed = states.len() - 1;
            }
            Err(CommitError::Full(_)) => {}
            Err(CommitError::Failed(_)) => {
                states.push(next);
                break;
            }
        }
    }
    seen.after_copy |= !sim.is_waiting() && sim.end().unwrap() < 2 * MIB;
    let after = match fault {
        Fault::Power => sim.after_power_loss(random),
        _ if random.one_in(2) => sim.after_kill(),
        _ => sim.after_power_loss(random),
    };
    std::mem::forget(store);
    let store = open(&after).map_err(|e| e.to_string())?;
    let found = Model::of(&store).map_err(|e| e.to_string())?;
    match states.iter().rposition(|state| *state == found) {
        Some(at) if at >= confirmed => {}
        at => return Err(format!("state {at:?}, {confirmed} confirmed")),
    }
    if after.has(COPY) {
        return Err("the copy is left".to_string());
    }
    let mut model = found;
    put(&store, &mut model, "more", 50);
    compact(&store);
    put(&store, &mut model, "still/more", 50);
    for found in [Model::of(&store), read(&after)] {
        if found.map_err(|e| e.to_string())? != model {
            return Err("it does not go on".to_string());
        }
    }
    Ok(())
}

#[track_caller]
fn check(fault: Fault) {
    let mut seen = Seen::default();
    for seed in 0..ROUNDS {
        let done = run(seed, fault, &mut seen);
        done.unwrap_or_else(|e| panic!("{fault:?} of seed {seed}: {e}"));
    }
    assert!(seen.in_copy && seen.after_copy, "{seen:?}");
}

#[test]
fn a_power_loss_in_a_compaction_loses_nothing() {
    check(Fault::Power);
}

#[test]
fn a_failed_write_in_a_compaction_loses_nothing() {
    check(Fault::Write(ErrorKind::Other));
}

#[test]
fn a_write_without_room_in_a_compaction_loses_nothing() {
    check(Fault::Short(ErrorKind::StorageFull));
}

#[test]
fn a_failed_fsync_in_a_compaction_loses_nothing() {
    check(Fault::Sync(ErrorKind::Other));
}

#[test]
fn a_log_that_goes_on_before_the_new_name_is_on_disk_would_be_noticed() {
    plant(Some(Planted::Renamed));
    let noticed = (0..60).any(|seed| run(seed, Fault::Power, &mut Seen::default()).is_err());
    plant(None);
    assert!(noticed);
}

#[test]
fn a_copy_that_does_not_get_what_the_tree_gets_would_be_noticed() {
    // The number of files and parts stays: that would be noticed anyway.
    let is_right = || {
        let (_sim, store, mut model) = shrunk();
        let mut compactor = compact_half(&store);
        put(&store, &mut model, "large/09", 60_000);
        while store.core().compact(&mut compactor).unwrap() > Duration::ZERO {}
        Model::of(&store).is_ok_and(|found| found == model)
    };
    assert!(is_right());
    plant(Some(Planted::Stale));
    let noticed = !is_right();
    plant(None);
    assert!(noticed);
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
