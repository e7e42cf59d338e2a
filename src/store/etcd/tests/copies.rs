//! Backups of a table in etcd, and tables that are restored from one.

use super::*;
use crate::files::store::{Head, Life};
use crate::store::Durable;
use crate::store::tests::Random;
use crate::store::tests::model::name;
use std::io::{BufRead, ErrorKind, Read};
use std::path::PathBuf;
use std::{env, fs, process};

/// A folder for one test.
struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Folder {
        let folder = Folder(env::temp_dir().join(format!("telefile-{}-{test}", process::id())));
        let _ = fs::remove_dir_all(&folder.0);
        fs::create_dir(&folder.0).unwrap();
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Changes a table at random.
fn change(store: &dyn Store, model: &mut Model, random: &mut Random, batches: u64) {
    for _ in 0..batches {
        let (batch, head) = model.draw(random);
        store.commit(&batch, &head).unwrap();
        model.apply(&batch, head);
    }
}

/// Returns what a backup has of a table, in a table with another epoch.
fn restored(model: &Model, epoch: u64) -> Model {
    let mut model = model.clone();
    model.head.epoch = epoch;
    model.files.retain(|_, file| file.bytes.is_some() && file.life != Life::Connection);
    model
}

fn backup(etcd: &Etcd) -> Vec<u8> {
    let mut bytes = Vec::new();
    etcd.backup(&mut bytes, "a backup").unwrap();
    bytes
}

/// Returns everything in the table.
fn in_etcd(etcd: &Etcd) -> Model {
    let term = term(etcd);
    let found = loaded(&*term.store()).unwrap();
    term.resign();
    found
}

#[test]
fn a_table_moves_from_a_folder_to_etcd_and_back() {
    let Some(url) = real::etcd() else { return };
    let (etcd, folder) = (table(&url), Folder::new("moves"));
    let store = Durable::open(&folder.path("a"), Default::default(), 1).unwrap();
    let (mut model, mut random) = (loaded(&store).unwrap(), Random(3));
    change(&store, &mut model, &mut random, 40);
    let mut bytes = Vec::new();
    store.backup(&mut bytes, "a backup").unwrap();

    etcd.restore(&bytes[..], "a backup", 2).unwrap();
    let mut model = restored(&model, 2);
    assert_eq!(in_etcd(&etcd), model);

    let term = term(&etcd);
    let store = term.store();
    loaded(&*store).unwrap();
    change(&*store, &mut model, &mut random, 40);
    let counted = store.begin_backup().unwrap().unwrap();
    term.resign();
    let bytes = backup(&etcd);
    assert_eq!((counted.version, counted.numbytes), (model.head.version, bytes.len() as u64));
    Durable::restore(&folder.path("b"), &bytes[..], "a backup", 3).unwrap();
    let store = Durable::open_existing(&folder.path("b"), Default::default()).unwrap();
    assert_eq!(loaded(&store).unwrap(), restored(&model, 3));
}

#[test]
fn a_backup_is_one_state_while_changes_go_on() {
    let Some(url) = real::etcd() else { return };
    let etcd = table(&url);
    let term = term(&etcd);
    let store = term.store();
    let mut model = loaded(&*store).unwrap();
    for i in 0..1500 {
        // More than a page; some of them large.
        let bytes = vec![b'x'; if i % 500 == 0 { 10_000 } else { i }];
        let (put, head) = (model.put(&format!("{i}"), bytes), model.next());
        store.commit(std::slice::from_ref(&put), &head).unwrap();
        model.apply(&[put], head);
    }
    let before = model.clone();
    let mut source = store.begin_backup().unwrap().unwrap().bytes;
    let mut bytes = source.fill_buf().unwrap().to_vec();
    source.consume(bytes.len());
    for i in 0..1500 {
        let (remove, head) = (model.remove(&format!("{i}")), model.next());
        store.commit(std::slice::from_ref(&remove), &head).unwrap();
        model.apply(&[remove], head);
    }
    source.read_to_end(&mut bytes).unwrap();
    assert_eq!(loaded(&*term.store()).unwrap(), model);
    term.resign();
    let other = table(&url);
    other.restore(&bytes[..], "a backup", 9).unwrap();
    assert_eq!(in_etcd(&other), restored(&before, 9));
}

#[test]
fn a_restore_that_fails_leaves_no_table_and_can_be_repeated() {
    let Some(url) = real::etcd() else { return };
    let etcd = table(&url);
    assert_eq!(etcd.backup(Vec::new(), "b").unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(etcd.renew_epoch(1).unwrap_err().kind(), ErrorKind::NotFound);
    let folder = Folder::new("fails");
    let store = Durable::open(&folder.path("a"), Default::default(), 1).unwrap();
    let mut model = loaded(&store).unwrap();
    for i in 0..300 {
        let (put, head) = (model.put(&format!("{i}"), vec![b'x'; 10]), model.next());
        store.commit(std::slice::from_ref(&put), &head).unwrap();
        model.apply(&[put], head);
    }
    let mut bytes = Vec::new();
    store.backup(&mut bytes, "b").unwrap();

    let mut damaged = bytes.clone();
    *damaged.last_mut().unwrap() ^= 1;
    let e = etcd.restore(&damaged[..], "b", 2).unwrap_err();
    assert_eq!((e.kind(), e.to_string().starts_with("b: ")), (ErrorKind::InvalidData, true), "{e}");
    let started = term(&etcd);
    let e = loaded(&*started.store()).unwrap_err();
    assert!(e.to_string().contains("a restore was interrupted"), "{e}");
    started.resign();

    etcd.restore(&bytes[..], "b", 2).unwrap();
    assert_eq!(in_etcd(&etcd), restored(&model, 2));
    let e = etcd.restore(&bytes[..], "b", 3).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::AlreadyExists, "{e}");
    etcd.renew_epoch(4).unwrap();
    assert_eq!(in_etcd(&etcd), restored(&model, 4));

    let active = term(&etcd);
    for refused in [etcd.restore(&bytes[..], "b", 5), etcd.renew_epoch(5)] {
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::ResourceBusy);
    }
    active.resign();
}

#[test]
fn a_file_that_is_too_large_for_etcd_is_named() {
    let Some(url) = real::etcd() else { return };
    let folder = Folder::new("large");
    for (numbytes, fits) in [(1 << 20, true), ((1 << 20) + 1, false)] {
        let etcd = table(&url);
        let path = folder.path(&numbytes.to_string());
        let store = Durable::open(&path, Default::default(), 1).unwrap();
        let model = loaded(&store).unwrap();
        store.commit(&[model.put("big", vec![b'x'; numbytes])], &model.next()).unwrap();
        let mut bytes = Vec::new();
        store.backup(&mut bytes, "b").unwrap();
        match etcd.restore(&bytes[..], "b", 2) {
            Ok(()) => {
                assert!(fits);
                assert_eq!(
                    in_etcd(&etcd).files[&name("big")].bytes.as_ref().unwrap().len(),
                    numbytes
                );
            }
            Err(e) => assert!(!fits && e.to_string().contains("big has 1048577 bytes"), "{e}"),
        }
    }
}

#[test]
fn what_etcd_does_not_take_in_one_transaction_is_several() {
    let Some(url) = real::etcd() else { return };
    let etcd = table(&url);
    let term = term(&etcd);
    let store = term.store();
    let mut model = loaded(&*store).unwrap();
    let mut batch = Vec::new();
    let mut head: Head = model.head;
    for i in 0..300 {
        // In the middle of them some that fill a transaction each.
        let numbytes = if (100..105).contains(&i) { 1 << 20 } else { 5 };
        let at = Model { head, ..Model::empty(0) };
        batch.push(at.put(&format!("{i}"), vec![b'x'; numbytes]));
        head = at.next();
    }
    store.commit(&batch, &head).unwrap();
    model.apply(&batch, head);
    term.resign();
    assert_eq!(in_etcd(&etcd), model);
}
