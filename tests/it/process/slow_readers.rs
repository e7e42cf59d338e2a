//! Clients that request much and read nothing: the memory that all of them together cost.
#![cfg(target_os = "linux")]

use super::{Program, Serving, run, telefile};
use crate::server::{Client, Folder, eventually};
use std::time::Duration;

const MIB: u64 = 1 << 20;

/// How long a reply may take here: a list waits 10 s for room, and the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(300);

impl Program {
    /// Returns the most memory that it has had, in bytes.
    fn peak(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
    }
}

/// Starts a server on a Unix socket, where the kernel buffers little of what nobody reads.
fn serving() -> (Serving, Folder) {
    let folder = Folder::new();
    let socket = format!("unix:{}", folder.path().join("socket").display());
    let flags = ["--listen", &socket, "--max-memory", "64M", "--write-timeout", "3600"];
    (Serving::start(&flags), folder)
}

fn make(client: &mut Client, files: usize) {
    let names: Vec<_> = (0..files).map(|i| format!("{i:06}{}", "n".repeat(394))).collect();
    for names in names.chunks(100) {
        client.send(names.iter().map(|name| format!("write {name} 0\r\n\r\n")).collect::<String>());
        names.iter().for_each(|_| assert!(client.line().starts_with("OK ")));
    }
}

#[test]
fn all_unread_lists_and_changes_together_have_a_maximum() {
    const FILES: usize = 5000;
    const CLIENTS: usize = 150;
    let (serving, _folder) = serving();
    let mut asker = serving.client();
    make(&mut asker, FILES);
    for (request, head, without_room) in [
        ("list *", format!("LIST {FILES} {FILES} 0"), "ERR_LIMIT memory "),
        ("watch * 0 60", format!("CHANGES {FILES} {FILES}"), "CHANGES 64 64"),
    ] {
        let before = serving.program.peak();
        let mut slow: Vec<_> = (0..CLIENTS)
            .map(|_| {
                let client = serving.client();
                client.socket().set_read_timeout(Some(PATIENCE)).unwrap();
                client.send(format!("{request}\r\n"));
                client
            })
            .collect();
        let first: Vec<_> = slow.iter_mut().map(Client::line).collect();
        let taken = first.iter().filter(|line| **line == head).count();
        let others = first.iter().filter(|line| line.starts_with(without_room)).count();
        assert!(taken > 0 && others > 0 && taken + others == CLIENTS, "{taken} {others}");
        assert!(asker.stat("transit") <= asker.stat("transit_max"));
        // Each would take 300 KB, and another 130 KB for replies that are collected.
        let more = serving.program.peak() - before;
        println!("{request}: {taken} taken, {others} not, {} MiB more", more / MIB);
        let most = asker.stat("transit_max") + CLIENTS as u64 * (64 << 10);
        assert!(more <= most, "{} MiB of {}", more / MIB, most / MIB);
        drop(slow);
        eventually("the room is free again", || asker.stat("transit") < MIB);
    }
    // A client that reads is served.
    assert_eq!(asker.ask("list * 10000"), format!("LIST {FILES} {FILES} 0"));
    (0..FILES).for_each(|_| assert!(asker.line().len() > 400));
}

#[test]
fn a_short_list_and_a_watch_find_room_beside_long_unread_lists() {
    const FILES: usize = 4500;
    let (serving, _folder) = serving();
    let mut asker = serving.client();
    make(&mut asker, FILES);
    let hogs: Vec<_> = (0..3)
        .map(|_| {
            let mut hog = serving.client();
            hog.send("list *\r\n");
            assert_eq!(hog.line(), format!("LIST {FILES} {FILES} 0"));
            hog
        })
        .collect();
    assert_eq!(asker.ask("list 0001"), format!("LIST {FILES} 100 0"));
    (0..100).for_each(|_| assert!(asker.line().len() > 400));
    // Changes are a few at a time, and none is missed.
    let (mut rev, mut received) = (0, 0);
    while rev < FILES {
        let head = asker.ask(&format!("watch * {rev} 0"));
        let mut fields = head.strip_prefix("CHANGES ").unwrap().split(' ');
        rev = fields.next().unwrap().parse().unwrap();
        let count: usize = fields.next().unwrap().parse().unwrap();
        let mut version = 0;
        for _ in 0..count {
            version = asker.line().split(' ').nth(1).unwrap().parse().unwrap();
            received += 1;
            assert_eq!(version, received);
        }
        assert_eq!(rev, version);
    }
    // So do those of the program, which ends when it has printed all.
    let address = serving.addresses[0].to_string();
    let printed = run(telefile(&["watch", "--addr", &address, "--once", "", "0"]));
    assert_eq!((printed.status, printed.stdout.lines().count()), (0, FILES));
    drop(hogs);
}

#[test]
fn all_collected_replies_together_have_a_maximum() {
    const CLIENTS: usize = 400;
    let (serving, _folder) = serving();
    let mut asker = serving.client();
    let before = serving.program.peak();
    // As many requests and replies as the kernel takes, and the two buffers of each connection.
    let requests = b"help\r\n".repeat(40_000);
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let client = serving.client();
            client.socket().set_nonblocking(true).unwrap();
            let _ = client.try_send(&requests);
            client
        })
        .collect();
    eventually("the buffers are used", || asker.stat("transit") > 7 * MIB);
    let more = serving.program.peak() - before;
    let most = asker.stat("transit_max") + CLIENTS as u64 * (40 << 10);
    assert!(more <= most, "{} MiB of {}", more / MIB, most / MIB);
    drop(clients);
    eventually("they are free again", || asker.stat("transit") < MIB);
}
