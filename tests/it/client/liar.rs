//! Fake servers: how a client handles wrong replies, endless contents and silence.

use super::bytes;
use crate::server::{Folder, PATIENCE};
use socket2::{Domain, SockAddr, Socket, Type};
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixListener;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use telefile::client::Error;
use telefile::{Client, Limit, Refusal};

pub(super) const HELLO: &str = "HELLO 1 00000000000000aa 0\r\n";
const SHORT: Duration = Duration::from_millis(200);

/// Serves one client: takes a line, answers `hello`, and goes on as `lie` says.
pub(super) fn liar(
    hello: &'static str,
    lie: impl FnOnce(BufReader<TcpStream>) + Send + 'static,
) -> (String, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let thread = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        drop(listener); // who comes again finds nobody
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut input = BufReader::new(stream.try_clone().unwrap());
        input.read_line(&mut String::new()).unwrap();
        stream.write_all(hello.as_bytes()).unwrap();
        lie(input);
    });
    (address, thread)
}

/// Returns a client of a server that answers the next line with `reply` and closes.
fn answers(reply: impl AsRef<[u8]> + Send + 'static) -> Client {
    let (address, _) = liar(HELLO, move |mut input| {
        input.read_line(&mut String::new()).unwrap();
        let _ = input.get_mut().write_all(reply.as_ref());
    });
    Client::builder().timeout(Some(PATIENCE)).connect(&address).unwrap()
}

fn waits_for_the_end(mut input: BufReader<TcpStream>) {
    let _ = input.read_to_end(&mut Vec::new());
}

#[test]
fn a_reply_that_does_not_fit_its_request_ends_the_connection() {
    for reply in [
        "OK 1\r\n",
        "OK\r\n",
        "FD 0 1 File\r\n",
        "WHAT 1\r\n",
        "\r\n",
        "CONTENTS 1 six 0\r\n",
        "CONTENTS 1 1 0\r\nab\r\n",
        "ERR_VERSION\r\n",
        "a\rb\r\n",
        "HTTP/1.1 400 Bad Request\r\n",
    ] {
        let client = answers(reply);
        let error = client.read("f").unwrap_err();
        assert!(matches!(error, Error::Protocol(_)), "{reply:?}: {error:?}");
        let error = client.read("f").unwrap_err();
        assert!(matches!(error, Error::Lost(_)), "{reply:?}: {error:?}");
    }
    let error = answers("CONTENTS 1 0 0\r\n\r\n").write("f", "").unwrap_err();
    assert!(error.to_string().contains("CONTENTS 1 0 0"), "{error}");
    let error = answers("x".repeat(100_000)).read("f").unwrap_err();
    assert!(matches!(error, Error::Protocol(_)), "{error:?}");
}

#[test]
fn an_error_shows_a_part_of_the_reply_escaped() {
    let error = answers("\x1b[31m\u{202e}evil\r\n").read("f").unwrap_err().to_string();
    assert!(!error.contains('\x1b') && !error.contains('\u{202e}'), "{error}");
    let error = answers(format!("{}\r\n", "y".repeat(400))).read("f").unwrap_err().to_string();
    assert!(error.len() < 200, "{error}");
}

#[test]
fn an_announcement_takes_no_memory_and_no_time() {
    for numbytes in ["4611686018427387904", "67108865"] {
        let client = answers(format!("CONTENTS 1 {numbytes} 0\r\nab"));
        let error = client.read("f").unwrap_err();
        assert!(matches!(error, Error::TooLarge { .. }), "{error:?}");
        let error = client.read("f").unwrap_err();
        assert!(matches!(error, Error::Lost(_)), "{error:?}");
    }
}

#[test]
fn endless_lines_are_not_collected_forever() {
    let (address, _) = liar(HELLO, |mut input| {
        let _ = input.get_mut().write_all(b"TYPES 4611686018427387904\r\n");
        while input.get_mut().write_all(&b"Type\r\n".repeat(1000)).is_ok() {}
    });
    let client = Client::builder().max_contents(100_000).timeout(None).connect(&address).unwrap();
    assert!(matches!(client.types().unwrap_err(), Error::Protocol(_)));
}

#[test]
fn the_end_of_the_stream_inside_an_answer_is_a_lost_connection() {
    for reply in ["", "OK", "CONTENTS 1 6 0", "CONTENTS 1 6 0\r\nabc", "CONTENTS 1 6 0\r\nabcdef"] {
        let error = answers(reply).read("f").unwrap_err();
        let Error::Lost(why) = &error else { panic!("{reply:?}: {error:?}") };
        let closed = [ErrorKind::UnexpectedEof, ErrorKind::ConnectionReset];
        assert!(closed.contains(&why.kind()), "{reply:?}: {error:?}");
    }
    let mut large = b"CONTENTS 1 3000000 0\r\n".to_vec();
    large.extend(bytes(2_000_000));
    assert!(matches!(answers(large).read("f").unwrap_err(), Error::Lost(_)));
}

/// The request may have been executed. Repeated, it might be executed twice.
#[test]
fn a_lost_request_is_not_repeated() {
    let (address, thread) = liar(HELLO, |mut input| {
        let mut line = String::new();
        input.read_line(&mut line).unwrap();
        assert_eq!(line, "write f 2 0\r\n");
    });
    let client = Client::connect(&address).unwrap();
    let error = client.write("f", "ab").unwrap_err();
    assert!(matches!(error, Error::Lost(_)), "{error:?}");
    thread.join().unwrap();
    assert!(matches!(client.read("f").unwrap_err(), Error::Lost(_)));
}

/// A refusal that was sent before the end is returned, although sending fails.
#[test]
fn the_last_reply_of_a_server_is_read() {
    let folder = Folder::new();
    let path = folder.path().join("socket");
    let listener = UnixListener::bind(&path).unwrap();
    let server = thread::spawn(move || {
        let mut input = BufReader::new(listener.accept().unwrap().0);
        input.read_line(&mut String::new()).unwrap();
        input.get_mut().write_all(HELLO.as_bytes()).unwrap();
        input.read_line(&mut String::new()).unwrap();
        input.get_mut().write_all(b"ERR_LIMIT contents 10\r\n").unwrap();
    });
    let client = Client::connect(&format!("unix:{}", path.display())).unwrap();
    let error = client.write("f", vec![0; 5_000_000]).unwrap_err();
    assert_eq!(error.refusal(), Some(&Refusal::Limit(Limit::Contents, 10)), "{error:?}");
    server.join().unwrap();
    let Error::Lost(why) = client.read("f").unwrap_err() else { panic!() };
    assert!([ErrorKind::BrokenPipe, ErrorKind::ConnectionReset].contains(&why.kind()), "{why}");
}

#[test]
fn a_silent_server_times_out() {
    let timed_out = |address: &str, ask: fn(&Client) -> Error| {
        let client = Client::builder().timeout(Some(SHORT)).connect(address).unwrap();
        let since = Instant::now();
        let error = ask(&client);
        let Error::Lost(why) = &error else { panic!("{error:?}") };
        assert_eq!(why.kind(), ErrorKind::TimedOut, "{error:?}");
        let said = format!("the connection is lost: {address}: no answer within 200ms");
        assert_eq!(error.to_string(), said);
        // The kernel counts in ticks, so it may be a little less.
        assert!(since.elapsed() >= SHORT / 2 && since.elapsed() < PATIENCE / 2);
        assert!(matches!(ask(&client), Error::Lost(_)));
    };
    let read = |client: &Client| client.read("f").unwrap_err();
    timed_out(&liar(HELLO, waits_for_the_end).0, read);
    let inside = |mut input: BufReader<TcpStream>| {
        input.get_mut().write_all(b"CONTENTS 1 6 0\r\nabc").unwrap();
        waits_for_the_end(input);
    };
    timed_out(&liar(HELLO, inside).0, read);
    // A byte now and then is no sign of life.
    let dripping = |mut input: BufReader<TcpStream>| {
        while input.get_mut().write_all(b"x").is_ok() {
            thread::sleep(SHORT / 10);
        }
    };
    timed_out(&liar(HELLO, dripping).0, read);
    // It does not read what is sent either.
    let (hold, held) = mpsc::channel::<()>();
    let deaf = move |input: BufReader<TcpStream>| {
        let _ = held.recv();
        drop(input);
    };
    timed_out(&liar(HELLO, deaf).0, |c| c.write("f", vec![0; 50_000_000]).unwrap_err());
    drop(hold);
}

#[test]
fn a_server_that_does_not_say_hello_is_rejected() {
    let hello = |reply: &'static str| {
        let (address, _) = liar(reply, waits_for_the_end);
        Client::builder().timeout(Some(SHORT)).connect(&address).unwrap_err()
    };
    for reply in ["HTTP/1.1 400 Bad Request\r\n", "OK\r\n", "HELLO 2 00 0\r\n", "ERROR\r\n"] {
        let error = hello(reply);
        assert!(matches!(error, Error::Protocol(_)), "{reply:?}: {error:?}");
    }
    // A server that is suspended, and one that is being stopped.
    let error = hello("");
    let Error::Connect(why) = &error else { panic!("{error:?}") };
    assert_eq!(why.kind(), ErrorKind::TimedOut);
    let (address, _) = liar("", drop);
    let closed = Client::connect(&address).unwrap_err();
    assert!(matches!(&closed, Error::Connect(why) if why.to_string().contains(&address)));
    assert!(error.is_retryable() && closed.is_retryable());
}

/// The queue of a listener that does not accept is full at some time, and connecting waits. Before
/// that it connects, and nobody says hello.
#[test]
fn connecting_has_a_time_out() {
    let folder = Folder::new();
    let path = folder.path().join("full");
    let unix = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
    unix.bind(&SockAddr::unix(&path).unwrap()).unwrap();
    unix.listen(0).unwrap();
    let tcp = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    tcp.bind(&SockAddr::from(std::net::SocketAddr::from(([127, 0, 0, 1], 0)))).unwrap();
    tcp.listen(0).unwrap();
    let tcp_address = tcp.local_addr().unwrap().as_socket().unwrap().to_string();
    for address in [format!("unix:{}", path.display()), tcp_address] {
        let connect = || Client::builder().timeout(Some(SHORT)).connect(&address).unwrap_err();
        for error in (0..5).map(|_| connect()) {
            let Error::Connect(why) = &error else { panic!("{address}: {error:?}") };
            assert_eq!(why.kind(), ErrorKind::TimedOut, "{why}");
            assert!(why.to_string().contains(&address), "{why}");
            assert!(error.is_retryable());
        }
    }
}
