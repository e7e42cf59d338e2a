//! `telefile lock`: its holder, what its command gets, and how the command ends.

use super::verbs::at;
use super::{Ended, Program, Serving, Text, run};
use crate::programs::program;
use crate::server::{Client, Folder, eventually};
use rustix::process::Signal;
use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::process::{ChildStdin, Command, Stdio};

/// A running `telefile lock`; its command can read what is typed.
pub(super) struct Locked {
    pub(super) program: Program,
    /// The command's, and its end when this is dropped.
    pub(super) typed: Option<ChildStdin>,
}

impl Locked {
    /// Started, and perhaps waiting for the lock.
    pub(super) fn start(mut command: Command) -> Locked {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let typed = child.stdin.take();
        let stdout = Text::of(child.stdout.take().unwrap());
        let stderr = Text::of(child.stderr.take().unwrap());
        Locked { program: Program { child, stdout, stderr }, typed }
    }

    /// Started with `lock` and these arguments, and its shell script has said `ready`.
    #[track_caller]
    pub(super) fn ready(serving: &Serving, args: &[&str], script: &str) -> Locked {
        let args = [&["lock", "db"], args, &["--", "sh", "-c", script]].concat();
        let locked = Locked::start(at(serving, &args));
        locked.says("ready");
        locked
    }

    #[track_caller]
    pub(super) fn says(&self, line: &str) {
        let Program { stdout, stderr, .. } = &self.program;
        eventually(line, || {
            assert_eq!(stderr.now(), "");
            stdout.now().lines().any(|l| l == line)
        });
    }

    /// Lets the command read this line.
    pub(super) fn type_line(&mut self, line: &str) {
        writeln!(self.typed.as_mut().unwrap(), "{line}").unwrap();
    }

    /// Waits for the end: its status, and what was said on stderr.
    #[track_caller]
    pub(super) fn ended(&mut self) -> (i32, String) {
        let status = self.program.wait();
        (status, self.program.stderr.whole())
    }
}

/// Runs a shell script that ends by itself, under the lock `db`.
fn sh(serving: &Serving, args: &[&str], script: &str) -> Ended {
    let args = [&["lock", "db"], args, &["--", "sh", "-c", script]].concat();
    run(at(serving, &args))
}

/// Somebody has the lock.
pub(super) fn hold(serving: &Serving) -> Client {
    let mut holder = serving.client();
    assert_eq!(holder.ask("cas db 0 5 -1\r\nsomeX"), "OK 1");
    holder
}

#[test]
fn lock_exits_with_the_status_of_its_command() {
    let serving = Serving::local(&[]);
    for ttl in [&[][..], &["--ttl", "99"]] {
        for (script, status) in [("exit 0", 0), ("exit 7", 7), ("kill -KILL $$", 137)] {
            let ended = sh(&serving, ttl, script);
            assert_eq!((ended.status, &ended.stderr[..]), (status, ""), "{script}");
            assert_eq!(serving.client().ask("stat db"), "ERR_FILE_NOT_FOUND", "it is released");
        }
    }
}

#[test]
fn a_command_that_cannot_be_run_is_status_126_or_127() {
    let serving = Serving::local(&[]);
    let folder = Folder::new();
    let path = folder.path().join("not-executable");
    fs::write(&path, "#!/bin/sh\n").unwrap();
    let path = path.to_str().unwrap();
    for (command, status) in [(path, 126), ("/no/such", 127)] {
        run(at(&serving, &["lock", "db", "--ttl", "99", command])).failed(status, &[command]);
        assert_eq!(serving.client().ask("stat db"), "ERR_FILE_NOT_FOUND", "it is released");
    }
}

#[test]
fn failures_of_lock_have_their_own_statuses() {
    let serving = Serving::local(&[]);
    for (args, word) in [
        (&["lock"][..], "NAME"),
        (&["lock", "db"], "COMMAND"),
        (&["lock", "db", "--"], "COMMAND"),
        (&["lock", "a b", "true"], "a b"),
        (&["lock", "db", "--ttl", "0", "true"], "'0' for '--ttl <SECS>'"),
        (&["lock", "db", "--ttl", "-1", "true"], "'-1' for '--ttl <SECS>'"),
        (&["lock", "db", "--wait", "-1", "true"], "'-1' for '--wait <SECS>'"),
        (&["lock", "db", "--check", "0", "true"], "'0' for '--check <SECS>'"),
        (&["lock", "db", "-E", "256", "true"], "256"),
        (&["lock", "db", "--no-such", "true"], "--no-such"),
        (&["lock", "db", "--addr", "nowhere", "true"], "nowhere"),
    ] {
        run(at(&serving, args)).failed(64, &[word]);
    }
    let nobody = ["lock", "db", "--addr", "unix:/no/such", "true"];
    run(at(&serving, &nobody)).failed(69, &["/no/such"]);
    let _holder = hold(&serving);
    for (args, status) in [
        (&["--wait", "0"][..], 75),
        (&["--wait", "1", "--ttl", "9"], 75),
        (&["--wait", "0", "-E", "3"], 3),
        (&["--wait", "0", "-E3"], 3),
        (&["--wait", "0", "--conflict-exit-code", "0"], 0),
    ] {
        let ended = sh(&serving, args, "echo never");
        assert_eq!((ended.status, &ended.stdout[..]), (status, ""), "{args:?}");
        assert_eq!(ended.stderr, "telefile: lock db is held by someX\n", "{args:?}");
    }
}

#[test]
fn the_shell_runs_a_script_without_an_interpreter() {
    let serving = Serving::local(&[]);
    let folder = Folder::new();
    let path = folder.path().join("script");
    fs::write(&path, "echo $TELEFILE_TOKEN $TELEFILE_EPOCH $0 $1\nexit 5\n").unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
    let (path, folder) = (path.to_str().unwrap(), folder.path().to_str().unwrap());
    let epoch = run(at(&serving, &["hello"])).stdout;
    let epoch = epoch.split(' ').next().unwrap();
    for (token, name) in [(1, path), (3, "script")] {
        let mut command = at(&serving, &["lock", "db", name, "a b"]);
        command.env("PATH", format!("/no/such:{folder}"));
        let ended = run(command);
        assert_eq!((ended.status, &ended.stderr[..]), (5, ""), "{ended:?}");
        assert_eq!(ended.stdout, format!("{token} {epoch} {path} a b\n"));
    }
}

#[test]
fn everything_after_the_name_is_the_command() {
    let serving = Serving::local(&[]);
    let mut command = at(&serving, &["lock", "--wait", "9", "db", "printf", "%s.%s.%s", "--wait"]);
    command.args([OsStr::new("--"), OsStr::from_bytes(b"\xff")]);
    let Ended { status, stdout, .. } = run(command);
    assert_eq!((status, &stdout[..]), (0, "--wait.--.\u{fffd}"));
}

#[test]
fn holders_follow_each_other_and_each_has_a_greater_token() {
    let serving = Serving::local(&[]);
    let folder = Folder::new();
    let shared = folder.path().join("shared");
    let script = "for i in 1 2 3 4 5 6 7 8 9; do echo $TELEFILE_TOKEN >> \"$0\"; done";
    let start = |ttl: &[&str]| {
        let args = [&["lock", "db"], ttl, &["sh", "-c", script, shared.to_str().unwrap()]].concat();
        Program::start(at(&serving, &args))
    };
    // All start while another client holds it.
    let mut holder = hold(&serving);
    let mut programs: Vec<_> =
        (0..8).map(|i| start(if i % 2 == 0 { &[] } else { &["--ttl", "99"] })).collect();
    eventually("all wait", || holder.stat("watches") == 8);
    // That one is none of theirs, although it begins so.
    holder.write("db2", b"");
    assert_eq!(holder.ask("delete db2"), "OK");
    eventually("all wait again", || holder.stat("watches") == 8);
    assert!(!shared.exists());
    assert_eq!(holder.ask("delete db"), "OK");
    programs.iter_mut().for_each(|program| assert_eq!(program.wait(), 0));
    let lines = fs::read_to_string(&shared).unwrap();
    let tokens: Vec<u64> = lines.lines().map(|line| line.parse().unwrap()).collect();
    assert_eq!(tokens.len(), 8 * 9);
    assert!(tokens.is_sorted(), "{tokens:?}");
    assert!(tokens.chunks(9).all(|of_one| of_one[0] == of_one[8]), "{tokens:?}");
    assert_eq!(tokens.chunk_by(|a, b| a == b).count(), 8);
}

#[test]
fn the_token_is_the_version_of_a_file_that_names_its_holder() {
    let serving = Serving::local(&[]);
    serving.client().write("f", b"");
    let mut outer = Locked::ready(&serving, &[], "echo $TELEFILE_TOKEN; echo ready; read x");
    let pid = outer.program.child.id();
    let mut client = serving.client();
    assert_eq!(outer.program.stdout.now(), "2\nready\n");
    let head = client.ask("read db");
    let numbytes = head.strip_prefix("CONTENTS 2 ").and_then(|h| h.strip_suffix(" -1"));
    let contents = client.contents(numbytes.expect(&head).parse().unwrap());
    assert!(contents.ends_with(format!(":{pid}\n").as_bytes()), "{contents:?}");
    let mut inner = at(&serving, &["lock", "inner", "env"]);
    inner.env("TELEFILE_TOKEN", "2");
    let environment = run(inner).stdout;
    let tokens: Vec<_> = environment.lines().filter(|l| l.starts_with("TELEFILE_TOKEN")).collect();
    assert_eq!(tokens, ["TELEFILE_TOKEN=3"]);
    outer.type_line("");
    assert_eq!(outer.ended(), (0, String::new()));
}

#[test]
fn a_killed_holder_frees_the_lock_while_its_command_goes_on() {
    let serving = Serving::local(&[]);
    let mut killed = Locked::ready(&serving, &[], "echo ready; read x; echo survived");
    killed.program.signal(Signal::KILL);
    assert_eq!(sh(&serving, &[], "echo mine").stdout, "mine\n");
    killed.type_line("");
    killed.says("survived");
}

#[test]
fn the_command_starts_as_without_a_lock() {
    let serving = Serving::local(&[]);
    // The signals that are blocked and ignored, and which sockets are open.
    let script = "grep -E '^Sig(Blk|Ign)' /proc/self/status; \
                  for fd in /proc/self/fd/*; do readlink $fd; done | grep -c socket; true";
    let mut alone = program("sh");
    let alone = run({
        alone.args(["-c", script]);
        alone
    });
    for ttl in [&[][..], &["--ttl", "99"]] {
        assert_eq!(sh(&serving, ttl, script).stdout, alone.stdout);
    }
    assert!(cfg!(not(target_os = "linux")) || alone.stdout.lines().count() == 3, "{alone:?}");
}
