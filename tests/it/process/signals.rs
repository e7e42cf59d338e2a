//! A stop by a signal: what clients still get, and how long it takes.

use super::Serving;
use crate::pace::Pace;
use crate::server::{Client, Folder};
use rustix::process::Signal;
use std::thread;
use std::time::Duration;

const MIB: usize = 1 << 20;

/// Starts a server on a TCP port and on a Unix socket.
fn both(folder: &Folder) -> Serving {
    let unix = format!("unix:{}", folder.path().join("socket").display());
    Serving::local(&["--listen", &unix])
}

/// Connects a client to each address, which sends `sent`, reads the reply `line`, and leaves the
/// rest unread.
fn clients(serving: &Serving, sent: &str, line: &str) -> Vec<Client> {
    let mut clients: Vec<_> = serving.addresses.iter().map(Client::connect).collect();
    for client in &mut clients {
        assert_eq!(client.ask(sent), line);
    }
    clients
}

#[test]
fn idle_clients_do_not_delay_a_stop() {
    for signal in [Signal::INT, Signal::TERM] {
        let serving = Serving::local(&[]);
        let mut idle: Vec<_> = (0..100).map(|_| serving.client()).collect();
        for client in &mut idle {
            assert_eq!(client.ask("stat f"), "ERR_FILE_NOT_FOUND");
        }
        let log = serving.stop(signal);
        assert!(log.contains("stopping, 100 connections"), "{log}");
        for client in &mut idle {
            assert_eq!(client.read_to_end(), "");
        }
    }
}

#[test]
fn a_client_that_sends_contents_gets_only_the_replies_it_is_owed() {
    let folder = Folder::new();
    for signal in [Signal::INT, Signal::TERM] {
        let serving = both(&folder);
        let first = "write f 6\r\nabcdef\r\nstat g\r\nwrite g 1000000\r\nab";
        let mut inside = clients(&serving, "stat f", "ERR_FILE_NOT_FOUND");
        inside.iter().for_each(|client| client.send(first));
        assert!(inside.iter_mut().all(|client| client.line().starts_with("OK ")));
        serving.stop(signal);
        for client in &mut inside {
            assert_eq!(client.read_to_reset(), "ERR_FILE_NOT_FOUND\r\n");
        }
    }
}

#[test]
fn a_slow_reader_is_cut_off() {
    let stop = |signal| {
        let folder = Folder::new();
        let serving = both(&folder);
        assert_eq!(serving.client().write("f", &vec![b'x'; 64 * MIB]), "OK 1");
        let slow = clients(&serving, "read f", "CONTENTS 1 67108864 0");
        serving.stop(signal);
        drop(slow);
    };
    std::thread::scope(|scope| {
        scope.spawn(|| stop(Signal::INT));
        scope.spawn(|| stop(Signal::TERM));
    });
}

#[test]
fn a_full_server_with_waiting_connections_stops_at_once() {
    for signal in [Signal::INT, Signal::TERM] {
        let serving = Serving::local(&["--connections", "100"]);
        let mut inside: Vec<_> = (0..100).map(|_| serving.client()).collect();
        for client in &mut inside {
            assert_eq!(client.ask("stat f"), "ERR_FILE_NOT_FOUND");
        }
        let mut outside: Vec<_> = (0..30).map(|_| serving.client()).collect();
        assert_eq!(outside[0].line(), "ERR_LIMIT connections 100");
        serving.stop(signal);
    }
}

#[test]
fn replies_to_what_was_executed_arrive_whole() {
    // They have a second to read it. On a busy machine that may not be enough for all.
    let arrived = [32 * MIB, 8 * MIB, MIB].into_iter().any(|numbytes| {
        let pace = Pace::start();
        let arrived = replies_arrive_whole(numbytes);
        assert!(arrived || pace.late() > Duration::from_millis(200), "{numbytes} bytes");
        arrived
    });
    assert!(arrived);
}

/// Whether all got their first reply whole.
fn replies_arrive_whole(numbytes: usize) -> bool {
    let folder = Folder::new();
    let serving = both(&folder);
    assert_eq!(serving.client().write("f", &vec![b'x'; numbytes]), "OK 1");
    let head = format!("CONTENTS 1 {numbytes} 0");
    let readers = clients(&serving, "read f\r\nread f\r\nread f", &head);
    let readers: Vec<_> = readers
        .into_iter()
        .map(|mut reader| {
            std::thread::spawn(move || {
                assert_eq!(reader.contents(numbytes), vec![b'x'; numbytes]);
                reader.read_to_reset()
            })
        })
        .collect();
    serving.stop(Signal::INT);
    let mut rests = readers.into_iter().map(|reader| reader.join().ok());
    rests.all(|rest| {
        // The requests after it were executed before the stop or not at all.
        let more = format!("CONTENTS 1 {numbytes} 0\r\n").len() + numbytes + 2;
        rest.is_some_and(|rest| rest.len().is_multiple_of(more))
    })
}

/// A person presses the key again when nothing seems to happen.
#[test]
fn a_second_signal_ends_the_server_at_once() {
    for (first, second) in [(Signal::INT, Signal::INT), (Signal::TERM, Signal::INT)] {
        let mut serving = Serving::local(&[]);
        let mut slow = serving.client();
        assert_eq!(slow.write("f", &vec![b'x'; 64 * MIB]), "OK 1");
        assert_eq!(slow.ask("read f"), "CONTENTS 1 67108864 0");
        serving.program.signal(first);
        serving.logs(&["stopping"]); // the slow reader delays the stop for a second
        while serving.program.ended().is_none() {
            serving.program.signal(second);
            thread::sleep(Duration::from_millis(20));
        }
        assert_eq!(serving.program.wait(), 130);
    }
}

/// Like timeout(1), which signals its child and then its group, systemd, or the end of a terminal.
#[test]
fn several_signals_at_once_stop_the_server_like_one() {
    let folder = Folder::new();
    let mut serving = both(&folder);
    let numbytes = 8 * MIB;
    assert_eq!(serving.client().write("f", &vec![b'x'; numbytes]), "OK 1");
    let readers = clients(&serving, "read f", &format!("CONTENTS 1 {numbytes} 0"));
    // All signals are pending when it continues.
    for signal in [Signal::STOP, Signal::TERM, Signal::HUP, Signal::INT, Signal::CONT] {
        serving.program.signal(signal);
    }
    for mut reader in readers {
        assert_eq!(reader.contents(numbytes), vec![b'x'; numbytes]);
        assert_eq!(reader.read_to_reset(), "");
    }
    assert_eq!(serving.program.wait(), 0, "{}", serving.log());
}
