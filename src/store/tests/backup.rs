//! A backup that is received while the table changes.

use super::model::{File, Model};
use super::{EPOCH, Random, fresh, open_with};
use crate::files::store::{Backup, CommitError, Store};
use crate::store::Options;
use crate::store::stream::{BackupReader, Item};
use std::io::{BufRead, Read};
use std::slice::from_ref;

/// Reads a backup to its end.
#[track_caller]
fn rest(backup: Backup) -> Vec<u8> {
    let Backup { numbytes, mut bytes, .. } = backup;
    let mut all = Vec::new();
    bytes.read_to_end(&mut all).unwrap();
    assert_eq!(all.len() as u64, numbytes);
    all
}

#[test]
fn a_backup_stays_as_it_was_and_has_what_only_the_log_had() {
    let (sim, store) = fresh();
    let (random, mut model) = (&mut Random(1), Model::empty(EPOCH));
    for round in 0..20 {
        for _ in 0..3 {
            let (batch, head) = model.draw(random);
            store.commit(&batch, &head).unwrap();
            model.apply(&batch, head);
        }
        let backup = store.begin_backup().unwrap().unwrap();
        assert_eq!(backup.version, model.head.version);
        let mut at_once = Vec::new();
        store.backup(&mut at_once, "backup").unwrap();
        for _ in 0..10 {
            let (batch, head) = model.draw(random);
            store.commit(&batch, &head).unwrap();
            model.apply(&batch, head);
        }
        store.core().checkpoint_all().unwrap();
        assert!(rest(backup) == at_once, "round {round}");
    }
    drop((store, sim));
}

/// A piece has 64 KiB, and so have parts of contents: each boundary is inside something.
#[test]
fn a_backup_of_many_pieces_is_one_of_each_file() {
    let (_sim, store) = fresh();
    let mut model = Model::empty(EPOCH);
    let sizes = [0, 1, 4095, 4096, 65_000, 65_536, 200_000, 70_000].iter().cycle().take(60);
    for (i, bytes) in sizes.enumerate() {
        let (put, head) = (model.put(&format!("f{i}"), vec![i as u8; *bytes]), model.next());
        store.commit(from_ref(&put), &head).unwrap();
        model.apply(&[put], head);
    }
    let bytes = rest(store.begin_backup().unwrap().unwrap());
    let (mut reader, head) = BackupReader::start(&bytes[..]).unwrap();
    let mut found = Model { head, ..Model::empty(EPOCH) };
    while let Some(item) = reader.item().unwrap() {
        let Item::File { name, version, life, contents } = item else { panic!("{item:?}") };
        found.files.insert(name, File { version, life, bytes: Some(contents.to_vec()) });
    }
    assert_eq!(found, model);
}

/// A change that finds no room reopens the tree, and does not wait for a backup meanwhile.
#[test]
fn a_backup_ends_when_a_change_needs_its_room() {
    let (sim, store) = fresh();
    drop(store);
    let options = Options { max_data: Some(8 << 20), ..Options::default() };
    let store = open_with(&sim, options).unwrap();
    let mut model = Model::empty(EPOCH);
    let mut put = |name: &str, bytes: usize| {
        let (put, head) = (model.put(name, vec![7; bytes]), model.next());
        let done = store.commit(from_ref(&put), &head);
        if done.is_ok() {
            model.apply(&[put], head);
        }
        done
    };
    put("a", 2 << 20).unwrap();
    let mut backup = store.begin_backup().unwrap().unwrap();
    assert!(!backup.bytes.fill_buf().unwrap().is_empty());
    // Each write leaves the last one behind. Without the backup there is room for any number.
    for _ in 0..10 {
        match put("a", 2 << 20) {
            Ok(()) | Err(CommitError::Full(_)) => {}
            Err(e) => panic!("{e}"),
        }
    }
    let error = backup.bytes.read_to_end(&mut Vec::new()).unwrap_err();
    assert!(error.to_string().contains("needed the room"), "{error}");
    for _ in 0..10 {
        put("a", 2 << 20).unwrap();
    }
    store.close();
}

#[test]
fn a_backup_ends_with_its_store() {
    let (_sim, store) = fresh();
    let model = Model::empty(EPOCH);
    let (put, head) = (model.put("a", vec![7; 1 << 20]), model.next());
    store.commit(from_ref(&put), &head).unwrap();
    let mut backup = store.begin_backup().unwrap().unwrap();
    store.close();
    let error = backup.bytes.read_to_end(&mut Vec::new()).unwrap_err();
    assert!(error.to_string().contains("the store was closed"), "{error}");
}
