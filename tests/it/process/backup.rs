//! `telefile backup` and `telefile restore`.
#![cfg(feature = "durable")]

use super::verbs::feed;
use super::{Ended, run, telefile};
use crate::programs::{program, skipped};
use crate::server::Folder;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use telefile::NameRef;
use telefile::store::{Durable, Head, Life, Mutation, Options, RowContents, Store};

const EPOCH: u64 = 5;

/// A folder with a store of one file with these contents.
fn store(folder: &Folder, contents: &str) -> String {
    let path = folder.path().join("data");
    let store = Durable::open(&path, Options::default(), EPOCH).unwrap();
    let put = Mutation::Put {
        name: NameRef::new("f").unwrap().to_name(),
        version: 3,
        old: None,
        removed: None,
        life: Life::Unlimited,
        contents: Some(contents.into()),
    };
    let head = Head { epoch: EPOCH, version: 4, time: Duration::ZERO, forgotten: 0 };
    store.commit(&[put], &head).unwrap();
    text(path)
}

fn text(path: PathBuf) -> String {
    path.into_os_string().into_string().unwrap()
}

/// Returns epoch and version of a store, and the contents of its files.
fn look(path: &str) -> (u64, u64, Vec<String>) {
    let store = Durable::open_existing(path.as_ref(), Options::default()).unwrap();
    let mut files = Vec::new();
    let mut file = |kept| match kept {
        RowContents::Inline(contents) => files.push(String::from_utf8(contents.to_vec()).unwrap()),
        other => panic!("{other:?}"),
    };
    let head = store.load(&mut |row| file(row.contents), &mut |_, _| ()).unwrap();
    (head.epoch, head.version, files)
}

#[track_caller]
fn silent(args: &[&str]) {
    let Ended { status, stdout, stderr } = run(telefile(args));
    assert_eq!((status, &stdout[..], &stderr[..]), (0, "", ""), "{args:?}");
}

#[test]
fn a_restored_backup_is_another_table() {
    let folder = Folder::new();
    let data = store(&folder, "abc");
    let at = |name: &str| text(folder.path().join(name));
    silent(&["backup", &data, &at("b")]);
    assert_eq!(fs::metadata(at("b")).unwrap().mode() & 0o777, 0o600);
    silent(&["restore", &at("b"), &at("one")]);
    silent(&["restore", &at("b"), &at("two")]);
    let (one, two) = (look(&at("one")), look(&at("two")));
    assert_eq!((one.1, &one.2[..]), (4, &["abc".to_string()][..]));
    assert_eq!((two.1, &two.2[..]), (4, &["abc".to_string()][..]));
    assert!(one.0 != EPOCH && two.0 != EPOCH && one.0 != two.0, "an epoch for each");
    assert_eq!(look(&data), (EPOCH, 4, vec!["abc".to_string()]), "it stays as it was");
    assert_eq!(names(folder.path()), ["b", "data", "one", "two"]);
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name());
    let mut names: Vec<_> = entries.map(|name| name.into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_backup_can_be_piped() {
    let folder = Folder::new();
    let data = store(&folder, "abc");
    let out = telefile(&["backup", &data, "-"]).output().unwrap();
    assert_eq!((out.status.code(), &out.stderr[..]), (Some(0), &b""[..]));
    let new = text(folder.path().join("new"));
    let fed = feed(telefile(&["restore", "-", &new]), &out.stdout);
    assert_eq!((fed.status, &fed.stderr[..]), (0, ""));
    assert_eq!(look(&new).2, ["abc"]);

    let cut = text(folder.path().join("cut"));
    let fed = feed(telefile(&["restore", "-", &cut]), &out.stdout[..out.stdout.len() - 1]);
    assert_eq!(fed.status, 1);
    assert!(fed.stderr.starts_with("telefile: stdin: damaged"), "{}", fed.stderr);
}

#[test]
fn a_folder_in_use_is_refused() {
    let folder = Folder::new();
    let data = store(&folder, "abc");
    let at = |name: &str| text(folder.path().join(name));
    silent(&["backup", &data, &at("b")]);
    let running = Durable::open(data.as_ref(), Options::default(), EPOCH).unwrap();
    let words = [&data[..], "another telefile is using it"];
    run(telefile(&["backup", &data, &at("c")])).failed(1, &words);
    run(telefile(&["restore", &at("b"), &data])).failed(1, &words);
    run(telefile(&["restore", "--new-epoch", &data])).failed(1, &words);
    drop(running);
    assert_eq!(names(folder.path()), ["b", "data"]);
    run(telefile(&["restore", &at("b"), &data])).failed(1, &[&data, "is not empty"]);
    assert_eq!(look(&data).0, EPOCH);
}

#[test]
fn a_folder_restored_by_other_means_gets_a_new_epoch() {
    let folder = Folder::new();
    let data = store(&folder, "abc");
    silent(&["restore", "--new-epoch", &data]);
    let (epoch, version, files) = look(&data);
    assert_ne!(epoch, EPOCH);
    assert_eq!((version, &files[..]), (4, &["abc".to_string()][..]));
}

#[test]
fn a_failed_backup_or_restore_is_reported() {
    let folder = Folder::new();
    let data = store(&folder, "abc");
    let at = |name: &str| text(folder.path().join(name));
    fs::write(at("file"), "not to be lost").unwrap();
    fs::create_dir(at("empty")).unwrap();
    run(telefile(&["backup", &data, &at("file")])).failed(1, &[&at("file"), "already"]);
    assert_eq!(fs::read(at("file")).unwrap(), b"not to be lost");
    run(telefile(&["backup", &at("none"), &at("b")])).failed(1, &[&at("none"), "No such file"]);
    run(telefile(&["backup", &at("empty"), &at("b")])).failed(1, &[&at("empty"), "no store"]);
    run(telefile(&["backup", &data, &at("none/b")])).failed(1, &[&at("none/b"), "No such file"]);
    run(telefile(&["restore", &at("none"), &at("new")])).failed(1, &[&at("none"), "No such"]);
    run(telefile(&["restore", &at("file"), &at("new")]))
        .failed(1, &[&at("file"), "not a telefile backup"]);
    run(telefile(&["restore", "--new-epoch", &at("empty")])).failed(1, &["no store"]);
    fs::write(at("data/telefile.redb"), "damaged").unwrap();
    run(telefile(&["backup", &data, &at("b")]))
        .failed(1, &["telefile.redb", "not a telefile store"]);
    assert_eq!(names(folder.path()), ["data", "empty", "file"], "no other file was created");
}

#[test]
fn a_backup_that_does_not_fit_leaves_nothing() {
    let folder = Folder::new();
    let at = |name: &str| text(folder.path().join(name));
    let data = store(&folder, &"large".repeat(1 << 20));
    // 512-byte blocks of one file; ignoring the signal makes it an error of write.
    let script = "trap '' XFSZ && ulimit -f 2000 && exec \"$0\" backup \"$1\" \"$2\"";
    let mut shell = program("sh");
    shell.args(["-c", script, env!("CARGO_BIN_EXE_telefile"), &data, &at("b")]);
    run(shell).failed(1, &["File too large"]);
    assert_eq!(names(folder.path()), ["data"]);
    assert_eq!(look_large(&data), 5 << 20);
}

/// Returns the length of the one file of a store.
fn look_large(path: &str) -> usize {
    let store = Durable::open_existing(path.as_ref(), Options::default()).unwrap();
    store.contents(3).unwrap().unwrap().len()
}

/// A file system in a mount namespace of its own.
#[test]
fn a_backup_that_does_not_fit_on_the_disk_restores_nothing() {
    let folder = Folder::new();
    let at = |name: &str| text(folder.path().join(name));
    let data = store(&folder, &"large".repeat(1 << 20));
    silent(&["backup", &data, &at("b")]);
    fs::create_dir(at("disk")).unwrap();
    for (megabytes, fits) in [(20, false), (40, true)] {
        let mount = format!("mount -t tmpfs -o size={megabytes}m none '{}'", at("disk"));
        let possible = program("unshare").args(["-m", "sh", "-c", &mount]).output();
        if !possible.is_ok_and(|output| output.status.success()) {
            skipped("mounts are not permitted");
            return;
        }
        let script = format!("{mount} && \"$0\" restore \"$1\" \"$2\"; echo $?; ls \"$2\"");
        let telefile = env!("CARGO_BIN_EXE_telefile");
        let mut shell = program("unshare");
        shell.args(["-m", "sh", "-c", &script, telefile, &at("b"), &at("disk/new")]);
        let ended = run(shell);
        if fits {
            assert_eq!((&ended.stdout[..], &ended.stderr[..]), ("0\ntelefile.redb\n", ""));
        } else {
            assert_eq!(ended.stdout, "1\n", "{ended:?}");
            assert!(ended.stderr.contains("disk/new/telefile.redb: the disk is full"), "{ended:?}");
        }
    }
}

#[test]
fn a_wrong_command_line_is_reported() {
    for (args, word) in [
        (&["backup"][..], "FILE"),
        (&["backup", "d"], "<DIR>, --addr or --etcd is missing"),
        (&["backup", "d", "f", "g"], "g"),
        (&["restore"], "DIR"),
        (&["restore", "f"], "FILE"),
        (&["restore", "f", "d", "e"], "e"),
        (&["restore", "--new-epoch"], "DIR"),
        (&["restore", "--new-epoch", "f", "d"], "--new-epoch"),
    ] {
        run(telefile(args)).failed(2, &[args[0], word]);
    }
    for (args, words) in [
        (&["backup", "d", "f", "--etcd", "http://a"][..], "--etcd excludes <DIR>"),
        (
            &["backup", "f", "--addr", "a:1", "--etcd", "http://a"],
            "--etcd excludes <DIR> and --addr",
        ),
        (&["restore", "f", "d", "--etcd", "http://a"], "--etcd excludes <DIR>"),
        (&["restore", "--etcd", "http://a"], "<FILE> or --new-epoch is missing"),
        (&["restore", "f", "--etcd", "http://a", "--new-epoch"], "takes no file"),
        #[cfg(not(feature = "etcd"))]
        (&["backup", "f", "--etcd", "http://a"], "this telefile was built without etcd"),
        #[cfg(not(feature = "etcd"))]
        (&["restore", "f", "--etcd", "http://a"], "this telefile was built without etcd"),
        #[cfg(feature = "etcd")]
        (&["backup", "f", "--etcd", "a:2379"], "is not the URL of an etcd member"),
        #[cfg(feature = "etcd")]
        (&["restore", "f", "--etcd", "http://a", "--etcd-prefix", " "], "prefix"),
    ] {
        run(telefile(args)).failed(2, &[words]);
    }
    for command in ["backup", "restore"] {
        let help = run(telefile(&[command, "--help"]));
        assert_eq!((help.status, &help.stderr[..]), (0, ""));
        assert!(help.stdout.contains("DIR"), "{help:?}");
    }
}
