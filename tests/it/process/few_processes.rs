//! A user whose limit of processes and threads is reached.
#![cfg(target_os = "linux")]

use super::verbs::at;
use super::{Ended, Program, Serving, run, telefile};
use crate::programs::{program, skipped};
use crate::server::eventually;
use rustix::process::Signal;
use std::process::Command;
use telefile::client::Error;
use telefile::{Client, Exptime};

/// Returns the command as a user without other processes, who may have `count` processes and threads;
/// `None` where that is not possible.
fn limited(count: u32, command: &Command) -> Option<Command> {
    // Only this test uses this user.
    let user = 40_000 + std::process::id() % 20_000;
    let user = ["--reuid", &user.to_string(), "--clear-groups"].map(String::from);
    let limit = format!("--nproc={count}");
    let start = |path: &std::ffi::OsStr| {
        let mut command = program("setpriv");
        command.args(&user).args(["prlimit", &limit]).arg(path);
        command
    };
    let possible = start(command.get_program()).arg("--help").output();
    if !possible.is_ok_and(|output| output.status.success()) {
        skipped(&format!("no other user may run this: {command:?}"));
        return None;
    }
    let mut limited = start(command.get_program());
    limited.args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => limited.env(name, value),
            None => limited.env_remove(name),
        };
    }
    Some(limited)
}

#[test]
fn lock_runs_its_command_with_the_lock_or_not_at_all() {
    let serving = Serving::local(&[]);
    for ttl in [&[][..], &["--ttl", "3600"]] {
        let (mut count, mut failed) = (1, 0);
        loop {
            assert!(count < 100, "it never runs");
            let args = [&["lock", "db"], ttl, &["sh", "-c", "echo ran"]].concat();
            let Some(command) = limited(count, &at(&serving, &args)) else { return };
            let Ended { status, stdout, stderr } = run(command);
            assert_eq!(serving.client().ask("stat db"), "ERR_FILE_NOT_FOUND", "it is given back");
            match status {
                0 => {
                    assert_eq!((&stdout[..], &stderr[..]), ("ran\n", ""));
                    break;
                }
                status => assert_eq!((status, &stdout[..]), (125, ""), "{count}: {stderr}"),
            }
            assert!(stderr.starts_with("telefile: ") && stderr.lines().count() == 1, "{stderr}");
            (count, failed) = (count + 1, failed + 1);
        }
        assert!(failed > 0);
    }
}

#[test]
fn no_command_panics_without_a_thread() {
    let serving = Serving::local(&[]);
    serving.client().write("f", b"");
    for args in [&["watch", "f", "0", "--once"][..], &["open", "f"], &["connect"]] {
        let Some(command) = limited(1, &at(&serving, args)) else { return };
        let Ended { status, stderr, .. } = run(command);
        assert_eq!(status, 1, "{args:?}: {stderr}");
        assert_eq!(stderr.lines().count(), 1, "{args:?}: {stderr}");
    }
}

#[test]
fn a_server_says_that_it_listens_only_with_all_its_threads() {
    let serve = telefile(&["serve", "--listen", "127.0.0.1:0", "--listen", "127.0.0.1:0"]);
    let mut count = 1;
    loop {
        assert!(count < 100, "it never listens");
        let Some(command) = limited(count, &serve) else { return };
        let mut program = Program::start(command);
        eventually("it listens or ends", || {
            program.stdout.now().ends_with('\n') || program.ended().is_some()
        });
        if program.ended().is_none() {
            program.signal(Signal::TERM);
            assert_eq!(program.wait(), 0, "{}", program.stderr.now());
            break;
        }
        assert_eq!((program.wait(), &program.stdout.whole()[..]), (1, ""), "{count}");
        count += 1;
    }
    assert!(count > 1);
}

/// Where the test below finds its server.
const INNER_ADDR: &str = "TELEFILE_TEST_INNER_ADDR";

#[test]
fn a_pipeline_without_a_thread_to_keep_its_files_alive_ends() {
    let serving = Serving::local(&["--idle-timeout", "3600"]);
    let mut inner = program(std::env::current_exe().unwrap());
    let name = "process::few_processes::the_result_of_the_pipeline";
    inner.args(["--exact", name, "--ignored", "--nocapture", "--test-threads=1"]);
    inner.env(INNER_ADDR, serving.addresses[0].to_string());
    let Some(command) = limited(1, &inner) else { return };
    let Ended { status, stdout, stderr } = run(command);
    assert!(status == 0 && stdout.contains(" 1 passed"), "{status}: {stdout}{stderr}");
    assert_eq!(serving.client().ask("stat held"), "ERR_FILE_NOT_FOUND");
}

/// The test above runs this, as a user who may start no thread.
#[test]
#[ignore = "a part of a_pipeline_without_a_thread_to_keep_its_files_alive_ends"]
fn the_result_of_the_pipeline() {
    let client = Client::connect(&std::env::var(INNER_ADDR).unwrap()).unwrap();
    let mut pipeline = client.pipeline();
    pipeline.write_expiring("held", "", Exptime::Connection).unwrap();
    pipeline.write("other", "").unwrap();
    let answers: Vec<_> = pipeline.send().take(3).collect();
    assert!(matches!(&answers[..], [Err(Error::Thread(_))]), "{answers:?}");
}
