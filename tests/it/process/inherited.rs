//! What a program inherits from whatever starts it: ignored and blocked signals.

use super::verbs::at;
use super::{Program, Serving, run, telefile};
use crate::programs::{program, skipped};
use crate::server::eventually;
use rustix::process::Signal;
use std::process::Command;

/// Returns `command`, started by env(1) with these signal settings; `None` where env cannot do
/// that.
pub(super) fn with(treated: &[&str], command: &Command) -> Option<Command> {
    let mut env = program("env");
    env.args(treated);
    if !program("env").args(treated).arg("true").output().is_ok_and(|o| o.status.success()) {
        skipped(&format!("env(1) has no {treated:?} here"));
        return None;
    }
    env.arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => env.env(name, value),
            None => env.env_remove(name),
        };
    }
    Some(env)
}

#[test]
fn lock_gets_the_status_of_its_command_although_sigchld_is_ignored() {
    let serving = Serving::local(&[]);
    for (script, status) in [("exit 7", 7), ("kill -KILL $$", 137)] {
        let lock = at(&serving, &["lock", "db", "sh", "-c", script]);
        let Some(lock) = with(&["--ignore-signal=CHLD"], &lock) else { return };
        let ended = run(lock);
        assert_eq!((ended.status, &ended.stderr[..]), (status, ""), "{script}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn the_command_inherits_what_lock_has_inherited() {
    let serving = Serving::local(&[]);
    let script = "grep -E '^Sig(Blk|Ign)' /proc/self/status";
    for treated in [
        &["--ignore-signal=HUP,INT,QUIT,TERM,USR1,TSTP"][..],
        &["--block-signal=HUP,INT,TERM,USR2"],
    ] {
        let mut alone = program("sh");
        alone.args(["-c", script]);
        let Some(alone) = with(treated, &alone) else { return };
        let lock = at(&serving, &["lock", "db", "sh", "-c", script]);
        let (alone, lock) = (run(alone), run(with(treated, &lock).unwrap()));
        assert_eq!((lock.status, lock.stdout), (0, alone.stdout), "{treated:?}");
    }
}

/// Like after nohup(1), or in the background of a script.
#[test]
fn a_server_keeps_ignoring_inherited_ignored_signals() {
    let serve = telefile(&["serve", "--listen", "127.0.0.1:0"]);
    let Some(serve) = with(&["--ignore-signal=HUP,INT"], &serve) else { return };
    let serving = Serving::from(serve);
    serving.program.signal(Signal::HUP);
    serving.program.signal(Signal::INT);
    assert_eq!(serving.client().ask("stat f"), "ERR_FILE_NOT_FOUND");
    let log = serving.stop(Signal::TERM);
    assert_eq!(log.matches("stopping").count(), 1, "{log}");
}

#[test]
fn a_server_stops_although_the_signal_was_blocked() {
    let serve = telefile(&["serve", "--listen", "127.0.0.1:0"]);
    let Some(serve) = with(&["--block-signal=TERM"], &serve) else { return };
    Serving::from(serve).stop(Signal::TERM);
}

#[test]
fn lock_forwards_blocked_signals_and_not_ignored_ones() {
    let serving = Serving::local(&[]);
    let script = "trap 'exit 9' HUP; trap 'exit 8' TERM; echo ready; while sleep 0.01; do :; done";
    let command = ["env", "--default-signal=HUP", "sh", "-c", script];
    let lock = at(&serving, &[&["lock", "db"], &command[..]].concat());
    let Some(lock) = with(&["--ignore-signal=HUP", "--block-signal=TERM"], &lock) else { return };
    let mut program = Program::start(lock);
    eventually("it runs", || program.stdout.now() == "ready\n");
    program.signal(Signal::HUP);
    program.signal(Signal::TERM);
    assert_eq!(program.wait(), 8);
}
