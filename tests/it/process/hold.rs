//! `telefile hold`: a file that exists while a command runs.

use super::lock::Locked;
use super::verbs::at;
use super::{Serving, run, telefile};
use crate::server::{Client, Folder, eventually};
use rustix::process::Signal;

const GONE: &str = "ERR_FILE_NOT_FOUND";

fn holding(serving: &Serving, args: &[&str], script: &str) -> Locked {
    let args = [&["hold", "svc/a"], args, &["--", "sh", "-c", script]].concat();
    let holding = Locked::start(at(serving, &args));
    holding.says("ready");
    holding
}

fn contents(client: &mut Client) -> Vec<u8> {
    let head = client.ask("read svc/a");
    let numbytes = head.split(' ').nth(2).unwrap_or_else(|| panic!("{head}"));
    let contents = client.contents(numbytes.parse().unwrap());
    assert!(head.ends_with(" -1"), "{head}");
    contents
}

#[test]
fn the_file_exists_while_the_command_runs() {
    let serving = Serving::local(&[]);
    let mut client = serving.client();
    let mut holder =
        holding(&serving, &["--contents", "10.0.0.5:80"], "echo ready; read x; exit 7");
    assert_eq!(contents(&mut client), b"10.0.0.5:80");
    holder.type_line("");
    assert_eq!(holder.ended(), (7, String::new()));
    assert_eq!(client.ask("stat svc/a"), GONE, "deleted before it has ended");
    let mut holder = holding(&serving, &[], "echo ready; read x");
    let pid = format!(":{}\n", holder.program.child.id());
    assert!(contents(&mut client).ends_with(pid.as_bytes()));
    holder.program.signal(Signal::KILL);
    eventually("it is deleted", || client.ask("stat svc/a") == GONE);
    holder.type_line("");
}

#[test]
fn a_signal_is_for_the_command() {
    let serving = Serving::local(&[]);
    let script = "trap 'echo term; exit 9' TERM; echo ready; while sleep 0.01; do :; done";
    let mut holder = holding(&serving, &[], script);
    holder.program.signal(Signal::TERM);
    assert_eq!(holder.ended(), (9, String::new()));
    assert_eq!(serving.client().ask("stat svc/a"), GONE);
}

#[test]
fn an_open_file_may_have_several_holders() {
    let serving = Serving::local(&[]);
    let mut client = serving.client();
    let script = "echo ready; read x";
    let mut holders: Vec<_> =
        (0..3).map(|_| holding(&serving, &["--type", "Counter"], script)).collect();
    assert!(client.ask("stat svc/a").ends_with(" Counter 3"));
    for holder in &mut holders {
        holder.type_line("");
        assert_eq!(holder.ended(), (0, String::new()));
    }
    eventually("it is closed", || client.ask("stat svc/a") == GONE);
    let wrong = ["hold", "--type", "Nope", "svc/a", "true"];
    run(at(&serving, &wrong)).failed(125, &["ERR_TYPE_NOT_FOUND"]);
}

#[test]
fn one_client_has_the_file_unless_another_replaces_it() {
    let serving = Serving::local(&[]);
    let mut client = serving.client();
    let mut first =
        holding(&serving, &["--contents", "first", "--check", "0.05"], "echo ready; cat");
    let held = "telefile: svc/a is held by first; --replace takes it over\n";
    for (args, status) in [(&[][..], 75), (&["-E", "3"], 3)] {
        let ended = run(at(&serving, &[&["hold", "svc/a"], args, &["echo", "never"]].concat()));
        assert_eq!((ended.status, &ended.stdout[..], &ended.stderr[..]), (status, "", held));
    }
    let mut second =
        holding(&serving, &["--replace", "--contents", "second"], "echo ready; read x");
    assert_eq!(contents(&mut client), b"second");
    let said = || first.program.stderr.now();
    eventually("the first one says so", || said().contains("trying to make it again"));
    assert!(said().contains("svc/a is at version 2"), "{}", said());
    assert_eq!(contents(&mut client), b"second", "and leaves it alone");
    second.type_line("");
    assert_eq!(second.ended(), (0, String::new()));
    eventually("it is made again", || said().ends_with("hold svc/a: made again\n"));
    assert_eq!(contents(&mut client), b"first");
    drop(first.typed.take());
    assert_eq!(first.ended().0, 0);
    assert_eq!(client.ask("stat svc/a"), GONE);
}

#[test]
fn a_file_that_stays_is_left_alone() {
    let serving = Serving::local(&[]);
    serving.client().write("svc/a", b"precious");
    for args in [&[][..], &["--replace"]] {
        let args = [&["hold", "svc/a"], args, &["true"]].concat();
        run(at(&serving, &args)).failed(75, &["does not end with its client; it is left alone"]);
    }
    assert!(serving.client().ask("stat svc/a").starts_with("STAT 1 8 0 "));
}

#[test]
fn the_file_is_made_again_after_a_restart() {
    for args in [&[][..], &["--type", "Counter"]] {
        for signal in [Signal::TERM, Signal::KILL] {
            let folder = Folder::new();
            let address = format!("unix:{}", folder.path().join("socket").display());
            let serving = Serving::start(&["--listen", &address]);
            let mut holder = holding(&serving, args, "echo ready; cat");
            let said = |holder: &Locked| holder.program.stderr.now();
            serving.program.signal(signal);
            eventually("it says so", || said(&holder).contains("the connection is lost"));
            drop(serving);
            let serving = Serving::start(&["--listen", &address]);
            eventually("it is made again", || said(&holder).ends_with("made again\n"));
            assert!(serving.client().ask("stat svc/a").starts_with("STAT 1 "));
            drop(holder.typed.take());
            assert_eq!(holder.ended().0, 0);
            eventually("it is deleted", || serving.client().ask("stat svc/a") == GONE);
        }
    }
}

/// The command goes on, and its end is the end.
#[test]
fn a_command_ends_without_a_server() {
    let serving = Serving::local(&[]);
    let mut holder = holding(&serving, &[], "echo ready; read x; exit 5");
    drop(serving);
    eventually("it says so", || !holder.program.stderr.now().is_empty());
    holder.type_line("");
    assert_eq!(holder.ended().0, 5);
}

#[test]
fn a_deleted_file_is_made_again() {
    let serving = Serving::local(&[]);
    let mut client = serving.client();
    let mut holder = holding(&serving, &["--check", "0.05"], "echo ready; cat");
    assert_eq!(client.ask("delete svc/a"), "OK");
    eventually("it is made again", || client.ask("stat svc/a").starts_with("STAT 3 "));
    drop(holder.typed.take());
    assert_eq!(holder.ended().0, 0);
}

#[test]
fn failures_of_hold_have_their_own_statuses() {
    let serving = Serving::local(&[]);
    for (args, word) in [
        (&["hold"][..], "NAME"),
        (&["hold", "svc/a"], "COMMAND"),
        (&["hold", "a b", "true"], "a b"),
        (&["hold", "--type", "T", "--contents", "x", "f", "true"], "--contents"),
        (&["hold", "--type", "T", "--replace", "f", "true"], "--replace"),
        (&["hold", "--check", "0", "f", "true"], "'0' for '--check <SECS>'"),
    ] {
        run(at(&serving, args)).failed(64, &[word]);
    }
    run(at(&serving, &["hold", "f", "/no/such"])).failed(127, &["/no/such"]);
    assert_eq!(serving.client().ask("stat f"), GONE);
    run(telefile(&["hold", "--addr", "unix:/no/such", "f", "true"])).failed(69, &["/no/such"]);
}
