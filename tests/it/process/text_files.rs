//! Text files and the program: kills, full disks, roots.

use super::{Serving, run, telefile};
use crate::programs::{program, skipped};
use crate::server::{Client, Folder};
use rustix::process::Signal;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Command;

const BYTES: usize = 200_000;

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap().flatten();
    let mut names: Vec<_> = entries.map(|entry| entry.file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn write(client: &mut Client, contents: &[u8]) -> String {
    client.write("f", contents)
}

/// Starts `telefile serve` with this root by a shell that runs a command before; `inside` is the
/// program that starts the shell.
pub(super) fn serving_after(inside: &[&str], preparation: &str, root: &Path) -> Command {
    let script = format!("{preparation} && exec \"$0\" \"$@\"");
    let telefile = env!("CARGO_BIN_EXE_telefile");
    let serve = ["sh", "-c", &script, telefile, "serve", "--listen", "127.0.0.1:0", "--root"];
    let mut words = inside.iter().chain(&serve);
    let mut command = program(words.next().unwrap_or(&"sh"));
    command.args(words).arg(root);
    command
}

#[test]
fn a_server_killed_in_a_write_leaves_the_old_or_the_new_contents() {
    let folder = Folder::new();
    let root = folder.path().join("files");
    let values = [vec![b'a'; BYTES], vec![b'b'; BYTES]];
    for round in 0..10 {
        let mut serving = Serving::local(&["--root", root.to_str().unwrap()]);
        let mut client = serving.client();
        assert!(client.ask("open f TextFile").starts_with("FD "));
        assert!(write(&mut client, &values[0]).starts_with("OK "));
        assert_eq!(names(&root), ["f"], "what was left is removed");
        // It is killed in a series of writes.
        let sender = client.sender();
        let requests = values.clone().map(|v| [b"write f 200000\r\n", &v[..], b"\r\n"].concat());
        let sending = std::thread::spawn(move || {
            while requests.iter().all(|request| sender.try_send(request).is_ok()) {}
        });
        for _ in 0..round {
            assert!(client.line().starts_with("OK "));
        }
        serving.program.signal(Signal::KILL);
        let status = serving.program.child.wait().unwrap();
        assert_eq!(status.signal(), Some(9));
        let left = fs::read(root.join("f")).unwrap();
        sending.join().unwrap();
        assert!(values.contains(&left), "round {round}: {} bytes", left.len());
    }
}

/// A full file system in a mount namespace of its own.
#[test]
fn a_full_disk_leaves_the_old_contents() {
    let folder = Folder::new();
    let root = folder.path().join("files");
    fs::create_dir(&root).unwrap();
    let mount = format!("mount -t tmpfs -o size=200k none '{}'", root.display());
    let possible = program("unshare").args(["-m", "sh", "-c", &mount]).output();
    if !possible.is_ok_and(|output| output.status.success()) {
        skipped("mounts are not permitted");
        return;
    }
    refuses_what_does_not_fit(serving_after(&["unshare", "-m"], &mount, &root));
}

#[track_caller]
fn refuses_what_does_not_fit(command: Command) {
    let serving = Serving::from(command);
    let mut client = serving.client();
    assert_eq!(client.ask("open f TextFile"), "FD 0 1 TextFile");
    assert_eq!(client.write("f", b"old"), "OK 2");
    // More than once: a temporary file that is left would fill the disk.
    for _ in 0..3 {
        assert_eq!(write(&mut client, &[b'n'; BYTES + 10_000]), "ERR_INTERNAL");
        assert_eq!(client.ask("read f"), "CONTENTS 2 3 0");
        assert_eq!(client.contents(3), b"old");
    }
    serving.logs(&["ERROR", "\"f\""]);
    assert_eq!(client.write("f", &[b'n'; 50_000]), "OK 3");
    assert_eq!(client.ask("stat f"), "STAT 3 50000 0 TextFile 1");
}

#[test]
fn a_server_does_not_start_if_its_root_is_no_folder() {
    let folder = Folder::new();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let file = file.to_str().unwrap();
    let ended = run(telefile(&["serve", "--listen", "127.0.0.1:0", "--root", file]));
    ended.failed(1, &[file, "not a folder"]);
    run(telefile(&["serve", "--root", ""])).failed(2, &["a value is required for '--root <DIR>'"]);
}

#[test]
fn the_first_write_creates_the_folder() {
    let folder = Folder::new();
    let mut command = telefile(&["serve", "--listen", "127.0.0.1:0"]);
    command.current_dir(folder.path());
    let serving = Serving::from(command);
    let mut client = serving.client();
    assert_eq!(client.ask("open a/f TextFile"), "FD 0 1 TextFile");
    assert_eq!(client.ask("read a/f"), "CONTENTS 1 0 0");
    client.contents(0);
    assert_eq!(names(folder.path()), [""; 0]);
    assert_eq!(client.write("a/f", b"x"), "OK 2");
    assert_eq!(fs::read(folder.path().join("files/a/f")).unwrap(), b"x");
}
