//! The signals to `telefile lock` that its command gets: each one once, unless the command has it
//! already.

use super::inherited::with;
use super::lock::{Locked, hold};
use super::verbs::at;
use super::{Program, Serving};
use crate::programs::{has, program};
use crate::server::eventually;
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use std::fs;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// Prints each SIGTERM and SIGUSR1 that it gets, until it reads a line.
const COUNTS: &str = "trap 'echo term' TERM; trap 'echo usr1' USR1; echo ready; \
                      until read x; do :; done; exit 5";

/// Starts `lock` in a process group of its own.
fn grouped(serving: &Serving, command: &[&str]) -> Command {
    let mut lock = at(serving, &[&["lock", "db", "--"], command].concat());
    lock.process_group(0);
    lock
}

fn group(program: &Program) -> Pid {
    Pid::from_child(&program.child)
}

/// Runs a command that counts SIGTERMs, and sends signals, again if a busy machine paused between
/// them: only signals that come close together count as one. Returns the count.
fn terms(serving: &Serving, send: impl Fn(&Program)) -> usize {
    loop {
        let mut locked = Locked::start(grouped(serving, &["sh", "-c", COUNTS]));
        locked.says("ready");
        let since = Instant::now();
        send(&locked.program);
        let took = since.elapsed();
        // Signals are forwarded in the order in which they arrived.
        locked.program.signal(Signal::USR1);
        locked.says("usr1");
        locked.type_line("");
        assert_eq!(locked.ended(), (5, String::new()));
        if took < Duration::from_millis(50) {
            return locked.program.stdout.whole().matches("term\n").count();
        }
    }
}

/// Like timeout(1), and like systemd with a unit.
#[test]
fn a_signal_to_the_process_group_is_not_forwarded() {
    let serving = Serving::local(&[]);
    for to_lock in [0, 1, 2] {
        let got = terms(&serving, |program| {
            (0..to_lock).for_each(|_| program.signal(Signal::TERM));
            kill_process_group(group(program), Signal::TERM).unwrap();
        });
        assert_eq!(got, 1, "{to_lock} beside the group's");
    }
}

#[test]
fn a_signal_that_comes_twice_is_forwarded_once() {
    let serving = Serving::local(&[]);
    let got = terms(&serving, |program| (0..2).for_each(|_| program.signal(Signal::TERM)));
    assert_eq!(got, 1);
}

/// timeout(1) signals its child and then its group; here a signal to timeout(1) makes it do so.
#[cfg(target_os = "linux")]
#[test]
fn under_timeout_the_command_gets_one_signal() {
    if !has("timeout") {
        return;
    }
    let serving = Serving::local(&[]);
    let lock = at(&serving, &["lock", "db", "sh", "-c", COUNTS]);
    let terms = || {
        let mut command = program("timeout");
        command.arg("3600").arg(lock.get_program()).args(lock.get_args());
        command.env("TELEFILE_ADDR", serving.addresses[0].to_string());
        let mut locked = Locked::start(command);
        locked.says("ready");
        locked.program.signal(Signal::TERM);
        locked.says("term");
        let lock = children(locked.program.child.id())[0];
        kill_process(Pid::from_raw(lock as i32).unwrap(), Signal::USR1).unwrap();
        locked.says("usr1");
        locked.type_line("");
        assert_eq!(locked.ended(), (5, String::new()));
        locked.program.stdout.whole().matches("term\n").count()
    };
    // A busy machine may pause between the two signals, but not each time.
    assert!((0..50).any(|_| terms() == 1));
}

/// Looking for the command in a long PATH takes a while, and this process handles signals already.
#[cfg(target_os = "linux")]
#[test]
fn a_signal_to_the_group_before_the_command_starts_is_forwarded() {
    let serving = Serving::local(&[]);
    let mut lock = grouped(&serving, &["cat"]);
    let path = std::env::var("PATH").unwrap();
    lock.env("PATH", ":".repeat(120_000 - path.len()) + &path);
    let mut locked = Locked::start(lock);
    let status = format!("/proc/{}/status", locked.program.child.id());
    let handles_term = || {
        let status = fs::read_to_string(&status).unwrap();
        let mask = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
        let mask = u64::from_str_radix(mask.trim(), 16).unwrap();
        mask >> (Signal::TERM.as_raw() - 1) & 1 == 1
    };
    eventually("it handles SIGTERM", handles_term);
    kill_process_group(group(&locked.program), Signal::TERM).unwrap();
    assert_eq!(locked.ended(), (128 + 15, String::new()));
}

#[test]
fn a_command_outside_the_group_gets_the_signals_of_the_group() {
    if !has("setsid") {
        return;
    }
    let serving = Serving::local(&[]);
    for signal in [Signal::INT, Signal::QUIT, Signal::HUP, Signal::TERM] {
        let script = "trap 'echo got; exit 9' HUP INT QUIT TERM; echo ready; read x; exit 8";
        let mut locked = Locked::start(grouped(&serving, &["setsid", "sh", "-c", script]));
        locked.says("ready");
        kill_process_group(group(&locked.program), signal).unwrap();
        assert_eq!(locked.ended(), (9, String::new()), "{signal:?}");
        assert_eq!(locked.program.stdout.whole(), "ready\ngot\n");
    }
}

#[test]
fn a_killed_lock_leaves_only_its_command() {
    if !has("ps") {
        return;
    }
    let serving = Serving::local(&[]);
    let mut locked = Locked::start(grouped(&serving, &["sh", "-c", "echo ready; exec cat"]));
    locked.says("ready");
    let members = |group: Pid| {
        let listed = program("ps").args(["-A", "-o", "pgid=,stat=,args="]).output().unwrap();
        let listed = String::from_utf8(listed.stdout).unwrap();
        let own = group.as_raw_nonzero().to_string();
        let lines = listed.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        let alive = lines.filter(|f| f[0] == own && !f[1].starts_with('Z'));
        alive.map(|fields| fields[2..].join(" ")).collect::<Vec<_>>()
    };
    let group = group(&locked.program);
    assert!(members(group).iter().any(|args| args.contains("lock-witness")));
    locked.program.signal(Signal::KILL);
    eventually("only the command is left", || members(group) == ["cat"]);
    locked.type_line("over");
    drop(locked.typed.take());
    eventually("it ends", || members(group).is_empty());
}

/// Returns the state of a process, as ps(1) shows it.
#[cfg(target_os = "linux")]
pub(super) fn state(pid: u32) -> Option<char> {
    shown_state(format!("/proc/{pid}/stat"))
}

#[cfg(target_os = "linux")]
fn shown_state(path: impl AsRef<Path>) -> Option<char> {
    fs::read_to_string(path).ok()?.rsplit_once(") ")?.1.chars().next()
}

/// Returns the name of a process.
#[cfg(target_os = "linux")]
pub(super) fn comm(pid: u32) -> String {
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    name.trim_end().to_string()
}

/// Returns whether every thread of a process waits for something.
#[cfg(target_os = "linux")]
fn is_asleep(pid: u32) -> bool {
    let mut threads = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    threads.all(|thread| shown_state(thread.unwrap().path().join("stat")) == Some('S'))
}

#[cfg(target_os = "linux")]
pub(super) fn children(pid: u32) -> Vec<u32> {
    let text = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    text.split_whitespace().map(|pid| pid.parse().unwrap()).collect()
}

#[cfg(target_os = "linux")]
#[test]
fn a_job_is_stopped_and_continued_as_a_whole() {
    let serving = Serving::local(&[]);
    for leaves in [false, true] {
        let script = "echo ready; exec cat";
        let command = ["timeout", "3600", "sh", "-c", script];
        let command = &command[if leaves { 0 } else { 2 }..];
        let lock = at(&serving, &[&["lock", "db", "--"], command].concat());
        // Whoever runs the tests may ignore them.
        let Some(mut lock) = with(&["--default-signal=TSTP,CONT"], &lock) else { return };
        lock.process_group(0);
        let mut locked = Locked::start(lock);
        locked.says("ready");
        let lock = locked.program.child.id();
        let below =
            |pid| children(pid).into_iter().flat_map(|pid| [vec![pid], children(pid)].concat());
        let of_command = |pid: &u32| ["cat", "timeout"].contains(&&comm(*pid)[..]);
        let mut all = Vec::new();
        eventually("the shell has become cat", || {
            all = [lock].into_iter().chain(below(lock).filter(of_command)).collect();
            all.len() == if leaves { 3 } else { 2 }
        });
        for _ in 0..3 {
            kill_process_group(group(&locked.program), Signal::TSTP).unwrap();
            eventually("all are stopped", || all.iter().all(|pid| state(*pid) == Some('T')));
            kill_process_group(group(&locked.program), Signal::CONT).unwrap();
            eventually("all go on", || all.iter().all(|pid| state(*pid) != Some('T')));
            // Two signals may reach two threads, which do not keep their order.
            eventually("lock has handled it", || is_asleep(lock));
        }
        locked.type_line("typed");
        locked.says("typed");
        drop(locked.typed.take());
        assert_eq!(locked.ended(), (0, String::new()));
    }
}

#[test]
fn signals_are_forwarded() {
    let serving = Serving::local(&[]);
    for (signal, name) in
        [(Signal::TERM, "TERM"), (Signal::HUP, "HUP"), (Signal::INT, "INT"), (Signal::USR1, "USR1")]
    {
        let script = format!("trap 'echo {name}; exit 9' {name}; echo ready; read x; exit 8");
        let mut locked = Locked::ready(&serving, &[], &script);
        locked.program.signal(signal);
        assert_eq!(locked.ended(), (9, String::new()), "{name}");
        assert_eq!(locked.program.stdout.whole(), format!("ready\n{name}\n"));
        assert_eq!(serving.client().ask("stat db"), "ERR_FILE_NOT_FOUND", "it is released");
    }
    let mut locked = Locked::ready(&serving, &[], "echo ready; exec cat");
    locked.program.signal(Signal::TERM);
    assert_eq!(locked.ended(), (128 + 15, String::new()));
}

#[test]
fn a_lock_that_is_ended_while_it_waits_runs_no_command() {
    let serving = Serving::local(&[]);
    let mut holder = hold(&serving);
    let mut waiting = Locked::start(at(&serving, &["lock", "db", "echo", "never"]));
    eventually("it waits", || holder.stat("watches") == 1);
    waiting.program.signal(Signal::INT);
    eventually("it ends", || waiting.program.ended().is_some());
    assert_eq!(waiting.program.stdout.whole(), "");
    eventually("it does not watch", || holder.stat("watches") == 0);
}

/// `script` runs it with a terminal of its own. The keys come from the stdin of `script`.
#[cfg(target_os = "linux")]
#[test]
fn on_a_terminal_the_command_reads_input_and_gets_ctrl_c_once() {
    if !has("script") {
        return;
    }
    let serving = Serving::local(&[]);
    // The terminal prints ^C, without a line end.
    let script =
        "trap \"echo; echo interrupted\" INT; echo ready; until read a; do :; done; echo read $a";
    let telefile = env!("CARGO_BIN_EXE_telefile");
    // Without exec the shell stays, and some shells take the ^C too.
    let typed = format!("exec '{telefile}' lock db -- sh -c '{script}; exit 5'");
    let mut command = program("script");
    command.env("SHELL", "/bin/sh");
    command.args(["-qec", &typed, "/dev/null"]);
    command.env("TELEFILE_ADDR", serving.addresses[0].to_string());
    let mut locked = Locked::start(command);
    locked.says("ready");
    locked.typed.as_mut().unwrap().write_all(b"\x03").unwrap();
    locked.says("interrupted");
    locked.type_line("typed");
    let (status, _) = locked.ended();
    let screen = locked.program.stdout.whole();
    assert_eq!(status, 5, "{screen}");
    assert_eq!(screen.matches("interrupted\r\n").count(), 1, "{screen}");
    assert!(screen.contains("read typed\r\n"), "{screen}");
}

/// Runs a shell script under `lock` in `script`, with these keys. The program's own name comes
/// first.
#[cfg(target_os = "linux")]
fn on_terminal(serving: &Serving, typed: &str) -> Locked {
    let mut command = program("script");
    command.env("SHELL", "/bin/sh");
    let telefile = env!("CARGO_BIN_EXE_telefile");
    command.args(["-qec", &format!("exec '{telefile}' {typed}"), "/dev/null"]);
    command.env("TELEFILE_ADDR", serving.addresses[0].to_string());
    Locked::start(command)
}

#[cfg(target_os = "linux")]
#[test]
fn terminal_signals_reach_a_command_outside_the_foreground() {
    if !has("script") {
        return;
    }
    let serving = Serving::local(&[]);
    for (key, status) in [(b"\x03", 124 + 6), (b"\x1c", 128 + 3)] {
        let mut locked = on_terminal(
            &serving,
            "lock db timeout 3600 sh -c 'ulimit -c 0; echo ready; exec sleep 3600'",
        );
        locked.says("ready");
        locked.typed.as_mut().unwrap().write_all(key).unwrap();
        let (ended, _) = locked.ended();
        assert_eq!(ended, status, "{}", locked.program.stdout.whole());
        assert_eq!(serving.client().ask("stat db"), "ERR_FILE_NOT_FOUND", "it is released");
    }
}

/// The kernel signals the hangup of a terminal only to the leader of the session.
#[cfg(target_os = "linux")]
#[test]
fn a_command_gets_the_hangup_of_its_terminal() {
    if !has("setsid") {
        return;
    }
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    let serving = Serving::local(&[]);
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let name = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
    let terminal = fs::File::options().read(true).write(true).open(name).unwrap();
    let mut command = program("setsid");
    let script = "trap 'echo hup; exit 9' HUP; echo ready; while sleep 0.05; do :; done";
    command.args(["--ctty", env!("CARGO_BIN_EXE_telefile"), "lock", "db", "sh", "-c", script]);
    command.env("TELEFILE_ADDR", serving.addresses[0].to_string()).stdin(terminal);
    let mut program = Program::start_with_stdin(command);
    eventually("it runs", || program.stdout.now() == "ready\n");
    drop(master);
    assert_eq!(program.wait(), 9);
    assert_eq!(program.stdout.whole(), "ready\nhup\n");
}
