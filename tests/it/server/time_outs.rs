//! The idle time-out and the write time-out.

use super::{Client, PATIENCE, Running, cost, eventually, in_memory, portions};
use std::fmt::Debug;
use std::thread;
use std::time::{Duration, Instant};
use telefile::Server;
use telefile::net::Address;

const MIB: usize = 1 << 20;
/// Longer than the pauses of a busy machine.
const IDLE: Duration = Duration::from_secs(1);
const WRITE: Duration = Duration::from_millis(300);

#[test]
fn a_silent_client_is_closed() {
    let server = Running::start(Server::builder().idle_timeout(Some(IDLE)));
    let mut silent = Vec::new();
    for address in server.addresses() {
        for sent in ["", "rea", "write f 6\r\nab", "write f 6\r\nabcdef"] {
            let client = Client::connect(address);
            client.send(sent);
            silent.push((address, sent, client, Instant::now()));
        }
    }
    for (address, sent, mut client, since) in silent {
        assert_eq!(client.read_to_end(), "", "{address}, after {sent:?}");
        let time = since.elapsed();
        assert!(time >= IDLE * 3 / 4 && time < PATIENCE / 2, "{address}, {sent:?}: {time:?}");
    }
    let mut asker = server.client();
    assert_eq!(asker.stat("version"), 0);
}

#[test]
fn time_outs_of_any_length_can_be_set() {
    let forever = Duration::MAX;
    let builder = Server::builder().write_timeout(forever).idle_timeout(Some(forever));
    let server = Running::start(builder);
    let (numbytes, times) = portions(16 * MIB);
    for address in server.addresses() {
        let mut client = Client::connect(address);
        assert!(client.ask("hello").ends_with(" 3155760000"), "100 years");
        assert!(client.write("f", &vec![b'x'; numbytes]).starts_with("OK "));
        // More than the socket's buffers hold, so the server has to wait for the client.
        client.send("read f\r\n".repeat(2 * times));
        for _ in 0..2 * times {
            assert!(client.line().starts_with("CONTENTS "));
            assert_eq!(client.contents(numbytes).len(), numbytes);
        }
    }
}

/// A machine that is busy may stop this process for longer than the pauses that a test is about.
/// A failure then says nothing: it is tried again, a few times.
#[track_caller]
fn undisturbed<T: PartialEq + Debug>(
    expected: T,
    bearable: Duration,
    mut attempt: impl FnMut() -> (T, Duration),
) {
    for _ in 0..4 {
        let (seen, late) = attempt();
        if seen == expected || late <= bearable {
            assert_eq!(seen, expected, "at most {late:?} late");
            return;
        }
    }
    assert_eq!(attempt().0, expected, "or the machine is too busy to measure it");
}

#[test]
fn an_empty_line_is_a_sign_of_life() {
    let idle = Duration::from_millis(400);
    let server = Running::start(Server::builder().idle_timeout(Some(idle)));
    let attempt = || {
        let mut client = server.client();
        let (since, mut last, mut late) = (Instant::now(), Instant::now(), Duration::ZERO);
        while since.elapsed() < 3 * idle {
            thread::sleep(idle / 5);
            late = late.max(last.elapsed());
            last = Instant::now();
            let _ = client.try_send("\n");
        }
        let _ = client.try_send("stat f\r\nquit\r\n");
        (client.read_to_reset(), late)
    };
    undisturbed("ERR_FILE_NOT_FOUND\r\n".to_string(), idle / 2, attempt);
}

#[test]
fn the_idle_time_does_not_run_while_a_reply_is_sent() {
    // Long enough for a busy machine to bring the contents in.
    let idle = 2 * IDLE;
    let server = Running::start(Server::builder().idle_timeout(Some(idle)));
    let (numbytes, times) = portions(32 * MIB);
    assert_eq!(server.client().write("f", &vec![b'x'; numbytes]), "OK 1");
    let readers = server.addresses().map(Client::connect);
    readers.iter().for_each(|reader| reader.send("read f\r\n".repeat(times)));
    thread::sleep(2 * idle);
    let head = format!("CONTENTS 1 {numbytes} 0");
    let take =
        |reader: &mut Client| (reader.line() == head).then(|| reader.contents(numbytes).len());
    thread::scope(|scope| {
        for mut reader in readers {
            scope.spawn(move || {
                for _ in 0..times {
                    assert_eq!(take(&mut reader), Some(numbytes));
                }
            });
        }
    });
}

#[test]
fn a_client_that_does_not_take_its_replies_is_disconnected() {
    let server = Running::start(Server::builder().write_timeout(WRITE));
    let mut asker = server.client();
    let before = asker.stat("memory");
    let (numbytes, times) = portions(32 * MIB);
    assert_eq!(asker.write("f", &vec![b'x'; numbytes]), "OK 1");
    for address in server.addresses() {
        let [mut deaf, mut dripping, mut collecting] = [0; 3].map(|_| Client::connect(address));
        for client in [&deaf, &dripping, &collecting] {
            client.send("read f\r\n".repeat(times));
        }
        assert_eq!(collecting.line(), format!("CONTENTS 1 {numbytes} 0"));
        eventually("they are disconnected", || {
            dripping.read(&mut [0; 4096]).unwrap();
            collecting.read(&mut [0; 4096]).unwrap();
            asker.stat("connections") == 1
        });
        assert!(deaf.read(&mut [0; 100]).unwrap() > 0, "it gets what was sent");
    }
    assert_eq!(asker.stat("memory") - before, in_memory(numbytes) + cost::file(1));
}

#[test]
fn unread_replies_end_a_client_that_keeps_sending() {
    let server = Running::start(Server::builder().write_timeout(WRITE));
    // A Telnet option is a question, too.
    for request in [&b"help\r\n"[..], b"\xff\xfd\x01\n"] {
        for address in server.addresses() {
            let client = Client::connect(address);
            let since = Instant::now();
            while client.try_send(request.repeat(1000)).is_ok() {
                assert!(since.elapsed() < PATIENCE, "{address}: never cut off");
            }
        }
    }
    server.client().alone();
}

/// Reads the file this many times, and takes a mebibyte for each three quarters of the time-out; how
/// much came, of `total` bytes.
fn take_steadily(address: &Address, times: usize, total: usize, time_out: Duration) -> usize {
    let mut steady = Client::connect(address);
    steady.send("read f\r\n".repeat(times));
    let (since, mut taken) = (Instant::now(), 0);
    loop {
        let due = time_out.mul_f64(0.75 * taken as f64 / MIB as f64);
        thread::sleep(due.saturating_sub(since.elapsed()));
        match steady.read(&mut vec![0; MIB / 16]).unwrap() {
            0 => return taken,
            n => taken += n,
        }
        if taken == total {
            return taken;
        }
    }
}

/// On a busy machine the reader, the server or the kernel between them may lose a part of the
/// time-out. That part does not grow with the time-out.
#[test]
fn a_slow_but_steady_reader_gets_everything() {
    let (numbytes, times) = portions(10 * MIB);
    let contents = vec![b'x'; numbytes];
    let total = times * (format!("CONTENTS 1 {numbytes} 0\r\n\r\n").len() + numbytes);
    let taken = |time_out| {
        let server = Running::start(Server::builder().write_timeout(time_out));
        assert_eq!(server.client().write("f", &contents), "OK 1");
        thread::scope(|scope| {
            let addresses = server.addresses();
            let readers = addresses
                .map(|address| scope.spawn(move || take_steadily(address, times, total, time_out)));
            readers.map(|reader| reader.join().unwrap())
        })
    };
    let mut time_outs = [400, 1600, 6400].map(Duration::from_millis).into_iter();
    assert!(time_outs.any(|time_out| taken(time_out) == [total; 2]));
}
