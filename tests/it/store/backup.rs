//! Backups: what is in them, and that a damaged one restores nothing.

use super::{Found, fill, found, open};
use crate::server::Folder;
use std::collections::BTreeMap;
use std::fs;
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::symlink;
use telefile::store::{Durable, Life, Store};

fn backup() -> (Vec<u8>, BTreeMap<String, Found>) {
    let folder = Folder::new();
    let store = open(folder.path()).unwrap();
    fill(&store);
    let mut bytes = Vec::new();
    store.backup(&mut bytes, "backup").unwrap();
    let mut files = found(&store).1;
    files.retain(|_, (_, life, bytes)| *life != Life::Connection && bytes.is_some());
    (bytes, files)
}

#[test]
fn a_restored_table_equals_the_backup_with_another_epoch() {
    let (bytes, expected) = backup();
    let outside = Folder::new();
    let folder = outside.path().join("new/one");
    Durable::restore(&folder, &bytes[..], "a backup", 77).unwrap();
    let store = open(&folder).unwrap();
    let (head, files, gone) = found(&store);
    assert_eq!((head.epoch, head.version, head.time), (77, 8, super::head(8).time));
    assert_eq!(files, expected);
    assert_eq!(files.len(), 4, "without the ephemeral file and the code file");
    assert_eq!(gone, [(8, "old".to_string())]);

    // And the backup of that is the same but for the epoch.
    let mut again = Vec::new();
    store.backup(&mut again, "backup").unwrap();
    let differ = bytes.iter().zip(&again).filter(|(a, b)| a != b).count();
    assert_eq!(again.len(), bytes.len());
    assert!((1..=8 + 4).contains(&differ), "{differ} bytes differ");
}

/// Calls a function before the first byte.
struct Before<R, F>(Option<F>, R);

impl<R: Read, F: FnOnce()> Read for Before<R, F> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.0.take().into_iter().for_each(|call| call());
        self.1.read(bytes)
    }
}

#[test]
fn a_restore_stays_in_its_folder_when_that_is_renamed() {
    let (bytes, expected) = backup();
    let outside = Folder::new();
    let [path, renamed] = ["data", "data.old"].map(|name| outside.path().join(name));
    let rename = || {
        fs::rename(&path, &renamed).unwrap();
        fs::create_dir(&path).unwrap();
        // Those of another restore.
        for name in ["restore.unfinished", "telefile.redb.unfinished"] {
            fs::write(path.join(name), "another's").unwrap();
        }
    };
    Durable::restore(&path, Before(Some(rename), &bytes[..]), "a backup", 77).unwrap();
    for name in ["restore.unfinished", "telefile.redb.unfinished"] {
        assert_eq!(fs::read(path.join(name)).unwrap(), b"another's");
    }
    assert_eq!(fs::read_dir(&path).unwrap().count(), 2);
    assert_eq!(fs::read_dir(&renamed).unwrap().count(), 1);
    assert_eq!(found(&open(&renamed).unwrap()).1, expected);
}

#[test]
fn a_restore_writes_through_no_symbolic_link() {
    let (bytes, _) = backup();
    let outside = Folder::new();
    let (folder, victim) = (outside.path().join("data"), outside.path().join("victim"));
    fs::create_dir(&folder).unwrap();
    fs::write(&victim, "precious").unwrap();
    symlink(&victim, folder.join("restore.unfinished")).unwrap();
    let error = Durable::restore(&folder, &bytes[..], "a backup", 77).unwrap_err().to_string();
    assert!(error.contains("restore.unfinished"), "{error}");
    fs::remove_file(folder.join("restore.unfinished")).unwrap();
    symlink(&victim, folder.join("telefile.redb.unfinished")).unwrap();
    Durable::restore(&folder, &bytes[..], "a backup", 77).unwrap();
    assert_eq!(fs::read(&victim).unwrap(), b"precious");
}

#[test]
fn a_restore_may_exceed_one_batch() {
    let folder = Folder::new();
    let store = open(folder.path()).unwrap();
    let mut version = 0;
    for _ in 0..3 {
        let mut batch = Vec::new();
        for _ in 0..3000 {
            version += 1;
            batch.push(super::put(&format!("f{version}"), version, None, b"x"));
        }
        store.commit(&batch, &super::head(version)).unwrap();
    }
    let mut bytes = Vec::new();
    store.backup(&mut bytes, "backup").unwrap();
    let new = Folder::new();
    Durable::restore(new.path(), &bytes[..], "a backup", 1).unwrap();
    assert_eq!(found(&open(new.path()).unwrap()).1, found(&store).1);
}

#[track_caller]
fn refused(bytes: &[u8], words: &[&str]) {
    let outside = Folder::new();
    let folder = outside.path().join("new/inner");
    let error = Durable::restore(&folder, bytes, "NAME", 1).unwrap_err();
    let text = error.to_string();
    assert!(text.starts_with("NAME: ") && !text.contains('\n'), "{text}");
    for word in words {
        assert!(text.contains(word), "no {word:?} in {text}");
    }
    assert_eq!(error.kind(), ErrorKind::InvalidData, "{text}");
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0, "nothing is made");
}

#[test]
fn a_damaged_backup_restores_nothing() {
    let (bytes, _) = backup();
    for length in [0, 1, 15, 16, 19, 20, 40, 60, 100, 300_000, bytes.len() - 4, bytes.len() - 1] {
        refused(&bytes[..length], &[]);
    }
    for at in (20..200).step_by(3).chain((200..bytes.len()).step_by(20_011)) {
        let mut bytes = bytes.clone();
        bytes[at] ^= 4;
        refused(&bytes, &["damaged"]);
    }
    refused(&[&bytes[..], b"\n"].concat(), &["continues after its end"]);
    refused(b"another file, which is long enough for a backup", &["not a telefile backup"]);
    let mut later = bytes.clone();
    later[16] = 2;
    refused(&later, &["format 2", "1"]);
}

#[test]
fn a_restore_refuses_a_folder_that_is_not_empty() {
    let (bytes, _) = backup();
    let folder = Folder::new();
    fs::write(folder.path().join("note"), "").unwrap();
    let error = Durable::restore(folder.path(), &bytes[..], "NAME", 1).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DirectoryNotEmpty, "{error}");
    assert!(error.to_string().contains("is not empty"), "{error}");
    fs::remove_file(folder.path().join("note")).unwrap();

    fs::write(folder.path().join("telefile.redb.unfinished"), "of a restore that was killed")
        .unwrap();
    Durable::restore(folder.path(), &bytes[..], "NAME", 1).unwrap();
    let error = Durable::restore(folder.path(), &bytes[..], "NAME", 1).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DirectoryNotEmpty, "{error}");
}

/// What fails after some bytes.
struct Failing(usize);

impl Read for Failing {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::Error::other("the tape is torn"))
    }
}

impl Write for Failing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0 == 0 {
            return Err(io::Error::other("the tape is full"));
        }
        let taken = bytes.len().min(self.0);
        self.0 -= taken;
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn an_error_of_the_disk_of_the_backup_is_reported() {
    let (bytes, _) = backup();
    let folder = Folder::new();
    let store = open(folder.path()).unwrap();
    fill(&store);
    for room in [0, 100, 200_000, bytes.len() - 1] {
        let error = store.backup(Failing(room), "backup").unwrap_err();
        assert!(error.to_string().contains("backup: the tape is full"), "{error}");
    }
    store.backup(Failing(bytes.len()), "backup").unwrap();
    let torn = bytes[..1000].chain(Failing(0));
    let new = Folder::new();
    let error = Durable::restore(new.path(), torn, "NAME", 1).unwrap_err();
    assert!(error.to_string().contains("NAME: the tape is torn"), "{error}");
}
