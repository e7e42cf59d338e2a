//! Flow control: slow and silent clients, and what is queued for them.

use super::{Diary, Raw, Script, config, message, next, start, wire};
use crate::server::{PATIENCE, eventually};
use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;
use telefile::framework::{Connection, OwnedMessage, Server};

const MIB: usize = 1 << 20;

/// Waits until `count` no longer changes because inboxes or sockets are full, and returns it: the
/// threads that flood and the readers sleep, and do not merely wait for a processor.
fn final_count(count: &AtomicUsize) -> usize {
    let mut last = (0, 0);
    eventually("the count is final", || {
        thread::sleep(Duration::from_millis(5));
        let now = count.load(SeqCst);
        let rests = now > 0 && now == last.0 && all_sleep(&["flood", "reader"]);
        last = (now, if rests { last.1 + 1 } else { 0 });
        last.1 == 10
    });
    last.0
}

/// Returns whether no thread of these names runs or is ready to.
fn all_sleep(names: &[&str]) -> bool {
    fs::read_dir("/proc/self/task").unwrap().all(|thread| {
        // A thread that has ended has no file.
        let stat = fs::read_to_string(thread.unwrap().path().join("stat")).unwrap_or_default();
        let is_named = |name: &&str| stat.contains(&format!("({name})"));
        stat.contains(") S ") || !names.iter().any(is_named)
    })
}

#[test]
fn a_client_that_half_closes_still_gets_its_answers() {
    let (diary, lines) = Diary::new();
    let slow = Script {
        message: Arc::new(|OwnedMessage { message, client }| {
            thread::sleep(Duration::from_millis(20));
            client.send(message);
        }),
        disconnect: Arc::new(move |client| {
            client.send(message(99, "bye"));
            diary.note("disconnect");
        }),
        ..Script::default()
    };
    let server = start(slow);
    let mut client = Raw::connect(&server);
    let requests = (0..5).map(|id| wire(id, "x")).collect::<Vec<_>>().concat();
    client.send(&requests);
    client.half_close();
    assert_eq!(client.rest(), [requests, wire(99, "bye")].concat());
    assert_eq!(next(&lines), "disconnect");
    let mut large = Raw::connect(&server);
    let much = wire(1, vec![b'x'; 12 * MIB]);
    large.send(&much);
    large.half_close();
    assert!(large.rest() == [much, wire(99, "bye")].concat());
}

#[test]
fn a_slow_client_delays_neither_the_worker_nor_other_clients_and_loses_nothing() {
    let delivered = Arc::new(AtomicUsize::new(0));
    let script = Script {
        message: {
            let delivered = delivered.clone();
            Arc::new(move |OwnedMessage { message, client }| {
                delivered.fetch_add(1, SeqCst);
                client.send(message);
            })
        },
        ..Script::default()
    };
    let server = start(script);
    let mut slow = Raw::connect(&server);
    let one = wire(1, vec![b's'; 100_000]);
    slow.flood(one.repeat(1000));
    let taken = final_count(&delivered);
    // What the sockets hold, 1 MiB that waits, and the message that exceeded it.
    assert!(taken < 200, "{taken} messages were delivered");
    let mut quick = Raw::connect(&server);
    quick.send(&wire(2, "quick"));
    quick.expect(&wire(2, "quick"));
    for _ in 0..1000 {
        slow.expect(&one);
    }
}

#[test]
fn no_message_is_delivered_while_answers_wait_for_its_client() {
    const ASKED: usize = 60;
    let script = Script {
        message: Arc::new(|OwnedMessage { message: received, client }| {
            client.send(message(received.id(), vec![b'x'; MIB]));
        }),
        ..Script::default()
    };
    let server = start(script);
    let mut client = Raw::connect(&server);
    // All arrive in one receive, and their answers are more than may wait for one client. If they
    // were delivered at once, the connection would end.
    client.send(&wire(1, "").repeat(ASKED));
    let mut other = Raw::connect(&server);
    other.send(&wire(2, ""));
    other.expect(&wire(2, vec![b'x'; MIB]));
    for _ in 0..ASKED {
        client.expect(&wire(1, vec![b'x'; MIB]));
    }
}

#[test]
fn messages_for_a_client_that_does_not_read_are_bounded() {
    let (diary, lines) = Diary::new();
    let idle: Arc<Mutex<Option<Connection>>> = Arc::default();
    let script = Script {
        message: {
            let (idle, diary) = (idle.clone(), diary.clone());
            Arc::new(move |OwnedMessage { message: received, client }| match received.id() {
                0 => {
                    *idle.lock().unwrap() = Some(client.clone());
                    client.send(received);
                }
                id => {
                    // None of these sends waits for the client that does not read.
                    if let Some(idle) = &*idle.lock().unwrap() {
                        idle.send(message(id, vec![b'x'; MIB]));
                    }
                    client.send(received);
                    diary.note("sent");
                }
            })
        },
        ..diary.script()
    };
    let server = start(script);
    let mut idle_client = Raw::connect(&server);
    idle_client.send(&wire(0, ""));
    idle_client.expect(&wire(0, ""));
    let mut other = Raw::connect(&server);
    // 16 MiB and a message may wait, and the sockets hold some more.
    for _ in 0..45 {
        other.send(&wire(1, ""));
        other.expect(&wire(1, ""));
    }
    while next(&lines) != "disconnect" {}
    drop(idle.lock().unwrap().take());
    assert!(idle_client.rest().len() < 28 * MIB);
    other.send(&wire(1, "the others go on"));
    other.expect(&wire(1, "the others go on"));
}

#[test]
fn messages_below_the_bound_arrive_however_late_they_are_read() {
    let script = Script {
        connect: Arc::new(|client: &Connection| {
            (0..15).for_each(|id| client.send(message(id, vec![b'x'; MIB])));
            true
        }),
        ..Script::default()
    };
    let server = start(script);
    let mut client = Raw::connect(&server);
    client.0.peek(&mut [0]).unwrap();
    let mut other = Raw::connect(&server);
    other.send(&wire(7, "is not delivered while more than 1 MiB waits"));
    for id in 0..15 {
        client.expect(&wire(id, vec![b'x'; MIB]));
        other.expect(&wire(id, vec![b'x'; MIB]));
    }
    other.expect(&wire(7, "is not delivered while more than 1 MiB waits"));
}

/// Returns how many messages of `size` bytes a server queues for one client while its worker is
/// busy: a stop delivers these and no others. Two clients flood, because the reader of one may be
/// the busy thread.
fn queued_while_busy(size: usize) -> usize {
    let (diary, lines) = Diary::new();
    let (go, gate) = crossbeam_channel::bounded::<()>(0);
    let noted = diary.clone();
    let script = Script {
        message: Arc::new(move |OwnedMessage { message, .. }| {
            noted.note(format!("message {}", message.id()));
            let _ = gate.recv_timeout(PATIENCE);
        }),
        ..diary.script()
    };
    let server = start(script);
    let address = server.addresses()[0].to_string();
    let [mut busy, clients @ ..] = [(); 3].map(|()| Raw::connect(&server));
    (0..3).for_each(|_| assert_eq!(next(&lines), "connect"));
    busy.send(&wire(0, "keeps the worker busy"));
    assert_eq!(next(&lines), "message 0");
    let sent = Arc::new(AtomicUsize::new(0));
    for (id, client) in (1..).zip(&clients) {
        let (mut stream, counted) = (client.0.try_clone().unwrap(), sent.clone());
        let one = wire(id, vec![b'x'; size]);
        let flood = move || {
            while stream.write_all(&one).is_ok() {
                counted.fetch_add(1, SeqCst);
            }
        };
        thread::Builder::new().name("flood".to_string()).spawn(flood).unwrap();
    }
    final_count(&sent);
    thread::scope(|scope| {
        scope.spawn(|| server.stop(Some(PATIENCE)).unwrap());
        eventually("it stops", || TcpStream::connect(&address).is_err());
        drop((go, busy));
        // Otherwise the floods would go on for 5 s.
        clients.iter().for_each(|client| client.0.shutdown(Shutdown::Both).unwrap());
    });
    drop(diary);
    let lines: Vec<_> = lines.iter().collect();
    let of = |id| lines.iter().filter(|line| **line == format!("message {id}")).count();
    of(1).max(of(2))
}

#[test]
fn an_inbox_holds_64_messages_or_a_mebibyte() {
    // One less is correct too: the reader waits until there is room for several.
    for (size, least, most) in [(5, 63, 64), (250_000, 3, 4), (2 * MIB, 1, 1)] {
        let queued = queued_while_busy(size);
        assert!((least..=most).contains(&queued), "{queued} of {size} bytes");
    }
}

fn data_bytes() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmData:")).unwrap();
    let kilobytes: usize = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kilobytes << 10
}

#[test]
fn an_announced_payload_takes_no_memory() {
    let server = Server::spawn(config(Script::default()).max_message_bytes(u32::MAX)).unwrap();
    let mut probe = Raw::connect(&server);
    let mut announcers: Vec<_> = (0..20).map(|_| Raw::connect(&server)).collect();
    probe.send(&wire(1, "x"));
    probe.expect(&wire(1, "x"));
    let before = data_bytes();
    for client in &mut announcers {
        client.send(&[&wire(1, "x")[..], b"\x01\x00\xFF\xFF\xFF\xFF what comes of 4 GiB"].concat());
    }
    announcers.iter_mut().for_each(|client| client.expect(&wire(1, "x")));
    // The server reads the announcement after it has answered the message before.
    for _ in 0..20 {
        let grown = data_bytes().saturating_sub(before);
        assert!(grown < 1 << 30, "{grown} bytes for 80 GiB that were announced");
        thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn an_answer_does_not_wait_for_the_next_callback() {
    let (go, gate) = crossbeam_channel::bounded::<()>(0);
    let script = Script {
        message: Arc::new(move |OwnedMessage { message: received, client }| {
            client.send(received.clone());
            if received.id() == 2 {
                let _ = gate.recv_timeout(PATIENCE * 2);
                client.send(message(3, "late"));
            }
        }),
        ..Script::default()
    };
    let server = start(script);
    let mut client = Raw::connect(&server);
    for _ in 0..3 {
        client.send(&[wire(1, "before"), wire(2, "while it takes long")].concat());
        client.expect(&[wire(1, "before"), wire(2, "while it takes long")].concat());
        go.send(()).unwrap();
        client.expect(&wire(3, "late"));
    }
}

#[test]
fn messages_in_flight_come_back_in_order() {
    let server = Server::spawn(config(Script::default()).workers(2)).unwrap();
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let mut client = Raw::connect(&server);
                let all: Vec<_> =
                    (0..20_000u16).flat_map(|id| wire(id, vec![b'x'; id as usize % 300])).collect();
                client.flood(all.clone());
                let mut got = vec![0; all.len()];
                client.0.read_exact(&mut got).unwrap();
                assert!(got == all);
            });
        }
    });
}

#[test]
fn connections_over_the_maximum_are_closed_until_another_ends() {
    let server = Server::spawn(config(Script::default()).connections(1)).unwrap();
    let mut first = Raw::connect(&server);
    first.send(&wire(1, "x"));
    first.expect(&wire(1, "x"));
    assert_eq!(Raw::connect(&server).rest(), b"");
    drop(first);
    eventually("a connection is accepted", || {
        let mut next = Raw::connect(&server);
        let sent = next.0.write_all(&wire(2, "y"));
        sent.is_ok() && matches!(next.0.read(&mut [0; 9]), Ok(n) if n > 0)
    });
}

/// Also after the second for which the flusher watches an idle server.
#[test]
fn messages_of_a_long_callback_go_out_while_it_runs() {
    let (go_on, gate) = std::sync::mpsc::channel();
    let gate = std::sync::Mutex::new(gate);
    let server = start(Script {
        message: Arc::new(move |OwnedMessage { message, client }| {
            thread::sleep(Duration::from_millis(1300));
            client.send(message);
            gate.lock()
                .unwrap()
                .recv_timeout(PATIENCE)
                .expect("the message arrives before the callback returns");
        }),
        ..Script::default()
    });
    let mut peer = Raw::connect(&server);
    peer.send(&wire(1, "a question"));
    peer.expect(&wire(1, "a question"));
    go_on.send(()).unwrap();
    server.stop(Some(PATIENCE)).unwrap();
}
