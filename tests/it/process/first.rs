//! Commands that wait, as the first process of a container: the kernel drops the signals that such
//! a process takes no care of.

use super::verbs::ended;
use super::{Serving, telefile};
use crate::server::eventually;
use rustix::process::{Pid, Signal, kill_process};
use std::process::{Child, Command, Stdio};

/// Whether this process may make a namespace; a container often may not.
fn may_unshare() -> bool {
    let tried = Command::new("unshare").args(["-r", "-p", "-f", "true"]).output();
    let may = tried.is_ok_and(|output| output.status.success());
    if !may {
        eprintln!("NOT TESTED: no PID namespace can be made here");
    }
    may
}

fn first(serving: &Serving, args: &[&str]) -> Child {
    let mut command = Command::new("unshare");
    command.args(["-r", "-p", "-f", "--kill-child", telefile(&[]).get_program().to_str().unwrap()]);
    command.args(args).env("TELEFILE_ADDR", serving.addresses[0].to_string());
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().unwrap()
}

/// The process inside, as it is called outside.
fn inside(child: &Child) -> Option<Pid> {
    let path = format!("/proc/{0}/task/{0}/children", child.id());
    let children = std::fs::read_to_string(path).ok()?;
    Pid::from_raw(children.split_whitespace().next()?.parse().ok()?)
}

#[test]
fn a_command_that_waits_ends_on_a_signal_as_process_1_too() {
    if !may_unshare() {
        return;
    }
    let serving = Serving::local(&[]);
    let mut asker = serving.client();
    for (args, started) in [
        (&["watch", "f"][..], ("watches", 1)),
        (&["wait", "f", "0"], ("watches", 1)),
        (&["open", "f"], ("opens", 1)),
        (&["connect"], ("connections", 2)),
        (&["bench", "--conns", "1", "--secs", "600"], ("files", 10_000)),
    ] {
        for (signal, status) in [(Signal::TERM, 143), (Signal::INT, 130)] {
            let mut child = first(&serving, args);
            eventually(args[0], || asker.stat(started.0) == started.1);
            kill_process(inside(&child).unwrap(), signal).unwrap();
            assert_eq!(ended(&mut child), status, "{args:?}");
            eventually("its connection is gone", || asker.stat("connections") == 1);
            eventually("so are its files", || asker.stat("files") == 0);
        }
    }
}
