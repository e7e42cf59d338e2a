//! Compares the `memory` of `stats` with the memory of the server's process, for files of many
//! shapes.
#![cfg(target_os = "linux")]

use super::Serving;
use crate::random::Random;
use crate::server::Client;
use rustix::process::Signal;

/// The number of files of a shape: some megabytes, so that the rest of the process hardly matters.
const FILES: usize = 40_000;

/// How far the memory may be from the count, at any moment: a growing table moves in small parts.
/// Where the memory is below the count, only room is lost.
const LEAST: f64 = 0.75;
const MOST: f64 = 1.2;

impl Serving {
    /// Returns the memory that `name` of /proc/PID/status counts, in bytes: `VmRSS` is now, `VmHWM` the
    /// most ever. Without the pages of files: how much of the program has been read is no matter of
    /// the table.
    fn resident(&self, name: &str) -> f64 {
        self.status(name) - self.status("RssFile")
    }

    /// Returns a number of /proc/PID/status, in bytes.
    fn status(&self, name: &str) -> f64 {
        let path = format!("/proc/{}/status", self.program.child.id());
        let status = std::fs::read_to_string(path).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.unwrap().trim().strip_suffix(" kB").unwrap().parse::<f64>().unwrap() * 1024.0
    }
}

fn name(i: usize) -> String {
    format!("file-{i:011}")
}

fn write(name: &str, numbytes: usize, exptime: i64) -> String {
    format!("write {name} {numbytes} {exptime}\r\n{}\r\n", "x".repeat(numbytes))
}

/// Compares the growth of a server's memory and of its count after `fill`.
#[track_caller]
fn check(what: &str, args: &[&str], clients: usize, fill: impl FnOnce(&mut [Client])) {
    let serving = Serving::local(args);
    let mut clients: Vec<_> = (0..clients).map(|_| serving.client()).collect();
    // Threads and buffers have reached their size.
    for client in &mut clients {
        client.ask_all((0..2000).map(|_| "touch none 1 0\r\n".to_string()));
    }
    let (resident, counted) = (serving.resident("VmRSS"), clients[0].stat("memory") as f64);
    fill(&mut clients);
    let counted = clients[0].stat("memory") as f64 - counted;
    let now = (serving.resident("VmRSS") - resident) / counted;
    let most = (serving.resident("VmHWM") - resident) / counted;
    println!("{what}: {counted} bytes counted, resident {now:.2} of that, {most:.2} at most");
    assert!(counted > 3e6, "{what}: only {counted} bytes");
    assert!(now > LEAST, "{what}: resident {now:.2} of what is counted");
    assert!(most < MOST, "{what}: resident {most:.2} of what is counted");
    serving.stop(Signal::TERM);
}

#[track_caller]
fn check_requests(what: &str, requests: impl Iterator<Item = String>) {
    check(what, &[], 1, |clients| drop(clients[0].ask_all(requests)));
}

#[test]
fn files_without_contents_and_small_ones() {
    check_requests("empty", (0..FILES).map(|i| write(&name(i), 0, 0)));
    check_requests("one byte", (0..FILES).map(|i| write(&name(i), 1, 0)));
    check_requests("100 bytes", (0..FILES).map(|i| write(&name(i), 100, 0)));
    // Most of the 256 parts of the index have just doubled, beyond 7/8 of 256 places.
    check_requests("a table that has just grown", (0..60_000).map(|i| write(&name(i), 1, 0)));
}

#[test]
fn names_of_any_order_and_length() {
    let mut random = Random(1);
    let mut order: Vec<_> = (0..FILES).collect();
    (1..FILES).for_each(|i| order.swap(i, random.below(i + 1)));
    check_requests("any order", order.iter().map(|i| write(&name(*i), 1, 0)));
    let first = (0..FILES).map(|i| write(&name(i), 1, 0));
    let again = order.iter().map(|i| write(&name(*i), 2, 0));
    check_requests("written again", first.chain(again));
    let long = |i| name(i) + &"n".repeat(384);
    check_requests("names of 400 bytes", (0..FILES).map(|i| write(&long(i), 1, 0)));
}

#[test]
fn large_contents() {
    check_requests("17,000 bytes", (0..600).map(|i| write(&name(i), 17_000, 0)));
    check_requests("100,000 bytes", (0..100).map(|i| write(&name(i), 100_000, 0)));
    check_requests("3,000,000 bytes", (0..10).map(|i| write(&name(i), 3_000_000, 0)));
}

#[test]
fn ends_of_files() {
    check_requests("deadlines", (0..FILES).map(|i| write(&name(i), 1, 3600)));
    check_requests("ends with the client", (0..FILES).map(|i| write(&name(i), 1, -1)));
}

#[test]
fn removed_names_in_the_change_log() {
    let long = |i| name(i) + &"n".repeat(384);
    let removals =
        (0..FILES).flat_map(|i| [write(&long(i), 1, 0), format!("delete {}\r\n", long(i))]);
    check_requests("removals", removals);
}

#[test]
fn files_that_are_open() {
    const OPENS: usize = 1000;
    for (what, kind, written) in [
        ("open", "MemoryFile", 0),
        ("counters", "Counter", 0),
        ("empty logs", "LogFile", 0),
        ("logs", "LogFile", 1000),
    ] {
        check(what, &[], 15, |clients| {
            for (c, client) in clients.iter_mut().enumerate() {
                let names: Vec<_> = (0..OPENS).map(|i| name(c * OPENS + i)).collect();
                client.ask_all(names.iter().map(|name| format!("open {name} {kind}\r\n")));
                if written > 0 {
                    client.ask_all(names.iter().map(|name| write(name, written, 0)));
                }
            }
        });
    }
}

/// The part of the database and its log counts from the start, and is allocated as it is used.
#[cfg(feature = "durable")]
#[test]
fn files_of_a_table_on_disk() {
    // What no longer counts stays with the allocator: of a checkpoint at most a segment of the log,
    // and of contents that a connection receives while a commit runs at most 16 MiB.
    const SEGMENT: f64 = 8.0 * 1024.0 * 1024.0;
    for (files, numbytes, on_the_way) in
        [(FILES, 1, SEGMENT), (FILES, 100, SEGMENT), (4000, 5000, SEGMENT + 16.0 * 1024.0 * 1024.0)]
    {
        let folder = crate::server::Folder::new();
        let data = folder.path().join("data");
        let args = ["--data", data.to_str().unwrap(), "--max-memory", "32M"];
        let serving = Serving::local(&args);
        let mut client = serving.client();
        let resident = serving.status("VmRSS");
        assert_eq!(client.stat("memory"), (4 << 20) * 4 / 3, "the parts of database and log");
        client.ask_all((0..files).map(|i| write(&name(i), numbytes, 0)));
        let counted = client.stat("memory") as f64;
        let most = serving.status("VmHWM") - resident;
        println!("{numbytes} bytes, kept: {counted} bytes counted, {most} resident at most");
        assert!(most < MOST * counted + on_the_way, "{numbytes}: {most} resident");
        serving.stop(Signal::TERM);
    }
}
