//! A signal in the middle of a restore or a backup.
#![cfg(feature = "durable")]

use super::{Program, Text, run, telefile};
use crate::programs::program;
use crate::server::{Folder, eventually};
use rustix::process::Signal;
use std::fs;
use std::io::Write;
use std::process::{ChildStdin, Command, Stdio};
use telefile::NameRef;
use telefile::store::{Durable, Head, Life, Mutation, Options, Store};

/// A backup of a mebibyte.
fn backup(folder: &Folder) -> Vec<u8> {
    let data = folder.path().join("data");
    let store = Durable::open(&data, Options::default(), 1).unwrap();
    let put = Mutation::Put {
        name: NameRef::new("f").unwrap().to_name(),
        version: 1,
        old: None,
        removed: None,
        life: Life::Unlimited,
        contents: Some(vec![b'x'; 1 << 20].into()),
    };
    let head = Head { epoch: 1, version: 1, time: Default::default(), forgotten: 0 };
    store.commit(&[put], &head).unwrap();
    let mut bytes = Vec::new();
    store.backup(&mut bytes, "backup").unwrap();
    bytes
}

/// A restore to `a/b` in the folder that has read half of the backup, and waits for the rest.
fn half(folder: &Folder, mut command: Command, bytes: &[u8]) -> (Program, ChildStdin) {
    command.args(["restore", "-"]).arg(folder.path().join("a/b"));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let (out, err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let mut stdin = child.stdin.take().unwrap();
    let program = Program { child, stdout: Text::of(out), stderr: Text::of(err) };
    stdin.write_all(&bytes[..bytes.len() / 2]).unwrap();
    let unfinished = folder.path().join("a/b/telefile.redb.unfinished");
    eventually("it has begun", || unfinished.exists());
    (program, stdin)
}

#[test]
fn a_restore_that_a_signal_ends_leaves_nothing_behind() {
    let folder = Folder::new();
    let bytes = backup(&folder);
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let (mut program, _stdin) = half(&folder, telefile(&[]), &bytes);
        program.signal(signal);
        assert_eq!(program.wait(), 130, "{signal:?}");
        assert!(!folder.path().join("a").exists(), "{signal:?}");
    }
}

/// The rest of a killed restore is no empty table, and does not prevent another restore.
#[test]
fn a_killed_restore_is_not_served_and_can_be_repeated() {
    let folder = Folder::new();
    let bytes = backup(&folder);
    let (mut program, _stdin) = half(&folder, telefile(&[]), &bytes);
    program.signal(Signal::KILL);
    program.child.wait().unwrap();
    let mut serve = telefile(&["serve", "--listen", "127.0.0.1:0", "--data"]);
    serve.arg(folder.path().join("a/b"));
    run(serve).failed(1, &["a/b: a restore into it was not finished", "restore.unfinished"]);
    let file = folder.path().join("b");
    fs::write(&file, &bytes).unwrap();
    let mut again = telefile(&["restore"]);
    again.arg(&file).arg(folder.path().join("a/b"));
    assert_eq!(run(again).status, 0);
    let names = fs::read_dir(folder.path().join("a/b")).unwrap();
    assert_eq!(names.map(|e| e.unwrap().file_name()).collect::<Vec<_>>(), ["telefile.redb"]);
}

/// Started like by nohup(1).
#[test]
fn an_ignored_signal_does_not_end_a_restore() {
    let folder = Folder::new();
    let bytes = backup(&folder);
    let mut shell = program("sh");
    shell.args(["-c", "trap '' HUP && exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_telefile")]);
    let (mut program, mut stdin) = half(&folder, shell, &bytes);
    program.signal(Signal::HUP);
    stdin.write_all(&bytes[bytes.len() / 2..]).unwrap();
    drop(stdin);
    assert_eq!(program.wait(), 0);
    let store = Durable::open_existing(&folder.path().join("a/b"), Options::default()).unwrap();
    assert_eq!(store.contents(1).unwrap().unwrap().len(), 1 << 20);
}
