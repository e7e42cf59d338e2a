//! A store from before the log: it is taken over, and after that an older program refuses it.

use super::model::Model;
use super::sim::{Fault, Sim};
use super::{EPOCH, Random, found, fresh, open};
use crate::files::store::Store;
use crate::store::format::{FORMAT, UNLOGGED, seal};
use crate::store::tree::disk::Disk;
use crate::store::tree::tables::{HEAD, LOG_KEY, STAMP_KEY};
use redb::{Database, ReadableDatabase, ReadableTable};

const FORMAT_AT: usize = b"telefile".len();

/// Makes a store as the program before the log has left it.
fn older(random: &mut Random) -> (Sim, Model) {
    let (sim, store) = fresh();
    let mut model = Model::empty(EPOCH);
    for _ in 0..10 {
        let (batch, head) = model.draw(random);
        store.commit(&batch, &head).unwrap();
        model.apply(&batch, head);
    }
    drop(store);
    sim.set_log(vec![None; 4]);
    let database = database(&sim);
    let mut transaction = database.begin_write().unwrap();
    transaction.set_quick_repair(true);
    {
        let mut head = transaction.open_table(HEAD).unwrap();
        let mut stamp = head.get(STAMP_KEY).unwrap().unwrap().value().to_vec();
        stamp.truncate(stamp.len() - 8); // the checksums of the batch, and of this value
        stamp[FORMAT_AT..FORMAT_AT + 4].copy_from_slice(&UNLOGGED.to_le_bytes());
        seal(&mut stamp, &[]);
        head.insert(STAMP_KEY, &stamp[..]).unwrap();
        head.remove(LOG_KEY).unwrap();
    }
    transaction.commit().unwrap();
    database.close().unwrap();
    (sim, model)
}

fn database(sim: &Sim) -> Database {
    let disk = Disk::new(Box::new(sim.clone())).unwrap();
    Database::builder().create_with_backend(disk).unwrap()
}

/// Returns what an older program looks at first, and whether there is a log.
fn format(sim: &Sim) -> (u32, bool) {
    let database = database(sim);
    let head = database.begin_read().unwrap().open_table(HEAD).unwrap();
    let stamp = head.get(STAMP_KEY).unwrap().unwrap().value().to_vec();
    let format = stamp[FORMAT_AT..].first_chunk().unwrap();
    (u32::from_le_bytes(*format), head.get(LOG_KEY).unwrap().is_some())
}

#[test]
fn a_store_from_before_the_log_is_taken_over_and_an_older_program_refuses_it() {
    let (sim, mut model) = older(&mut Random(3));
    assert_eq!(format(&sim), (UNLOGGED, false));
    let store = open(&sim).unwrap();
    assert_eq!(found(&store), model);
    let (put, head) = (model.put("new", vec![1; 10]), model.next());
    store.commit(std::slice::from_ref(&put), &head).unwrap();
    model.apply(&[put], head);
    assert_eq!(found(&open(&sim.after_kill()).unwrap()), model, "the log belongs to it");
    drop(store);
    // An older program compares this number with the one that it knows, and reads no further.
    assert_eq!(format(&sim), (FORMAT, true));
    assert_ne!(FORMAT, UNLOGGED);
    assert_eq!(found(&open(&sim).unwrap()), model);
}

/// Even if nothing is changed: the log exists from then on.
#[test]
fn a_start_alone_takes_a_store_over() {
    let (sim, model) = older(&mut Random(4));
    drop(open(&sim).unwrap());
    assert_eq!(format(&sim), (FORMAT, true));
    assert_eq!(found(&open(&sim).unwrap()), model);
}

/// It stays as it was, for the program that wrote it.
#[test]
fn a_store_beside_the_log_of_another_is_not_taken_over() {
    let (sim, _) = older(&mut Random(4));
    let (other, store) = fresh();
    let mut model = Model::empty(EPOCH);
    super::log::put(&store, &mut model, "f", 100);
    sim.set_log(other.log());
    let error = open(&sim).unwrap_err().to_string();
    assert!(error.contains("another table's"), "{error}");
    assert_eq!(format(&sim), (UNLOGGED, false));
}

#[test]
fn a_power_loss_while_a_store_is_taken_over_loses_nothing() {
    let random = &mut Random(5);
    let (mut formats, mut after) = ([0, 0], 0);
    loop {
        let (sim, model) = older(&mut Random(6));
        sim.fail_after(after, Fault::Power);
        let opened = open(&sim);
        let is_over = sim.is_waiting();
        drop(opened);
        let sim = sim.after_power_loss(random);
        formats[usize::from(format(&sim.after_kill()).0 == FORMAT)] += 1;
        assert_eq!(found(&open(&sim).unwrap()), model, "after {after} operations");
        if is_over {
            break;
        }
        after += 1;
    }
    assert!(formats.iter().all(|count| *count > 0), "{formats:?}");
}
