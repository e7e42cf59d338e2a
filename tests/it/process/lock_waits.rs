//! `telefile lock` while it waits: servers that restart, and files that are no locks.

use super::lock::{Locked, hold};
use super::verbs::at;
use super::{Program, Serving, run, telefile};
use crate::server::{Folder, eventually};
use rustix::process::Signal;

/// Returns a Unix socket for several servers in turn.
fn socket(folder: &Folder) -> String {
    format!("unix:{}", folder.path().join("socket").display())
}

fn waiting(address: &str, args: &[&str]) -> Program {
    let args = [&["lock", "db", "--addr", address], args, &["echo", "mine"]].concat();
    Program::start(telefile(&args))
}

#[track_caller]
fn says_on_stderr(program: &Program, words: &str) {
    eventually(words, || program.stderr.now().contains(words));
}

#[test]
fn a_lock_that_may_wait_waits_for_the_server_too() {
    for ttl in [&[][..], &["--ttl", "99"]] {
        let folder = Folder::new();
        let address = socket(&folder);
        let mut program = waiting(&address, &[&["--wait", "3600"], ttl].concat());
        says_on_stderr(&program, "trying again");
        let _serving = Serving::start(&["--listen", &address]);
        assert_eq!(program.wait(), 0);
        assert_eq!(program.stdout.whole(), "mine\n");
        assert_eq!(program.stderr.whole().lines().count(), 1, "it is said once");
    }
}

#[test]
fn a_connected_waiter_survives_a_restart() {
    for args in [&[][..], &["--wait", "3600"], &["--ttl", "99"]] {
        for signal in [Signal::TERM, Signal::KILL] {
            let folder = Folder::new();
            let address = socket(&folder);
            let serving = Serving::start(&["--listen", &address]);
            let mut holder = hold(&serving);
            let mut program = waiting(&address, args);
            eventually("it waits", || holder.stat("watches") == 1);
            serving.program.signal(signal);
            says_on_stderr(&program, "trying again");
            drop(serving);
            let _again = Serving::start(&["--listen", &address]);
            assert_eq!(program.wait(), 0);
            assert_eq!(program.stdout.whole(), "mine\n");
        }
    }
}

#[test]
fn without_a_server_a_waiter_ends_at_its_timeout() {
    let folder = Folder::new();
    let address = socket(&folder);
    let mut program = waiting(&address, &["--wait", "1"]);
    assert_eq!(program.wait(), 69);
    let stderr = program.stderr.whole();
    assert!(stderr.lines().all(|line| line.contains(&address)), "{stderr}");
    assert_eq!(stderr.lines().count(), 2, "{stderr}");
    run(telefile(&["lock", "db", "--addr", &address, "--wait", "0", "true"]))
        .failed(69, &[&address]);
}

#[test]
fn a_refused_lock_is_not_retried() {
    let folder = Folder::new();
    let token = folder.path().join("token");
    std::fs::write(&token, "secret").unwrap();
    let serving = Serving::local(&["--token-file", token.to_str().unwrap()]);
    run(at(&serving, &["lock", "db", "--wait", "3600", "true"])).failed(77, &["ERR_DENIED"]);
}

#[test]
fn a_full_server_is_retried() {
    let serving = Serving::local(&["--connections", "1"]);
    let mut full = serving.client();
    assert_eq!(full.ask("stat f"), "ERR_FILE_NOT_FOUND");
    let mut program = waiting(&serving.addresses[0].to_string(), &["--wait", "3600"]);
    says_on_stderr(&program, "trying again");
    drop(full);
    assert_eq!(program.wait(), 0);
}

#[test]
fn a_file_that_is_no_lock_is_reported() {
    let serving = Serving::local(&[]);
    let mut other = serving.client();
    let why =
        "telefile: db is not a lock but a file that stays: it is free when somebody deletes it\n";
    for makes in ["write db 1\r\nx", "open db"] {
        let reply = other.ask(makes);
        assert!(reply.starts_with("OK ") || reply.starts_with("FD "), "{reply}");
        let ended = run(at(&serving, &["lock", "db", "--wait", "0", "true"]));
        assert_eq!((ended.status, &ended.stderr[..]), (75, why));
        let mut waiting = Locked::start(at(&serving, &["lock", "db", "echo", "mine"]));
        eventually("it says so", || waiting.program.stderr.now() == why);
        assert_eq!(other.ask("delete db"), "OK");
        assert_eq!(waiting.ended(), (0, why.to_string()), "once");
        assert_eq!(waiting.program.stdout.whole(), "mine\n");
    }
}

#[test]
fn verbose_says_that_it_gave_up() {
    let serving = Serving::local(&[]);
    let _holder = hold(&serving);
    for ttl in [&[][..], &["--ttl", "99"]] {
        let lock = |wait: &str| {
            run(at(&serving, &[&["lock", "-v", "db", "--wait", wait], ttl, &["true"]].concat()))
        };
        let ended = lock("1");
        let last = ended.stderr.lines().last().unwrap_or_default();
        let secs = last.strip_prefix("telefile: lock db is held by someX; gave up after ");
        let secs = secs.and_then(|rest| rest.strip_suffix(" s"));
        assert_eq!(ended.status, 75);
        assert!(secs.is_some_and(|secs| secs.parse::<u64>().unwrap() >= 1), "{}", ended.stderr);
        let at_once = lock("0");
        assert_eq!(
            (at_once.status, &at_once.stderr[..]),
            (75, "telefile: lock db is held by someX\n")
        );
    }
}

#[test]
fn verbose_says_who_holds_the_lock_and_how_long_it_waits() {
    for ttl in [&[][..], &["--ttl", "99"]] {
        let serving = Serving::local(&[]);
        let mut holder = hold(&serving);
        let args = [&["lock", "-v", "db"], ttl, &["echo", "mine"]].concat();
        let mut waiting = Locked::start(at(&serving, &args));
        let said = "telefile: lock db is held by someX; waited ";
        says_on_stderr(&waiting.program, said);
        assert_eq!(holder.ask("delete db"), "OK");
        let (status, stderr) = waiting.ended();
        assert_eq!((status, &waiting.program.stdout.whole()[..]), (0, "mine\n"));
        let lines: Vec<_> = stderr.lines().collect();
        let [first, last] = lines[..] else { panic!("{stderr}") };
        let waited = first.strip_prefix(said).and_then(|rest| rest.strip_suffix(" s"));
        assert!(waited.is_some_and(|secs| secs.parse::<u64>().unwrap() >= 1), "{stderr}");
        assert!(last.starts_with("telefile: lock db is acquired after "), "{stderr}");
        assert!(last.ends_with(" s, token 3"), "{stderr}");
    }
}
