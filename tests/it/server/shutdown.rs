//! A stop of the server: requests are executed and answered, or neither.

use super::{Client, Running, STOP_TIME, eventually, portions};
use std::thread;
use std::time::{Duration, Instant};
use telefile::{Server, Token};

const MIB: usize = 1 << 20;

/// Stops the server while it does a long batch of one client, over one of its addresses.
fn stop_inside_a_batch(kind: usize) {
    let mut server = Running::start(Server::builder());
    let mut client = Client::connect(server.addresses()[kind]);
    let sender = client.sender();
    let replies = thread::scope(|scope| {
        scope.spawn(move || sender.try_send(b"write f 1\r\nx\r\n".repeat(200_000)));
        assert_eq!(client.line(), "OK 1");
        server.stop();
        client.read_to_reset()
    });
    // Whole lines, and none is missing: each executed change was answered.
    let count = replies.lines().count();
    let expected: String = (2..2 + count).map(|i| format!("OK {i}\r\n")).collect();
    assert!(replies == expected, "address {kind}: {count} lines");
    assert!(count < 199_999, "the batch was over before the stop");
}

#[test]
fn the_executed_part_of_a_batch_is_answered_and_the_rest_is_not_executed() {
    thread::scope(|scope| {
        for kind in [0, 0, 0, 1, 1, 1] {
            scope.spawn(move || stop_inside_a_batch(kind));
        }
    });
}

/// How many replies a client gets that has asked for more than the sockets hold, and takes them
/// when the server is being stopped.
fn replies_taken_late(kind: usize, asked: usize, numbytes: usize) -> usize {
    let mut server = Running::start(Server::builder());
    assert_eq!(server.client().write("f", &vec![b'x'; numbytes]), "OK 1");
    let mut client = Client::connect(server.addresses()[kind]);
    let head = format!("CONTENTS 1 {numbytes} 0");
    assert_eq!(client.ask(&["read f"; 1000][..asked].join("\r\n")), head);
    server.handle.stop();
    eventually("nobody can come in", || Client::try_connect(&server.tcp).is_err());
    assert_eq!(client.contents(numbytes).len(), numbytes);
    let rest = client.read_to_reset();
    server.stop();
    let reply = head.len() + 2 + numbytes + 2;
    assert!(rest.len().is_multiple_of(reply), "whole replies, and {}", rest.len() % reply);
    1 + rest.len() / reply
}

#[test]
fn requests_behind_an_unread_reply_are_not_executed() {
    thread::scope(|scope| {
        for kind in 0..2 {
            scope.spawn(move || {
                let taken = replies_taken_late(kind, 400, MIB / 4);
                assert!(taken < 400, "address {kind}: all of them");
                // Fewer than are answered in one step.
                let taken = replies_taken_late(kind, 32, MIB);
                assert!(taken < 32, "address {kind}: all of a step");
            });
        }
    });
}

#[test]
fn requests_after_the_stop_are_not_executed() {
    let mut server = Running::start(Server::builder());
    let mut clients = server.addresses().map(Client::connect);
    for client in &mut clients {
        assert_eq!(client.ask("stat f"), "ERR_FILE_NOT_FOUND");
    }
    server.stop();
    for client in &mut clients {
        let _ = client.try_send("stat f\r\n"); // on a Unix socket nobody takes it
        assert_eq!(client.read_to_reset(), "");
    }
    for address in server.addresses() {
        assert!(Client::try_connect(address).is_err(), "{address} is closed");
    }
}

#[test]
fn run_returns_in_time_whatever_clients_do() {
    let token = Token::new("s3cret").unwrap();
    let mut server = Running::start(Server::builder().connections(12).token(token));
    let mut asker = server.client();
    assert!(asker.ask("hello s3cret").starts_with("HELLO 1 "));
    let (numbytes, times) = portions(64 * MIB);
    assert_eq!(asker.write("f", &vec![b'x'; numbytes]), "OK 1");
    let reads = format!("hello s3cret\r\n{}", "read f\r\n".repeat(times));
    let hard = [
        ("hello s3cret\r\n", "HELLO 1 "),                  // then idle
        ("hello s3cret\r\nwrite g 100\r\nab", "HELLO 1 "), // in the middle of contents
        (&reads, "HELLO 1 "),                              // a slow reader
        ("read f\r\n", "ERR_DENIED"),                      // not admitted yet, in the middle of
        ("nonsense\r\n", "ERR_CMD_ERR"),                   // being disconnected
    ];
    let mut clients = Vec::new();
    for address in server.addresses() {
        for (sent, expected) in hard {
            let mut client = Client::connect(address);
            client.send(sent);
            let line = client.line();
            assert!(line.starts_with(expected), "{sent:?}: {line}");
            clients.push(client);
        }
    }
    let mut last = server.client();
    assert_eq!(last.ask("stat f"), "ERR_DENIED");
    // Some of those that are disconnected may have left, so not all of these are over the maximum.
    let refused: Vec<_> = (0..20).map(|_| server.client()).collect();
    let took = server.stop();
    assert!(took < STOP_TIME, "{took:?}");
    drop(refused);
    // A program that has stopped its server can rely on it: nothing is executed afterwards.
    for mut client in clients {
        assert!(client.read_to_reset().len() < 64 * MIB, "cut off");
    }
}

#[test]
fn a_stop_sends_the_rest_of_a_reply() {
    let mut server = Running::start(Server::builder());
    let (numbytes, _) = portions(32 * MIB);
    assert_eq!(server.client().write("f", &vec![b'x'; numbytes]), "OK 1");
    let mut readers = server.addresses().map(Client::connect);
    for reader in &mut readers {
        assert_eq!(reader.ask("read f"), format!("CONTENTS 1 {numbytes} 0"));
    }
    let taking = readers.map(|mut reader| {
        thread::spawn(move || {
            assert_eq!(reader.contents(numbytes), vec![b'x'; numbytes]);
            assert_eq!(reader.read_to_end(), "");
        })
    });
    assert!(server.stop() < STOP_TIME);
    for reader in taking {
        reader.join().unwrap();
    }
}

#[test]
fn a_stop_with_only_idle_clients_is_quick() {
    let stop = || {
        let mut server = Running::start(Server::builder());
        let mut idle: Vec<_> = (0..50).map(|_| server.client()).collect();
        for client in &mut idle {
            assert_eq!(client.ask("stat f"), "ERR_FILE_NOT_FOUND");
        }
        let took = server.stop();
        for client in &mut idle {
            assert_eq!(client.read_to_end(), "");
        }
        took
    };
    // The best of a few, for the machine may be busy.
    let best = (0..5).map(|_| stop()).find(|took| *took < Duration::from_millis(500));
    assert!(best.is_some(), "only when all clients are cut off");
}

#[test]
fn a_second_stop_and_one_before_run_are_fine() {
    let listen = || Server::builder().listen("127.0.0.1:0".parse().unwrap()).bind().unwrap();
    let server = listen();
    let handle = server.handle();
    handle.stop();
    handle.stop();
    server.run().unwrap();
    handle.stop();

    let server = listen();
    let handles = [server.handle(), server.handle()];
    let running = thread::spawn(|| server.run().unwrap());
    handles.iter().for_each(|handle| handle.stop());
    running.join().unwrap();
    handles[0].stop();
}

#[test]
fn a_spawned_server_ends_by_its_handle_by_stop_or_when_dropped() {
    let spawn = || {
        let listen = "127.0.0.1:0".parse().unwrap();
        Server::builder().listen(listen).bind().unwrap().spawn().unwrap()
    };
    let ends: [fn(telefile::server::Running); 3] = [
        |server| {
            server.handle().stop();
            server.join().unwrap();
        },
        |server| server.stop().unwrap(),
        drop,
    ];
    for end in ends {
        let server = spawn();
        let address = server.addresses()[0].clone();
        assert_eq!(Client::connect(&address).write("f", b"x"), "OK 1");
        end(server);
        assert!(Client::try_connect(&address).is_err(), "{address} is closed");
    }
}

/// What a client gets that has replies unread and sends one more request within 100 ms after a stop.
pub(super) fn replies_after_a_late_request(start: impl Fn() -> Running, kind: usize) -> String {
    let attempt = || {
        let mut server = start();
        let mut client = Client::connect(server.addresses()[kind]);
        assert_eq!(client.write("f", &[b'x'; 1000]), "OK 1");
        client.send([b"read f\r\n".repeat(200), b"write done 1\r\nx\r\n".to_vec()].concat());
        let mut other = server.client();
        eventually("all is executed", || other.ask("stat done").starts_with("STAT"));
        let since = Instant::now();
        server.handle.stop();
        eventually("nobody can come in", || Client::try_connect(&server.tcp).is_err());
        let _ = client.try_send("read f\r\n"); // a Unix socket whose reader is shut refuses it
        let late = since.elapsed();
        let replies = client.read_to_reset();
        server.stop();
        (replies, late)
    };
    // Nor may it come before the sessions know of the stop: then it is a request like the others.
    let in_time = |(replies, late): &(String, Duration)| {
        *late < Duration::from_millis(100) && replies.matches("CONTENTS").count() <= 200
    };
    (0..20).map(|_| attempt()).find(in_time).expect("a machine that is not too busy").0
}

/// Both sides shut, the kernel answers one more byte with a reset, and that takes unread replies
/// with it. So the server takes what comes for 200 ms before it ends.
#[test]
fn a_late_request_loses_no_reply() {
    for kind in 0..2 {
        let replies = replies_after_a_late_request(|| Running::start(Server::builder()), kind);
        assert!(replies.ends_with("\r\nOK 2\r\n"), "{kind}: {} bytes came", replies.len());
        assert_eq!(replies.matches("CONTENTS").count(), 200);
    }
}
