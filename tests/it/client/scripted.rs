//! What the client sends for coordination, and the replies that it rejects: a server by script.

use super::coordination::{NOW, changed, files};
use crate::server::PATIENCE;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use telefile::client::Error;
use telefile::{Client, Exptime, Version};

/// A server that says hello, then answers one line with `reply`, and holds the connection until
/// its thread is joined; the line that it got.
fn answers(reply: impl AsRef<[u8]> + Send + 'static) -> (Client, Liar) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (hold, held) = mpsc::channel::<()>();
    let thread = thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut input = BufReader::new(stream);
        input.read_line(&mut String::new()).unwrap();
        input.get_mut().write_all(b"HELLO 1 00000000000000aa 0\r\n").unwrap();
        let mut line = String::new();
        input.read_line(&mut line).unwrap();
        let _ = input.get_mut().write_all(reply.as_ref());
        let _ = held.recv();
        line
    });
    let client = Client::builder().timeout(Some(PATIENCE)).connect(&address).unwrap();
    (client, Liar { _hold: hold, thread })
}

struct Liar {
    _hold: mpsc::Sender<()>,
    thread: JoinHandle<String>,
}

impl Liar {
    fn line(self) -> String {
        drop(self._hold);
        self.thread.join().unwrap()
    }
}

#[test]
fn the_time_is_rounded_up_to_seconds_and_is_at_most_a_day() {
    for (time, seconds) in [
        (Duration::ZERO, "0"),
        (Duration::from_nanos(1), "1"),
        (Duration::from_secs(1), "1"),
        (Duration::from_millis(1500), "2"),
        (Duration::from_secs(86_400), "86400"),
        (Duration::from_secs(86_401), "86400"),
        (Duration::from_secs(u64::MAX), "86400"),
    ] {
        let (client, server) = answers("CHANGES 0 0\r\n");
        assert_eq!(client.watch("p", Version(7), time).unwrap().version, Version(0));
        assert_eq!(server.line(), format!("watch p 7 {seconds}\r\n"), "{time:?}");
    }
}

#[test]
fn requests_are_written_as_the_protocol_defines_them() {
    let sent = |reply: &'static str, ask: fn(&Client)| {
        let (client, server) = answers(reply);
        ask(&client);
        server.line()
    };
    let touch = sent("OK 7\r\n", |c| {
        assert_eq!(c.touch("f", Version(7), Exptime::Connection).unwrap(), Version(7))
    });
    assert_eq!(touch, "touch f 7 -1\r\n");
    let list = sent("LIST 7 0 0\r\n", |c| drop(c.list_page("", 5, None).unwrap()));
    assert_eq!(list, "list * 5\r\n");
    let list = sent("LIST 7 1 1\r\n1 0 0 ac\r\n", |c| {
        assert!(c.list_page("a", 5, Some("ab")).unwrap().more);
    });
    assert_eq!(list, "list a 5 ab\r\n");
    let create = sent("OK 7 q7\r\n", |c| drop(c.create("q", "x", Exptime::Seconds(9)).unwrap()));
    assert_eq!(create, "create q 1 9\r\n");
}

#[test]
fn wrong_lines_of_a_list_end_the_connection() {
    let mut many = "LIST 1 10001 0\r\n".to_string();
    many.extend((0..10_001).map(|i| format!("1 0 0 f{i}\r\n")));
    for reply in [
        "LIST 1\r\n",
        "LIST 1 0\r\n",
        "LIST 1 0 1\r\n",
        "LIST 1 0 2\r\n",
        "LIST 1 -1 0\r\n",
        "LIST 1 9223372036854775807 0\r\n1 0 0 f\r\n",
        "LIST 1 10001 0\r\n",
        "CHANGES 1 0\r\n",
        "OK 1\r\n",
        "LIST 1 1 0\r\n1 0 f\r\n",
        "LIST 1 1 0\r\n1 0 0 @7\r\n",
        "LIST 1 1 0\r\n1 0 -2 f\r\n",
        "LIST 1 1 0\r\n1 0 0 a\u{1b}[31m\r\n",
        "LIST 1 1 0\r\nput 1 0 f\r\n",
        "LIST 1 2 0\r\n1 0 0 f\r\nOK 7\r\n",
        "LIST 1 1 0\r\n\r\n",
        "LIST 1 1 0\r\n1 0 0 e\r\n",
        "LIST 1 2 0\r\n1 0 0 f1\r\n2 0 0 f0\r\n",
        "LIST 1 2 0\r\n1 0 0 f\r\n1 0 0 f\r\n",
        &many,
    ] {
        let (client, server) = answers(reply.to_string());
        let error = client.list_page("f", 10_000, None).unwrap_err();
        assert!(matches!(error, Error::Protocol(_)), "{reply:?}: {error:?}");
        assert!(!error.to_string().contains('\x1b') && error.to_string().len() < 200, "{error}");
        assert!(matches!(client.read("f").unwrap_err(), Error::Lost(_)), "{reply:?}");
        server.line();
    }
    // An additional field belongs to a later protocol.
    let (client, _server) = answers("LIST 1 1 0 new\r\n1 0 0 f new\r\n");
    assert_eq!(files(&client.list_page("f", 1, None).unwrap()), [("f", 1, 0, Exptime::Never)]);
}

#[test]
fn wrong_lines_of_changes_end_the_connection() {
    let mut many = "CHANGES 1 10001\r\n".to_string();
    many.extend((0..10_001).map(|i| format!("put 1 0 f{i}\r\n")));
    for reply in [
        "CHANGES 1\r\n",
        "CHANGES x 0\r\n",
        "CHANGES 1 9223372036854775807\r\nput 1 0 f\r\n",
        "CHANGES 1 10001\r\n",
        "LIST 1 0 0\r\n",
        "OK\r\n",
        "CHANGES 1 1\r\nset 1 0 f\r\n",
        "CHANGES 1 1\r\nput 1 f\r\n",
        "CHANGES 1 1\r\ndel 1 f\r\n",
        "CHANGES 1 1\r\nput 1 0 @0\r\n",
        "CHANGES 1 1\r\n1 0 0 f\r\n",
        "CHANGES 1 2\r\nput 1 0 f\r\n\r\n",
        &many,
    ] {
        let (client, server) = answers(reply.to_string());
        let error = client.watch("f", Version(0), PATIENCE).unwrap_err();
        assert!(matches!(error, Error::Protocol(_)), "{reply:?}: {error:?}");
        assert!(matches!(client.read("f").unwrap_err(), Error::Lost(_)), "{reply:?}");
        server.line();
    }
    let (client, _server) = answers("CHANGES 9 2 new\r\nput 8 1 f\r\ndel 9 0 g\r\n");
    let changes = client.watch("f", Version(0), NOW).unwrap();
    assert_eq!(changed(&changes), [("f", 8, Some(1)), ("g", 9, None)]);
}

#[test]
fn wrong_replies_to_create_and_touch_are_rejected() {
    for reply in ["OK\r\n", "OK 7\r\n", "OK x q7\r\n", "OK 7 @7\r\n", "LIST 1 0 0\r\n"] {
        let (client, _server) = answers(reply);
        let error = client.create("q", "", Exptime::Never).unwrap_err();
        assert!(matches!(error, Error::Protocol(_)), "{reply:?}: {error:?}");
    }
    for reply in ["OK\r\n", "OK 7 q7\r\n", "CHANGES 7 0\r\n"] {
        let (client, _server) = answers(reply);
        let error = client.touch("q", Version(7), Exptime::Never).unwrap_err();
        assert!(matches!(error, Error::Protocol(_)), "{reply:?}: {error:?}");
    }
}

/// The wait for a silent server is not much longer than the watch and the time-out.
#[test]
fn an_unanswered_watch_times_out() {
    let timeout = Duration::from_millis(200);
    for (half, seconds) in [("", 0), ("CHANGES 1 1\r\n", 0), ("", 1)] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let server = thread::spawn(move || {
            for stream in listener.incoming() {
                let mut input = BufReader::new(stream.unwrap());
                let _ = input.read_line(&mut String::new());
                let _ = input.get_mut().write_all(b"HELLO 1 00000000000000aa 0\r\n");
                if input.read_line(&mut String::new()).is_ok_and(|n| n > 0) {
                    input.get_mut().write_all(half.as_bytes()).unwrap();
                    let _ = input.read_line(&mut String::new());
                    return;
                }
            }
        });
        // On a busy machine hello may come too late.
        let client = loop {
            match Client::builder().timeout(Some(timeout)).connect(&address) {
                Err(e) if e.is_retryable() => {}
                connected => break connected.unwrap(),
            }
        };
        let since = Instant::now();
        let error = client.watch("f", Version(0), Duration::from_secs(seconds)).unwrap_err();
        let Error::Lost(why) = &error else { panic!("{error:?}") };
        assert_eq!(why.kind(), std::io::ErrorKind::TimedOut, "{error:?}");
        let (waited, least) = (since.elapsed(), Duration::from_secs(seconds) + timeout / 2);
        assert!(waited >= least && waited < PATIENCE / 2, "{waited:?}");
        drop(client);
        server.join().unwrap();
    }
}
