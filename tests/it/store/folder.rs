//! The folder: its permissions, its one user at a time, and what is refused.

use super::{EPOCH, fill, found, head, large, open, put};
use crate::programs::program;
use crate::server::Folder;
use std::ffi::OsString;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{DirEntryExt, MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use telefile::Server;
use telefile::store::{Durable, Options, ReadOnly, Store};

fn database(folder: &Path) -> PathBuf {
    folder.join("telefile.redb")
}

#[track_caller]
fn refused(folder: &Path, kind: ErrorKind, words: &[&str]) {
    let error = open(folder).unwrap_err();
    let text = error.to_string();
    assert!(text.contains(folder.to_str().unwrap()) && !text.contains('\n'), "{text}");
    for word in words {
        assert!(text.contains(word), "no {word:?} in {text}");
    }
    assert_eq!(error.kind(), kind, "{text}");
}

#[test]
fn a_new_folder_is_for_its_user_alone() {
    let outside = Folder::new();
    let folder = outside.path().join("a/b");
    drop(open(&folder).unwrap());
    let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    let names = fs::read_dir(&folder).unwrap().map(|e| e.unwrap().file_name());
    let mut names: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
    names.sort();
    assert!(names.contains(&"telefile.redb".to_string()), "{names:?}");
    // Made only where there is room for it.
    assert!(
        names.iter().all(|name| ["reserve", "telefile.redb"].contains(&&name[..])),
        "{names:?}"
    );
    names.iter().for_each(|name| assert_eq!(mode(&folder.join(name)), 0o600));
}

#[test]
fn an_existing_folder_keeps_its_permissions() {
    let folder = Folder::new();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o750)).unwrap();
    drop(open(folder.path()).unwrap());
    assert_eq!(fs::metadata(folder.path()).unwrap().mode() & 0o777, 0o750);
    assert_eq!(fs::metadata(database(folder.path())).unwrap().mode() & 0o777, 0o600);
}

#[test]
fn a_folder_has_one_user_at_a_time() {
    let folder = Folder::new();
    let store = open(folder.path()).unwrap();
    refused(folder.path(), ErrorKind::ResourceBusy, &["another telefile is using it"]);
    let other_way = folder.path().join("..").join(folder.path().file_name().unwrap());
    refused(&other_way, ErrorKind::ResourceBusy, &["another telefile is using it"]);
    let existing = Durable::open_existing(folder.path(), Options::default()).unwrap_err();
    assert_eq!(existing.kind(), ErrorKind::ResourceBusy);
    let restored = Durable::restore(folder.path(), &[][..], "none", 1).unwrap_err();
    assert_eq!(restored.kind(), ErrorKind::ResourceBusy);
    drop(store);
    drop(open(folder.path()).unwrap());
}

#[test]
fn many_may_read_a_folder_and_nobody_changes_it_meanwhile() {
    let folder = Folder::new();
    fill(&open(folder.path()).unwrap());
    let (one, two) = (ReadOnly::open(folder.path()), ReadOnly::open(folder.path()));
    let [mut first, mut second] = [Vec::new(), Vec::new()];
    one.unwrap().backup(&mut first, "first").unwrap();
    let two = two.unwrap();
    two.backup(&mut second, "second").unwrap();
    assert!(first == second && first.len() > 300_000);
    refused(folder.path(), ErrorKind::ResourceBusy, &["another telefile is using it"]);
    drop(two);
    let store = open(folder.path()).unwrap();
    assert_eq!(ReadOnly::open(folder.path()).unwrap_err().kind(), ErrorKind::ResourceBusy);
    drop(store);
}

#[test]
fn the_epoch_is_that_of_the_first_start() {
    let folder = Folder::new();
    drop(Durable::open(folder.path(), Options::default(), 5).unwrap());
    let store = Durable::open(folder.path(), Options::default(), 6).unwrap();
    assert_eq!(found(&store).0.epoch, 5);
    store.renew_epoch(7).unwrap();
    drop(store);
    let store = Durable::open_existing(folder.path(), Options::default()).unwrap();
    assert_eq!(found(&store).0.epoch, 7);
}

#[test]
fn a_file_that_is_no_store_is_refused_and_not_changed() {
    for bytes in [&b""[..], b"short", &[0; 100_000], b"redb but not the magic of one"] {
        let folder = Folder::new();
        fs::write(database(folder.path()), bytes).unwrap();
        refused(folder.path(), ErrorKind::InvalidData, &["is not a telefile store"]);
        assert_eq!(fs::read(database(folder.path())).unwrap(), bytes);
    }
}

#[test]
fn the_database_of_another_program_is_refused() {
    let folder = Folder::new();
    drop(redb::Database::create(database(folder.path())).unwrap());
    refused(folder.path(), ErrorKind::InvalidData, &["is not a telefile store"]);
}

#[test]
fn a_damaged_store_is_refused() {
    let folder = Folder::new();
    let store = open(folder.path()).unwrap();
    fill(&store);
    drop(store);
    let path = database(folder.path());
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    refused(folder.path(), ErrorKind::InvalidData, &["telefile.redb", "damaged"]);
    fs::write(&path, &whole).unwrap();
    assert_eq!(found(&open(folder.path()).unwrap()).0.version, 8);
}

#[test]
fn a_path_that_is_no_folder_is_refused() {
    let outside = Folder::new();
    let file = outside.path().join("file");
    fs::write(&file, "").unwrap();
    refused(&file, ErrorKind::NotADirectory, &["not a folder"]);
    refused(&file.join("below"), ErrorKind::NotADirectory, &[]);
    let missing = outside.path().join("missing");
    let error = Durable::open_existing(&missing, Options::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(!missing.exists(), "nothing is made by that");
    let error = Durable::open_existing(outside.path(), Options::default()).unwrap_err();
    assert!(error.to_string().contains("no store"), "{error}");
}

/// Returns the names in a folder, with the numbers of the files.
fn entries(folder: &Path) -> Vec<(OsString, u64)> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let mut entries: Vec<_> = entries.map(|it| (it.file_name(), it.ino())).collect();
    entries.sort();
    entries
}

#[test]
fn a_folder_that_is_renamed_while_it_is_in_use_keeps_its_files() {
    let outside = Folder::new();
    let [path, renamed] = ["data", "data.old"].map(|name| outside.path().join(name));
    let first = open(&path).unwrap();
    fs::rename(&path, &renamed).unwrap();
    let second = open(&path).unwrap();
    fill(&second);
    let before = entries(&path);
    assert!(before.iter().any(|(name, _)| name == "log.0"), "{before:?}");
    for version in 1..60 {
        let name = version.to_string();
        first.commit(&[put(&name, version, None, &large(3))], &head(version)).unwrap();
    }
    assert_eq!(entries(&path), before);
    assert!(entries(&renamed).iter().any(|(name, _)| name == "log.0"));
    drop((first, second));
    assert_eq!(found(&open(&path).unwrap()).0.version, 8);
    assert_eq!(found(&open(&renamed).unwrap()).0.version, 59);
}

/// A snapshot that was made with `cp -al` has the same file.
#[test]
fn a_database_with_two_names_has_one_user_at_a_time() {
    let outside = Folder::new();
    let [first, second] = ["first", "second"].map(|name| outside.path().join(name));
    drop(open(&first).unwrap());
    let make: [fn(&Path, &Path); 2] =
        [|old, new| fs::hard_link(old, new).unwrap(), |old, new| symlink(old, new).unwrap()];
    for make in make {
        fs::create_dir(&second).unwrap();
        make(&database(&first), &database(&second));
        let store = open(&first).unwrap();
        refused(&second, ErrorKind::ResourceBusy, &["another telefile is using it"]);
        assert_eq!(ReadOnly::open(&second).unwrap_err().kind(), ErrorKind::ResourceBusy);
        drop(store);
        drop(open(&second).unwrap());
        fs::remove_dir_all(&second).unwrap();
    }
}

#[track_caller]
fn make_pipe(path: &Path) {
    assert!(program("mkfifo").arg(path).status().unwrap().success());
}

#[test]
fn a_pipe_is_no_database() {
    let folder = Folder::new();
    make_pipe(&database(folder.path()));
    refused(folder.path(), ErrorKind::InvalidData, &["telefile.redb: is not a regular file"]);
    assert!(ReadOnly::open(folder.path()).is_err());
    // One that a start would remove.
    fs::remove_file(database(folder.path())).unwrap();
    make_pipe(&folder.path().join("telefile.redb.unfinished"));
    drop(open(folder.path()).unwrap());
}

#[test]
fn what_is_not_a_regular_file_is_no_log() {
    let outside = Folder::new();
    let victim = outside.path().join("victim");
    fs::write(&victim, "precious").unwrap();
    let make: [fn(&Path, &Path); 4] = [
        |path, _| fs::create_dir(path).unwrap(),
        |path, victim| symlink(victim, path).unwrap(),
        |path, _| symlink("nowhere", path).unwrap(),
        |path, _| make_pipe(path),
    ];
    for name in ["log.3", "reserve"] {
        for make in make {
            let folder = Folder::new();
            drop(open(folder.path()).unwrap());
            let path = folder.path().join(name);
            let _ = fs::remove_file(&path);
            make(&path, &victim);
            let words = [name, "is not a regular file"];
            refused(folder.path(), ErrorKind::InvalidData, &words);
            assert!(ReadOnly::open(folder.path()).is_err());
        }
    }
    assert_eq!(fs::read(&victim).unwrap(), b"precious");
}

#[test]
fn a_log_that_is_longer_than_it_can_be_is_refused() {
    let folder = Folder::new();
    drop(open(folder.path()).unwrap());
    fs::File::create(folder.path().join("log.0")).unwrap().set_len(1 << 40).unwrap();
    refused(folder.path(), ErrorKind::InvalidData, &["log.0: damaged: it has 1099511627776 bytes"]);
}

#[test]
fn files_that_contradict_each_other_are_reported_with_the_folder() {
    let folder = Folder::new();
    let store = open(folder.path()).unwrap();
    store.commit(&[put("a", 1, None, b"a"), put("b", 1, None, b"b")], &head(1)).unwrap();
    drop(store);
    let error = Server::builder().data(folder.path().to_path_buf()).bind().unwrap_err().to_string();
    assert!(error.contains("contradict each other"), "{error}");
    assert!(error.contains(folder.path().to_str().unwrap()), "{error}");
}

#[test]
fn a_log_without_its_database_is_refused() {
    let folder = Folder::new();
    fill(&open(folder.path()).unwrap());
    let moved = folder.path().with_extension("redb");
    fs::rename(database(folder.path()), &moved).unwrap();
    refused(folder.path(), ErrorKind::InvalidData, &["has log.0, but no telefile.redb"]);
    assert!(!database(folder.path()).exists(), "no new one");
    fs::rename(&moved, database(folder.path())).unwrap();
    assert_eq!(found(&open(folder.path()).unwrap()).0.version, 8);
}

/// It was killed while it made a new one.
#[test]
fn an_unfinished_store_is_created_again() {
    let folder = Folder::new();
    let unfinished = folder.path().join("telefile.redb.unfinished");
    fs::write(&unfinished, "half").unwrap();
    assert_eq!(found(&open(folder.path()).unwrap()).0.epoch, EPOCH);
    assert!(!unfinished.exists());
}

#[test]
fn the_size_is_that_on_the_disk() {
    let folder = Folder::new();
    let store = open(folder.path()).unwrap();
    let before = store.bytes().unwrap();
    fill(&store);
    let after = store.bytes().unwrap();
    assert!(after >= before + 300_000 && after < 20 << 20, "{before} {after}");
    let blocks = fs::metadata(database(folder.path())).unwrap().blocks();
    let is_log = |e: &fs::DirEntry| e.file_name().to_string_lossy().starts_with("log.");
    let entries = fs::read_dir(folder.path()).unwrap().map(Result::unwrap);
    let log: u64 = entries.filter(is_log).map(|e| e.metadata().unwrap().len()).sum();
    assert_eq!(after, blocks * 512 + log);
}
