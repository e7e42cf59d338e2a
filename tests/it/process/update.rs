//! `telefile update`: a file through a command.

use super::verbs::{at, feed};
use super::{Program, Serving, run};
use crate::server::{Folder, eventually};
use rustix::process::{Pid, Signal, kill_process_group};
use std::os::unix::process::CommandExt;
use std::process::Command;

fn update(serving: &Serving, args: &[&str], script: &str) -> Command {
    at(serving, &[&["update"], args, &["--", "sh", "-c", script]].concat())
}

#[test]
fn the_output_of_the_command_is_written() {
    let serving = Serving::local(&[]);
    serving.client().write("f", b"a=1\n\xff");
    let ended = run(update(&serving, &["f"], "sed s/1/2/"));
    assert_eq!((ended.status, &ended.stdout[..], &ended.stderr[..]), (0, "2\n", ""));
    assert_eq!(feed(at(&serving, &["read", "f"]), b"").stdout, b"a=2\n\xff");
    // The same contents are no change.
    let ended = run(update(&serving, &["f", "--json"], "cat"));
    assert_eq!(ended.stdout, "{\"name\":\"f\",\"version\":2,\"changed\":false}\n");
    // The command need not read, its stderr is this one's, and it may write nothing.
    let ended = run(update(&serving, &["f", "--json"], "echo hi >&2; exec >&-"));
    assert_eq!(ended.stdout, "{\"name\":\"f\",\"version\":3,\"changed\":true}\n");
    assert_eq!(ended.stderr, "hi\n");
    feed(at(&serving, &["read", "f"]), b"").said(0, "", "");
}

#[test]
fn large_contents_go_through_the_command() {
    let serving = Serving::local(&[]);
    let bytes: Vec<u8> = (0..3_000_001_u32).map(|i| (i * 7 + i / 251) as u8).collect();
    assert_eq!(feed(at(&serving, &["write", "f"]), &bytes).stdout, b"1\n");
    assert_eq!(run(update(&serving, &["f"], "cat; echo more")).stdout, "2\n");
    let read = feed(at(&serving, &["read", "f"]), b"").stdout;
    assert!(read == [&bytes[..], b"more\n"].concat(), "{} bytes", read.len());
    // It ends without having read all.
    assert_eq!(run(update(&serving, &["f"], "head -c 2")).stdout, "3\n");
    let endless = run(update(&serving, &["f", "--max-contents", "1K"], "yes"));
    assert_eq!((endless.status, &endless.stdout[..]), (125, ""));
    let why = "telefile: the command wrote more than 1024 bytes; --max-contents raises that\n";
    assert_eq!(endless.stderr, why);
}

#[test]
fn a_failed_command_changes_nothing_and_its_status_is_that_of_update() {
    let serving = Serving::local(&[]);
    serving.client().write("f", b"x");
    for (script, status) in [("echo y; exit 7", 7), ("echo y; kill -KILL $$", 137)] {
        let ended = run(update(&serving, &["f"], script));
        assert_eq!((ended.status, &ended.stdout[..], &ended.stderr[..]), (status, "", ""));
    }
    run(at(&serving, &["update", "f", "/no/such"])).failed(127, &["/no/such"]);
    run(at(&serving, &["update", "f", "/"])).failed(126, &["/"]);
    run(at(&serving, &["update", "f"])).failed(64, &["COMMAND"]);
    run(at(&serving, &["update", "a b", "true"])).failed(64, &["a b"]);
    run(at(&serving, &["update", "--addr", "unix:/no/such", "f", "true"])).failed(69, &["/no"]);
    run(at(&serving, &["update", "g", "true"])).failed(66, &["g does not exist"]);
    assert!(serving.client().ask("stat f").starts_with("STAT 1 1 0 "));
}

#[test]
fn an_absent_file_is_made_from_the_default() {
    let serving = Serving::local(&[]);
    let script = "cat; echo \" $TELEFILE_VERSION\"";
    for (version, contents) in [("1\n", "new 0\n"), ("2\n", "new 0\n 1\n")] {
        assert_eq!(run(update(&serving, &["f", "--default", "new"], script)).stdout, version);
        feed(at(&serving, &["read", "f"]), b"").said(0, contents, "");
    }
    // It is made even if nothing is changed.
    assert_eq!(run(update(&serving, &["g", "--default", ""], "cat")).stdout, "3\n");
    feed(at(&serving, &["read", "g"]), b"").said(0, "", "");
}

#[test]
fn the_file_expires_as_before() {
    let serving = Serving::local(&[]);
    let mut client = serving.client();
    assert_eq!(client.ask("write f 1 5000\r\nx"), "OK 1");
    assert_eq!(run(update(&serving, &["f"], "echo y")).stdout, "2\n");
    let stat = client.ask("stat f");
    let left: u64 = stat.split(' ').nth(3).unwrap().parse().unwrap();
    assert!((1..=5000).contains(&left), "{stat}");
    assert_eq!(run(update(&serving, &["f", "--exptime", "0"], "echo z")).stdout, "3\n");
    assert!(client.ask("stat f").starts_with("STAT 3 2 0 "));
    assert_eq!(client.ask("write e 1 -1\r\nx"), "OK 4");
    let ephemeral = run(update(&serving, &["e"], "echo y"));
    ephemeral.failed(125, &["ends with the connection of another client", "--exptime"]);
    assert_eq!(run(update(&serving, &["e", "--exptime", "9"], "echo y")).stdout, "5\n");
}

/// Each adds a line, and runs again until nobody else was faster.
#[test]
fn no_update_is_lost() {
    let serving = Serving::local(&[]);
    serving.client().write("f", b"");
    let mut programs: Vec<_> = (0..8)
        .map(|i| Program::start(update(&serving, &["f"], &format!("cat; echo {i}"))))
        .collect();
    programs.iter_mut().for_each(|program| assert_eq!(program.wait(), 0));
    let read = String::from_utf8(feed(at(&serving, &["read", "f"]), b"").stdout).unwrap();
    let mut lines: Vec<_> = read.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["0", "1", "2", "3", "4", "5", "6", "7"]);
}

#[test]
fn the_command_runs_again_for_a_change_of_another_client() {
    let serving = Serving::local(&[]);
    let folder = Folder::new();
    let gate = folder.path().join("gate");
    serving.client().write("f", b"one");
    let script =
        format!("cat; echo ran >&2; until test -e '{}'; do sleep 0.01; done", gate.display());
    let mut program = Program::start(update(&serving, &["f"], &format!("{script}; echo .")));
    eventually("it runs", || program.stderr.now() == "ran\n");
    serving.client().write("f", b"two");
    std::fs::write(&gate, "").unwrap();
    assert_eq!(program.wait(), 0);
    assert_eq!((&program.stderr.whole()[..], &program.stdout.whole()[..]), ("ran\nran\n", "3\n"));
    feed(at(&serving, &["read", "f"]), b"").said(0, "two.\n", "");
}

#[test]
fn a_signal_ends_the_command_and_changes_nothing() {
    let serving = Serving::local(&[]);
    serving.client().write("f", b"x");
    for to_group in [false, true] {
        let mut command = update(&serving, &["f"], "echo ready >&2; exec sleep 3600");
        command.process_group(0);
        let mut program = Program::start(command);
        eventually("it runs", || program.stderr.now() == "ready\n");
        match to_group {
            true => kill_process_group(Pid::from_child(&program.child), Signal::TERM).unwrap(),
            false => program.signal(Signal::TERM),
        }
        assert_eq!(program.wait(), 128 + 15);
    }
    assert!(serving.client().ask("stat f").starts_with("STAT 1 1 0 "));
}

/// As the shell's `$(...)` does.
#[test]
fn the_output_ends_with_the_last_process_that_has_it_open() {
    let serving = Serving::local(&[]);
    serving.client().write("f", b"x");
    let script = "(while kill -0 $$ 2>/dev/null; do sleep 0.01; done; echo last) & echo first";
    let ended = run(update(&serving, &["f"], script));
    assert_eq!((ended.status, &ended.stderr[..]), (0, ""));
    feed(at(&serving, &["read", "f"]), b"").said(0, "first\nlast\n", "");
    // A signal ends the wait for it.
    let script = "sleep 3600 & echo $! >&2";
    let mut program = Program::start(update(&serving, &["f"], script));
    eventually("it runs", || program.stderr.now().ends_with('\n'));
    let sleep = program.stderr.now().trim_end().parse().unwrap();
    program.signal(Signal::TERM);
    assert_eq!(program.wait(), 128 + 15);
    let _ = rustix::process::kill_process(Pid::from_raw(sleep).unwrap(), Signal::KILL);
}

#[test]
fn a_lost_connection_is_status_69() {
    let serving = Serving::local(&[]);
    serving.client().write("f", b"x");
    let folder = Folder::new();
    let gate = folder.path().join("gate");
    let wait = format!("until test -e '{}'; do sleep 0.01; done", gate.display());
    let script = format!("echo ready >&2; {wait}; echo z");
    let mut updated = Program::start(update(&serving, &["f"], &script));
    eventually("it runs", || updated.stderr.now() == "ready\n");
    drop(serving);
    std::fs::write(&gate, "").unwrap();
    assert_eq!(updated.wait(), 69);
    assert!(updated.stderr.whole().contains("the change may have been made"));
    assert_eq!(updated.stdout.whole(), "");
}
