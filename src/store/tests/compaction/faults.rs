//! Faults of the disk, and planted ones, while a tree is compacted.

use super::super::log::{put, read};
use super::super::model::Model;
use super::super::sim::Fault;
use super::super::{Random, found, open};
use super::{COPY, MIB, compact, compact_half, compactor, shrunk};
use crate::files::store::{CommitError, Store};
use crate::store::medium::Medium;
use crate::store::planted::{Planted, plant};
use std::io::ErrorKind;
use std::slice::from_ref;
use std::time::Duration;

/// How many runs with each fault.
const ROUNDS: u64 = 20;

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
