//! `telefile backup` of a folder that it may not change.
#![cfg(feature = "durable")]

use super::{Serving, run, telefile};
use crate::programs::{program, skipped};
use crate::server::Folder;
use rustix::process::Signal;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use telefile::Client;

const FILES: usize = 40;

/// Makes a folder whose server was killed in a write. Returns its path.
fn killed(folder: &Folder) -> String {
    let data = format!("{}", folder.path().join("data").display());
    let mut serving = Serving::local(&["--data", &data]);
    let client = Client::connect(&serving.addresses[0].to_string()).unwrap();
    for i in 0..FILES {
        client.write(&format!("f{i}")[..], vec![i as u8; 1000 * i]).unwrap();
    }
    let (writes, written) = std::sync::mpsc::channel();
    let sending = std::thread::spawn(move || {
        while client.write("last", vec![7; 50_000]).is_ok() {
            let _ = writes.send(());
        }
    });
    written.recv().unwrap();
    serving.program.signal(Signal::KILL);
    serving.program.child.wait().unwrap();
    sending.join().unwrap();
    data
}

/// Returns all files of a folder with their metadata.
fn all(folder: &str) -> BTreeMap<String, (Vec<u8>, i64, i64, u32)> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let of = |path: &Path| {
        let found = fs::metadata(path).unwrap();
        (fs::read(path).unwrap(), found.mtime(), found.mtime_nsec(), found.mode())
    };
    entries.map(|e| (e.file_name().into_string().unwrap(), of(&e.path()))).collect()
}

/// Restores the backup, and checks that every file exists.
#[track_caller]
fn is_whole(folder: &Folder, backup: &str) {
    let new = format!("{}", folder.path().join("new").display());
    assert_eq!(run(telefile(&["restore", backup, &new])).status, 0);
    let serving = Serving::local(&["--data", &new]);
    let client = Client::connect(&serving.addresses[0].to_string()).unwrap();
    for i in 0..FILES {
        let read = client.read(&format!("f{i}")[..]).unwrap();
        assert!(*read.contents == vec![i as u8; 1000 * i], "{i}");
    }
    serving.stop(Signal::TERM);
}

#[test]
fn a_backup_does_not_change_the_folder_of_a_killed_server() {
    let folder = Folder::new();
    let data = killed(&folder);
    let before = all(&data);
    let backup = format!("{}", folder.path().join("b").display());
    let ended = run(telefile(&["backup", &data, &backup]));
    assert_eq!((ended.status, &ended.stderr[..]), (0, ""));
    assert!(all(&data) == before, "it was changed");
    is_whole(&folder, &backup);
    // The server itself finds the same files after the backup.
    drop(Serving::local(&["--data", &data]));
}

/// Like a snapshot.
#[test]
fn a_folder_that_is_mounted_read_only_can_be_backed_up() {
    let folder = Folder::new();
    let data = killed(&folder);
    let backup = format!("{}", folder.path().join("b").display());
    let mount = "mount --bind \"$0\" \"$0\" && mount -o remount,bind,ro \"$0\" && ! touch \"$0/x\"";
    let unshare = |script: &str| {
        let mut command = program("unshare");
        command.args(["-m", "sh", "-c", script, &data]);
        command
    };
    let possible = unshare(mount).output();
    if !possible.is_ok_and(|output| output.status.success()) {
        return skipped("mounts are not permitted");
    }
    let mut command = unshare(&format!("({mount}) 2>/dev/null && exec \"$@\""));
    command.args([env!("CARGO_BIN_EXE_telefile"), "backup", &data, &backup]);
    let ended = run(command);
    assert_eq!((ended.status, &ended.stderr[..]), (0, ""));
    is_whole(&folder, &backup);
}

#[test]
fn a_user_with_read_access_can_back_up_a_folder() {
    let folder = Folder::new();
    let data = killed(&folder);
    for entry in fs::read_dir(&data).unwrap() {
        fs::set_permissions(entry.unwrap().path(), PermissionsExt::from_mode(0o444)).unwrap();
    }
    fs::set_permissions(&data, PermissionsExt::from_mode(0o555)).unwrap();
    fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755)).unwrap();
    let telefile = env!("CARGO_BIN_EXE_telefile");
    // The superuser may write in spite of the modes.
    let mut words = vec!["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", telefile];
    if !rustix::process::geteuid().is_root() {
        words.drain(..4);
    }
    let other = |args: &[&str]| {
        let mut command = program(words[0]);
        command.args(&words[1..]).args(args);
        command
    };
    if !other(&["--version"]).output().is_ok_and(|output| output.status.success()) {
        return skipped("no other user can run the program");
    }
    let out = other(&["backup", &data, "-"]).output().unwrap();
    fs::set_permissions(&data, PermissionsExt::from_mode(0o700)).unwrap();
    let said = String::from_utf8_lossy(&out.stderr);
    assert_eq!((out.status.code(), &said[..]), (Some(0), ""));
    let backup = folder.path().join("b");
    fs::write(&backup, out.stdout).unwrap();
    is_whole(&folder, &format!("{}", backup.display()));
}
