//! The counters of `stats`: each moves by the right number, and no other.

use super::{Client, Running, eventually};
use std::collections::BTreeMap;
use std::time::Duration;
use telefile::{Clock, Server};

/// The numbers of `stats`, and how many bytes the reply had.
fn stats(client: &mut Client) -> (BTreeMap<String, u64>, u64) {
    let head = client.ask("stats");
    let count: usize = head.strip_prefix("STATS ").unwrap().parse().unwrap();
    let lines: Vec<_> = (0..count).map(|_| client.line()).collect();
    let bytes = [&[head], &lines[..]].concat().iter().map(|line| line.len() as u64 + 2).sum();
    let pairs = lines.iter().map(|line| line.split_once(' ').unwrap());
    let numbers = pairs.filter_map(|(name, value)| Some((name.to_string(), value.parse().ok()?)));
    (numbers.collect(), bytes)
}

fn is_counter(name: &str) -> bool {
    const OTHERS: [&str; 6] = [
        "received_bytes",
        "sent_bytes",
        "files_expired",
        "watches_woken",
        "connections_accepted",
        "connections_timed_out",
    ];
    name.starts_with("requests_") || name.starts_with("refusals_") || OTHERS.contains(&name)
}

#[test]
fn each_counter_moves_by_the_right_number() {
    let clock = Clock::manual();
    let server = Running::start(Server::builder().max_contents(100).clock(clock.clone()));
    let mut client = server.client();
    let (before, first_reply) = stats(&mut client);
    let script = "write f 3\r\nabc\r\nread f\r\nread f\r\nread g\r\ncas f 9 1\r\nx\r\nstat f\r\n\
                  touch f 1 0\r\ncreate q/ 1\r\nx\r\nlist *\r\nwatch * 0 0\r\nwait f 7 0\r\n\
                  open f\r\nclose @0\r\nclose @9\r\nopen f Counter\r\nopen h NoSuchType\r\n\
                  watch * 999999 0\r\nsession -\r\nhello\r\ntypes\r\nbackup\r\nhelp\r\n\
                  read a b\r\nwrite f 101\r\n";
    let contents = format!("{}\r\nwrite e 1 5\r\nx\r\ndelete f\r\n", "y".repeat(101));
    client.send(script);
    client.send(&contents);
    client.send("types no\r\n"); // the last reply is the only one of its kind after `help`
    let (mut replies, mut errors) = (0, 0);
    let mut line = String::new();
    while errors < 10 {
        line = client.line();
        replies += line.len() as u64 + 2;
        errors += u64::from(line.starts_with("ERR_"));
    }
    assert_eq!(line, "ERR_CMD_ERR");
    clock.advance(Duration::from_secs(6));
    eventually("the sweeper, or this, ends the file", || client.ask("stat e").starts_with("ERR_"));
    let looked = stats(&mut client).0;
    let looks = looked["requests_stat"] - before["requests_stat"] - 1;
    let (after, _) = stats(&mut client);
    let sent_by_looks = "stat e\r\n".len() as u64 * looks;
    let expected: BTreeMap<&str, u64> = [
        ("requests_read", 3),
        ("requests_write", 3),
        ("requests_cas", 1),
        ("requests_stat", 1 + looks),
        ("requests_touch", 1),
        ("requests_create", 1),
        ("requests_list", 1),
        ("requests_watch", 2),
        ("requests_wait", 1),
        ("requests_open", 3),
        ("requests_close", 2),
        ("requests_session", 1),
        ("requests_hello", 1),
        ("requests_types", 1),
        ("requests_backup", 1),
        ("requests_help", 1),
        ("requests_delete", 1),
        ("requests_stats", 2),
        ("refusals_file_not_found", 2),
        ("refusals_version", 1),
        ("refusals_bad_fd", 1),
        ("refusals_type", 1),
        ("refusals_type_not_found", 1),
        ("refusals_compacted", 1),
        ("refusals_denied", 1),
        ("refusals_cmd_err", 2),
        ("refusals_limit", 1),
        ("files_expired", 1),
    ]
    .into();
    for (name, value) in after.iter().filter(|(name, _)| is_counter(name)) {
        let moved = value - before[name];
        match &name[..] {
            "received_bytes" => {
                let sent =
                    (script.len() + contents.len() + "types no\r\nstats\r\nstats\r\n".len()) as u64;
                assert_eq!(moved, sent + sent_by_looks, "{name}");
            }
            // The reply with the numbers is sent after they were read.
            "sent_bytes" => assert!(moved > first_reply + replies, "{name}: {moved}"),
            name => assert_eq!(moved, expected.get(name).copied().unwrap_or(0), "{name}"),
        }
    }
}

#[test]
fn sent_bytes_are_those_that_arrive() {
    let server = Running::start(Server::builder());
    let mut client = server.client();
    let large = vec![b'x'; 300_000]; // received and sent without a copy
    assert_eq!(client.write("large", &large), "OK 1");
    let (before, reply) = stats(&mut client);
    let heads = ["CONTENTS 1 300000 0\r\n", "CONTENTS 2 3 0\r\n", "OK 2\r\n"];
    assert_eq!(client.ask("read large"), heads[0].trim_end());
    client.contents(large.len());
    assert_eq!(client.write("small", b"abc"), "OK 2");
    assert_eq!(client.ask("read small"), heads[1].trim_end());
    client.contents(3);
    let (after, _) = stats(&mut client);
    let bytes = heads.concat().len() + large.len() + 2 + 3 + 2;
    assert_eq!(after["sent_bytes"] - before["sent_bytes"], reply + bytes as u64);
    assert!(before["received_bytes"] > large.len() as u64);
}

#[test]
fn connections_that_come_and_end_are_counted() {
    let server = Running::start(Server::builder().connections(2));
    let mut client = server.client();
    for _ in 0..3 {
        let mut guest = server.client();
        guest.send("quit\r\n");
        assert_eq!(guest.read_to_end(), "");
    }
    client.alone();
    let mut second = server.client();
    assert_eq!(second.ask("read f"), "ERR_FILE_NOT_FOUND");
    assert_eq!(server.client().read_to_end(), "ERR_LIMIT connections 2\r\n");
    let (numbers, _) = stats(&mut client);
    assert_eq!(numbers["connections_accepted"], 5);
    assert_eq!((numbers["requests_quit"], numbers["refusals_limit"]), (3, 1));
    assert_eq!(numbers["connections_timed_out"], 0);
}

#[test]
fn a_client_that_is_silent_for_too_long_is_counted() {
    let silence = Some(Duration::from_millis(300));
    let server = Running::start(Server::builder().idle_timeout(silence));
    let mut silent = server.client();
    assert_eq!(silent.read_to_end(), "");
    eventually("it is counted", || {
        // One that comes late is ended too, and comes again.
        let mut client = server.client();
        let _ = client.try_send("stats\r\nquit\r\n");
        let reply = client.read_to_reset();
        let line = reply.lines().find_map(|line| line.strip_prefix("connections_timed_out "));
        line.is_some_and(|count| count.parse::<u64>().unwrap() >= 1)
    });
}

#[test]
fn each_waiter_that_a_change_wakes_is_counted() {
    let server = Running::start(Server::builder());
    let mut client = server.client();
    let mut waiters: Vec<_> = (0..40).map(|_| server.client()).collect();
    for (number, waiter) in waiters.iter_mut().enumerate() {
        waiter.send(if number % 2 == 0 { "watch a 0 600\r\n" } else { "wait a/b 0 600\r\n" });
    }
    eventually("they wait", || client.stat("watches") == 40);
    client.write("other", b"");
    assert_eq!(client.stat("watches_woken"), 0);
    client.write("a/b", b"");
    for waiter in &mut waiters {
        waiter.line();
    }
    assert_eq!(client.stat("watches_woken"), 40);
}

#[cfg(feature = "durable")]
#[test]
fn each_commit_is_counted_with_its_time_and_its_files() {
    let folder = super::Folder::new();
    let builder = Server::builder().listen("127.0.0.1:0".parse().unwrap());
    let server = builder.data(folder.path().join("data")).bind().unwrap().spawn().unwrap();
    let mut client = Client::connect(&server.addresses()[0]);
    for _ in 0..5 {
        assert!(client.write("f", b"x").starts_with("OK "));
    }
    let (numbers, _) = stats(&mut client);
    assert_eq!((numbers["commit_microseconds_count"], numbers["commit_files_count"]), (5, 5));
    assert_eq!((numbers["commit_files_le_1"], numbers["commit_files_sum"]), (5, 5));
    assert!(numbers["commit_microseconds_sum"] > 0);
    let in_order = |prefix: &str| {
        let bounds = numbers.iter().filter_map(|(name, count)| {
            Some((name.strip_prefix(prefix)?.parse::<u64>().ok()?, *count))
        });
        let counts: BTreeMap<_, _> = bounds.collect();
        assert!(counts.len() > 5 && counts.values().is_sorted(), "{counts:?}");
    };
    in_order("commit_microseconds_le_");
    in_order("commit_files_le_");
    server.stop().unwrap();
}
