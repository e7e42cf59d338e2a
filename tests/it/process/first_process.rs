//! `telefile` as the first process of a container: the kernel drops signals that it does not handle,
//! and orphans become its children.
#![cfg(target_os = "linux")]

use super::inherited::with;
use super::lock::{Locked, hold};
use super::lock_signals::{children, comm, state};
use super::verbs::at;
use super::{Program, Serving};
use crate::programs::{program, skipped};
use crate::server::eventually;
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

/// Returns the same command as the first process of a PID namespace; `None` where that is not
/// permitted.
fn first(command: &Command) -> Option<Command> {
    let unshare = ["--map-root-user", "--pid", "--fork", "--kill-child", "--mount-proc"];
    let possible = program("unshare").args(unshare).arg("true").output();
    if !possible.is_ok_and(|output| output.status.success()) {
        skipped(&format!("no name space of one's own: {command:?}"));
        return None;
    }
    let mut first = program("unshare");
    first.args(unshare).arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => first.env(name, value),
            None => first.env_remove(name),
        };
    }
    Some(first)
}

/// Returns the child of `unshare`.
fn inside(unshare: &Program) -> Pid {
    let pid = unshare.child.id();
    let mut found = None;
    eventually("it has a child", || {
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
        found = children.split_whitespace().next().and_then(|pid| pid.parse().ok());
        found.is_some()
    });
    Pid::from_raw(found.unwrap()).unwrap()
}

/// A session that was made outside the namespace has the number 0 inside.
#[test]
fn lock_stops_and_continues_its_command_in_a_session_of_another_namespace() {
    let serving = Serving::local(&[]);
    let lock = at(&serving, &["lock", "db", "sh", "-c", "echo ready; exec cat"]);
    // Whoever runs the tests may ignore them.
    let Some(lock) = with(&["--default-signal=TSTP,CONT"], &lock) else { return };
    let Some(mut lock) = first(&lock) else { return };
    // Nobody could continue a group whose parents are all in other sessions: the kernel stops none.
    lock.process_group(0);
    let mut locked = Locked::start(lock);
    locked.says("ready");
    let lock = inside(&locked.program);
    let command = || {
        let all = children(lock.as_raw_pid() as u32).into_iter();
        let mut named = all.filter(|pid| comm(*pid) == "cat");
        named.next()
    };
    eventually("the shell has become cat", || command().is_some());
    let command = command().unwrap();
    kill_process(lock, Signal::TSTP).unwrap();
    eventually("it is stopped", || state(command) == Some('T'));
    kill_process(lock, Signal::CONT).unwrap();
    eventually("it goes on", || state(command) != Some('T'));
    locked.type_line("typed");
    locked.says("typed");
    drop(locked.typed.take());
    assert_eq!(locked.ended(), (0, String::new()));
}

#[test]
fn a_signal_ends_every_command() {
    let serving = Serving::local(&[]);
    let mut holder = hold(&serving);
    holder.write("f", b"");
    for (signal, status) in [(Signal::TERM, 128 + 15), (Signal::INT, 128 + 2)] {
        for args in [
            &["lock", "db", "true"][..],
            &["watch", "f"],
            &["wait", "f", "2"],
            &["open", "f"],
            &["connect"],
            &["bench", "--conns", "1", "--secs", "3600"],
        ] {
            let clients = holder.stat("connections");
            let Some(mut command) = first(&at(&serving, args)) else { return };
            command.stdin(Stdio::piped());
            let mut program = Program::start_with_stdin(command);
            let _typed = program.child.stdin.take();
            eventually("it is connected", || holder.stat("connections") > clients);
            kill_process(inside(&program), signal).unwrap();
            assert_eq!(program.wait(), status, "{args:?}");
            eventually("it has ended", || holder.stat("connections") == clients);
        }
    }
}

#[test]
fn lock_and_serve_reap_orphans() {
    let serving = Serving::local(&[]);
    // Each line starts an orphan of 0.05 s; then all processes are listed.
    let script = "(sleep 0.05 & sleep 0.05 & sleep 0.05 &); sleep 0.2; \
                  until ! ps -A -o stat= | grep -q Z; do sleep 0.05; done; echo clean";
    let Some(lock) = first(&at(&serving, &["lock", "db", "sh", "-c", script])) else { return };
    let mut program = Program::start(lock);
    assert_eq!(program.wait(), 0);
    assert_eq!(program.stdout.whole(), "clean\n");
}

#[test]
fn a_server_that_is_the_first_process_stops() {
    let Some(serve) = first(&super::telefile(&["serve", "--listen", "127.0.0.1:0"])) else {
        return;
    };
    let mut serving = Serving::from(serve);
    kill_process(inside(&serving.program), Signal::TERM).unwrap();
    assert_eq!(serving.program.wait(), 0, "{}", serving.log());
}
