//! A server that lies.

use super::super::{User, start};
use super::liar::{Liar, Lie};
use super::{Honest, check, most_memory};
use crate::process::{Ended, run};
use crate::server::eventually;
use rustix::process::Signal;
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

/// Returns what the honest server has of the session.
fn files(user: &User, id: &str) -> Vec<(String, Vec<u8>)> {
    let client = telefile::Client::connect_to(&user.serving.addresses[0]).unwrap();
    let names = client.list_page(&format!("s/{id}/"), 1000, None).unwrap().files;
    let read = |name: &String| client.read(&name[..]).unwrap().contents.to_vec();
    names.into_iter().map(|file| (file.name.clone(), read(&file.name))).collect()
}

fn once(user: &User, liar: &Liar, id: &str) -> Ended {
    fs::create_dir_all(user.path("b")).unwrap();
    run(user.command(&["127.0.0.1", &liar.port, "b", "1", id, "--once", "--timeout", "5"]))
}

#[test]
fn entries_of_a_hostile_server_are_named_and_keep_nobody_from_the_others() {
    let user = User::new();
    let honest = Honest::of(&user);
    let lies = honest.lies();
    let entries = lies.iter().map(|(key, entry, _)| (honest.name(key), entry.clone().into_bytes()));
    let entries: Vec<_> = files(&user, &honest.id).into_iter().chain(entries).collect();
    let liar = Liar::start(&honest.id, entries, |_| None);
    let ended = once(&user, &liar, &honest.id);
    assert_eq!(ended.status, 1, "{ended:?}");
    check(&user, &ended.stderr, &lies);
}

#[test]
fn lists_that_no_server_sends_are_said_and_change_nothing() {
    let user = User::new();
    let honest = Honest::of(&user);
    let (id, name) = (honest.id.clone(), honest.name("x"));
    for (reply, word) in [
        ("LIST 9 1 0\r\n1 1 0 s/other/e/x\r\n".to_string(), "s/other/e/x"),
        ("LIST 9 1 0\r\n1 1 0 /etc/passwd\r\n".to_string(), "/etc/passwd"),
        // The same page again and again never ends.
        (format!("LIST 9 1 1\r\n1 1 0 {name}\r\n"), "/e/x\" to list"),
        (format!("LIST 9 2 0\r\n1 1 0 {name}\r\n1 1 0 {name}\r\n"), "/e/x\" to list"),
        ("LIST 9 18446744073709551615 0\r\n".to_string(), "LIST"),
        ("LIST 9 -1 0\r\n".to_string(), "LIST"),
        ("LIST 9 99999999999999999999999999999999 0\r\n".to_string(), "LIST"),
    ] {
        let lie = move |line: &str| line.contains("/e/").then(|| Lie::Line(reply.clone()));
        let liar = Liar::start(&id, files(&user, &id), lie);
        let ended = once(&user, &liar, &id);
        assert!(ended.status != 0 && ended.stderr.contains(word), "{word}: {ended:?}");
        assert_eq!(user.names("b"), [] as [&str; 0]);
    }
}

#[test]
fn changes_that_are_always_forgotten_end() {
    let user = User::new();
    let honest = Honest::of(&user);
    let lie = |line: &str| {
        line.starts_with("watch").then(|| Lie::Line("ERR_COMPACTED 9\r\n".to_string()))
    };
    let liar = Liar::start(&honest.id, files(&user, &honest.id), lie);
    let ended = once(&user, &liar, &honest.id);
    assert!(ended.stderr.contains("the server lists nothing"), "{ended:?}");
}

#[test]
fn a_reply_that_stops_half_way_changes_nothing() {
    let user = User::new();
    let honest = Honest::of(&user);
    for (verb, reply) in [
        ("hello", "HELLO 1 0000"),
        ("stat ", "STAT 1"),
        ("list ", "LIST 9 2 0\r\n1 1 0 s/"),
        ("watch ", "CHANGES 9 1\r\nput"),
        ("read ", "CONTENTS 1 1000 0\r\nfile 644 0 7 "),
        ("read ", "CONTENTS 1 4611686018427387904 0\r\nfile"),
    ] {
        let lie = move |line: &str| line.starts_with(verb).then(|| Lie::Stop(reply.to_string()));
        let liar = Liar::start(&honest.id, files(&user, &honest.id), lie);
        let ended = once(&user, &liar, &honest.id);
        assert_eq!(ended.status, 3, "{verb}: {ended:?}");
        assert_eq!(user.names("b"), [] as [&str; 0]);
    }
}

#[test]
fn a_lost_connection_is_tried_again_and_the_status_says_so() {
    let user = User::new();
    let honest = Honest::of(&user);
    let is_lying = std::sync::Arc::new(AtomicBool::new(true));
    let lying = is_lying.clone();
    let lie = move |line: &str| {
        (line.starts_with("read ") && lying.load(SeqCst)).then(|| Lie::Stop("CONT".to_string()))
    };
    let liar = Liar::start(&honest.id, files(&user, &honest.id), lie);
    fs::create_dir_all(user.path("b")).unwrap();
    let mut running = start(user.command(&["127.0.0.1", &liar.port, "b", "1", &honest.id]));
    let status = || run(user.command(&["--status"])).stdout;
    eventually("the status says it", || {
        status().contains("\n  server: the connection is lost: ")
            && status().contains("next attempt in 2 s")
    });
    let attempts = |seconds: u64| {
        let words = format!("next attempt in {seconds} s");
        eventually(&words, || running.stderr.now().contains(&words));
    };
    // Each pause is twice as long.
    [1, 2, 4].into_iter().for_each(attempts);
    assert!(liar.connections.load(SeqCst) < 40);
    assert!(most_memory(&running) < 100);
    is_lying.store(false, SeqCst);
    eventually("the files come", || user.path("b/large").exists() && user.path("b/ok").exists());
    eventually("the status says it", || status().contains("\n  server: connected to "));
    running.signal(Signal::TERM);
    assert_eq!(running.wait(), 0);
}
