//! A disk that others have filled: a start, deletes and checkpoints go on, and nothing is lost.

use super::log::put;
use super::model::Model;
use super::sim::{Fault, Sim};
use super::{EPOCH, SETTINGS, found, fresh, open_as};
use crate::files::store::{CommitError, Store};
use crate::store::log::Settings;
use crate::store::medium::FileSet;
use crate::store::tree::view::View;
use crate::store::{Durable, Options};
use std::io::ErrorKind;
use std::slice::from_ref;
use std::thread;

const MIB: u64 = 1 << 20;

fn open(sim: &Sim) -> Durable {
    let settings = Settings { reserve_bytes: 8 * MIB, ..SETTINGS };
    open_as(sim, Options::default(), settings).unwrap()
}

/// Creates a store with this number of small files, on a disk with 80 MiB of room.
fn stored(count: usize) -> (Sim, Durable, Model) {
    let (sim, store) = fresh();
    drop(store);
    sim.resize(80 * MIB, None);
    let (store, mut model) = (open(&sim), Model::empty(EPOCH));
    (0..count).for_each(|i| put(&store, &mut model, &format!("small/{i:04}"), 100));
    (sim, store, model)
}

fn remove(store: &Durable, model: &mut Model, name: &str) -> Result<(), CommitError> {
    let (change, head) = (model.remove(name), model.next());
    store.commit(from_ref(&change), &head)?;
    model.apply(&[change], head);
    Ok(())
}

#[track_caller]
fn refuses_a_write(store: &Durable, model: &Model) {
    let written = store.commit(&[model.put("more", vec![1; 4 << 20])], &model.next());
    let Err(CommitError::Full(max)) = written else { panic!("{written:?}") };
    assert!((1 << 16..=80 * MIB).contains(&max), "the store may have {max} bytes");
}

#[test]
fn a_killed_store_opens_on_a_full_disk() {
    let (sim, _store, mut model) = stored(50);
    let sim = sim.after_kill();
    sim.fill();
    let store = open(&sim);
    assert_eq!(found(&store), model);
    refuses_a_write(&store, &model);
    for i in 0..20 {
        remove(&store, &mut model, &format!("small/{i:04}")).unwrap();
    }
    assert_eq!(found(&store), model);
    let sim = sim.after_kill();
    assert_eq!(found(&open(&sim)), model);
}

#[test]
fn large_contents_are_read_where_no_checkpoint_fits() {
    let (sim, store, mut model) = stored(1);
    for i in 0..4 {
        put(&store, &mut model, &format!("large/{i}"), 6000);
    }
    put(&store, &mut model, "large/1", 5000);
    let sim = sim.after_kill();
    sim.fill();
    let store = open(&sim);
    assert_eq!(found(&store), model);
    remove(&store, &mut model, "large/2").unwrap();
    assert_eq!(found(&store), model);
    put_when_there_is_room(&sim, &store, &mut model);
}

#[track_caller]
fn put_when_there_is_room(sim: &Sim, store: &Durable, model: &mut Model) {
    sim.resize(200 * MIB, None);
    put(store, model, "more", 10_000);
    store.core().checkpoint_all().unwrap();
    assert!(sim.has("reserve"), "it is made again");
    assert_eq!(found(store), *model);
}

#[test]
fn everything_can_be_removed_on_a_full_disk() {
    let (sim, store, mut model) = stored(3000);
    assert!(sim.has("reserve"));
    sim.fill();
    refuses_a_write(&store, &model);
    for i in 0..3000 {
        let removed = remove(&store, &mut model, &format!("small/{i:04}"));
        removed.unwrap_or_else(|e| panic!("removal {i}: {e}"));
    }
    assert_eq!(found(&store), model);
    assert_eq!(found(&open(&sim.after_kill())), model);
    put_when_there_is_room(&sim, &store, &mut model);
}

/// Files that a killed process made only partly, or a user emptied.
#[test]
fn a_log_whose_files_find_no_room_is_whole_again_later() {
    let (sim, store, mut model) = stored(50);
    drop(store);
    sim.set_log(vec![Some(Vec::new()); 4]);
    sim.fill();
    let store = open(&sim);
    for i in 0..20 {
        remove(&store, &mut model, &format!("small/{i:04}")).unwrap();
    }
    sim.resize(200 * MIB, None);
    let has_all = (0..700).any(|i| {
        put(&store, &mut model, &format!("more/{i}"), 100);
        sim.log().iter().flatten().filter(|segment| segment.starts_with(b"tflg")).count() == 4
    });
    assert!(has_all, "a file of the log is never used again");
    assert_eq!(found(&store), model);
    assert_eq!(found(&open(&sim.after_kill())), model);
}

/// The folder became one that only its owner may change, for instance.
#[test]
fn files_that_cannot_be_removed_are_used_again() {
    let (sim, store, mut model) = stored(600);
    sim.refuse_removals(true);
    for round in 0..6 {
        store.core().checkpoint_all().unwrap();
        store.core().make_room(true);
        (0..100).for_each(|i| put(&store, &mut model, &format!("small/{i:04}"), 100 + round));
    }
    sim.refuse_removals(false);
    assert_eq!(found(&store), model);
    assert_eq!(found(&open(&sim.after_kill())), model);
}

#[test]
fn a_reserve_that_was_removed_is_made_again() {
    let (sim, store, mut model) = stored(1);
    sim.remove("reserve").unwrap();
    put(&store, &mut model, "more", 100);
    store.core().checkpoint_all().unwrap();
    assert!(sim.has("reserve"));
}

#[test]
fn the_reserve_is_room_for_a_checkpoint() {
    for is_killed in [false, true] {
        let (mut sim, store, mut model) = stored(1);
        drop(store);
        sim.set_log(vec![None; 4]); // the next one has other segments
        // A log that has more than the tree has room for.
        let settings = Settings {
            segment_bytes: 512 << 10,
            full_bytes: 512 << 10,
            reserve_bytes: 8 * MIB,
            ..SETTINGS
        };
        let open = |sim: &Sim| open_as(sim, Options::default(), settings).unwrap();
        let mut store = open(&sim);
        (0..300).for_each(|i| put(&store, &mut model, &format!("large/{i}"), 6000));
        if is_killed {
            sim = sim.after_kill();
            store = open(&sim);
        }
        assert!(sim.has("reserve"));
        sim.fill();
        store.core().checkpoint_all().unwrap();
        assert!(!sim.has("reserve"), "it is given up");
        assert_eq!(found(&store), model);
        assert_eq!(found(&open(&sim.after_kill())), model);
        put_when_there_is_room(&sim, &store, &mut model);
    }
}

/// Others take the room of the reserve as well.
#[test]
fn without_the_reserve_removals_go_on_at_least_until_the_log_is_full() {
    let (sim, store, mut model) = stored(3000);
    let mut done = 0;
    while !model.files.is_empty() {
        sim.fill();
        match remove(&store, &mut model, &format!("small/{done:04}")) {
            Ok(()) => done += 1,
            Err(CommitError::Full(_)) => break,
            Err(e) => panic!("{e}"),
        }
    }
    assert!(done > 400, "{done} removals");
    refuses_a_write(&store, &model);
    assert_eq!(found(&store), model);
    assert_eq!(found(&open(&sim.after_kill())), model);
    put_when_there_is_room(&sim, &store, &mut model);
}

#[test]
fn what_others_leave_of_a_limit_is_no_reason_to_give_up_the_reserve() {
    let (sim, store, _) = stored(1);
    drop(store);
    let (settings, options) = (
        Settings { reserve_bytes: 8 * MIB, ..SETTINGS },
        Options { max_data: Some(2 * MIB), ..Options::default() },
    );
    let store = open_as(&sim, options, settings).unwrap();
    let mut model = found(&store);
    while let Ok(()) = {
        let (change, head) =
            (model.put(&model.next().version.to_string(), vec![1; 10_000]), model.next());
        store.commit(from_ref(&change), &head).map(|()| model.apply(&[change], head))
    } {}
    let names: Vec<_> = model.files.keys().cloned().collect();
    for name in names {
        remove(&store, &mut model, name.as_str()).unwrap();
    }
    assert_eq!(found(&store), model);
    assert!(sim.has("reserve"));
}

/// No commit is needed for that.
#[test]
fn a_checkpoint_for_which_there_was_no_room_is_tried_again() {
    let (sim, store, mut model) = stored(1);
    drop(store);
    sim.set_log(vec![None; 4]);
    let settings = Settings {
        segment_bytes: 512 << 10,
        full_bytes: 512 << 10,
        has_checkpointer: true,
        ..SETTINGS
    };
    sim.resize(300 * MIB, None);
    let quiet = Settings { has_checkpointer: false, ..settings };
    let store = open_as(&sim, Options::default(), quiet).unwrap();
    (0..200).for_each(|i| put(&store, &mut model, &format!("large/{i}"), 6000));
    let sim = sim.after_kill();
    sim.fill();
    let store = open_as(&sim, Options::default(), settings).unwrap();
    let batch = || store.core().engine().look(View::stamp).unwrap().batch;
    let behind = batch();
    assert!(matches!(store.core().checkpoint(), Err(CommitError::Full(_))));
    sim.resize(300 * MIB, None);
    while batch() == behind {
        thread::yield_now();
    }
    assert_eq!(found(&store), model);
}

#[test]
fn an_error_of_the_log_names_its_file_alone() {
    let (sim, store, mut model) = stored(1);
    put(&store, &mut model, "one", 100);
    sim.fail_after(0, Fault::Sync(ErrorKind::Other));
    let failed = store.commit(&[model.put("two", vec![1])], &model.next()).unwrap_err();
    let text = failed.to_string();
    assert!(text.starts_with("sim/log.") && !text.contains("sim: "), "{text}");
}
