//! How a server of messages stops: what is still answered, and how long it waits.

use super::{DRAIN, Diary, Puppet, Raw, Script, message, next, start, wire};
use crate::pace::Pace;
use crate::server::{PATIENCE, eventually};
use std::io::Write;
use std::net::TcpStream;
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;
use std::time::{Duration, Instant};
use telefile::framework::{
    Client, ClientError, EndReason, OwnedMessage, Server, ServerConfig, StopError,
};
use telefile::net::Address;

#[test]
fn the_port_of_a_stopped_server_is_free_at_once() {
    let mut address: Address = "127.0.0.1:0".parse().unwrap();
    let mut servers = Vec::new();
    for _ in 0..3 {
        let server =
            Server::spawn(ServerConfig::<Puppet>::new(Script::default()).listen(address)).unwrap();
        address = server.addresses()[0].clone();
        let mut client = Raw::connect(&server);
        client.send(&wire(1, "x"));
        client.expect(&wire(1, "x"));
        let waiting = thread::spawn(move || client.rest());
        server.stop(None).unwrap();
        assert_eq!(waiting.join().unwrap(), b"", "the client gets the end of the stream");
        assert!(TcpStream::connect(address.to_string()).is_err());
        servers.push(server); // stopped and not dropped
    }
}

#[test]
fn a_stop_answers_all_messages_that_have_arrived() {
    let (diary, lines) = Diary::new();
    let noted = diary.clone();
    let script = Script {
        message: Arc::new(move |OwnedMessage { message, client }| {
            noted.note("message");
            thread::sleep(Duration::from_millis(10));
            client.send(message);
        }),
        ..diary.script()
    };
    let server = start(script);
    let mut client = Raw::connect(&server);
    let requests = (0..30).map(|id| wire(id, "x")).collect::<Vec<_>>().concat();
    client.send(&requests);
    assert_eq!([next(&lines), next(&lines)], ["connect", "message"]);
    let reader = thread::spawn(move || client.rest());
    server.stop(None).unwrap();
    assert_eq!(reader.join().unwrap(), requests);
    drop(diary);
    let rest: Vec<_> = lines.iter().collect();
    assert_eq!(rest.len(), 30, "{rest:?}");
    assert_eq!(rest.last().unwrap(), "drop", "no disconnect comes before");
}

#[test]
fn a_stop_answers_messages_that_wait_for_a_slow_client() {
    const ASKED: usize = 14; // mebibytes: less than may wait, more than the sockets hold
    let (diary, lines) = Diary::new();
    let script = Script {
        message: Arc::new(move |OwnedMessage { message: received, client }| {
            diary.note("message");
            client.send(message(received.id(), vec![b'x'; 1 << 20]));
        }),
        ..Script::default()
    };
    let server = start(script);
    let mut client = Raw::connect(&server);
    client.send(&wire(1, "").repeat(ASKED));
    next(&lines);
    thread::scope(|scope| {
        scope.spawn(|| server.stop(None).unwrap());
        (1..ASKED).for_each(|_| drop(next(&lines)));
        assert!(client.rest() == wire(1, vec![b'x'; 1 << 20]).repeat(ASKED));
        drop(client);
    });
}

#[test]
fn a_stop_waits_five_seconds_for_a_client_that_does_not_end() {
    thread::scope(|scope| {
        for floods in [false, true] {
            scope.spawn(move || {
                let server = start(Script::default());
                let mut client = Raw::connect(&server);
                client.send(&wire(1, "x"));
                client.expect(&wire(1, "x"));
                if floods {
                    let mut stream = client.0.try_clone().unwrap();
                    thread::spawn(move || while stream.write_all(&[0; 10_000]).is_ok() {});
                }
                let (since, pace) = (Instant::now(), Pace::start());
                server.stop(None).unwrap();
                let (least, took) = (since.elapsed(), pace.took());
                assert!(least > DRAIN * 9 / 10 && took < DRAIN * 8 / 5, "{least:?}, {took:?}");
            });
        }
    });
}

#[test]
fn a_stop_with_a_timeout_cuts_off_silent_clients_then() {
    let server = start(Script::default());
    let mut client = Raw::connect(&server);
    client.send(&wire(1, "x"));
    client.expect(&wire(1, "x"));
    let pace = Pace::start();
    server.stop(Some(Duration::from_millis(300))).unwrap();
    let took = pace.took();
    assert!(took < Duration::from_millis(900), "{took:?}");
}

#[test]
fn a_stop_abandons_a_callback_that_does_not_return() {
    let (diary, lines) = Diary::new();
    let (go, gate) = crossbeam_channel::bounded::<()>(0);
    let noted = diary.clone();
    let script = Script {
        message: Arc::new(move |_| {
            noted.note("stuck");
            let _ = gate.recv_timeout(PATIENCE * 3);
        }),
        ..diary.script()
    };
    let server = start(script);
    let address = server.addresses()[0].clone();
    let mut client = Raw::connect(&server);
    client.send(&[wire(1, "x"), wire(2, "y")].concat());
    assert_eq!([next(&lines), next(&lines)], ["connect", "stuck"]);
    let (since, pace) = (Instant::now(), Pace::start());
    assert_eq!(server.stop(Some(Duration::from_millis(300))), Err(StopError::TimedOut));
    let (least, took) = (since.elapsed(), pace.took());
    assert!(least >= Duration::from_millis(300) && took < Duration::from_millis(900), "{took:?}");
    assert_eq!(client.rest(), b"");
    let again =
        Server::spawn(ServerConfig::<Puppet>::new(Script::default()).listen(address)).unwrap();
    drop(again);
    drop((go, diary));
    // When the callback returns, its thread ends and its value is dropped.
    assert_eq!(lines.iter().last().unwrap(), "drop");
    server.stop(Some(PATIENCE)).unwrap();
}

#[test]
fn a_stop_ends_clients_that_the_application_does_not_know_yet() {
    let (diary, lines) = Diary::new();
    let (go, gate) = crossbeam_channel::bounded::<()>(0);
    let noted = diary.clone();
    let script = Script {
        message: Arc::new(move |_| {
            noted.note("busy");
            let _ = gate.recv_timeout(PATIENCE * 3);
        }),
        ..diary.script()
    };
    let server = start(script);
    let mut known = Raw::connect(&server);
    known.send(&wire(1, "x"));
    assert_eq!([next(&lines), next(&lines)], ["connect", "busy"]);
    let mut unknown = Raw::connect(&server);
    eventually("both clients are connected", || format!("{server:?}").contains("2 clients"));
    thread::scope(|scope| {
        scope.spawn(|| server.stop(Some(PATIENCE)).unwrap());
        assert_eq!(
            unknown.rest(),
            b"",
            "it gets the end of the stream although the worker is busy"
        );
        // A stop closes the listener last. Otherwise the other client might leave before it is
        // stopped.
        let address = server.addresses()[0].to_string();
        eventually("all are stopped", || TcpStream::connect(&address).is_err());
        drop((unknown, known, go));
    });
    drop(diary);
    assert_eq!(lines.iter().collect::<Vec<_>>(), ["drop"]);
}

#[test]
fn a_stop_from_a_callback_is_an_error() {
    let here: Arc<OnceLock<Arc<Server>>> = Arc::default();
    let own = here.clone();
    let script = Script {
        message: Arc::new(move |OwnedMessage { client, .. }| {
            let answer = own.get().unwrap().stop(None).unwrap_err();
            assert_eq!(answer, StopError::InCallback);
            client.send(message(1, answer.to_string()));
        }),
        ..Script::default()
    };
    let server = Arc::new(start(script));
    let _ = here.set(server.clone());
    let mut client = Raw::connect(&server);
    for _ in 0..2 {
        client.send(&wire(1, ""));
        client.expect(&wire(1, "a callback cannot stop its own server"));
    }
    drop(client);
    server.stop(None).unwrap();
}

#[test]
fn a_callback_may_drop_its_server() {
    let here: Arc<Mutex<Option<Server>>> = Arc::default();
    let own = here.clone();
    let script = Script {
        message: Arc::new(move |OwnedMessage { message, client }| {
            drop(own.lock().unwrap().take());
            client.send(message);
        }),
        ..Script::default()
    };
    let server = start(script);
    let mut client = Raw::connect(&server);
    *here.lock().unwrap() = Some(server);
    client.send(&wire(1, "the last"));
    assert_eq!(client.rest(), wire(1, "the last"));
}

#[test]
fn clients_of_a_stopped_server_get_an_error() {
    let server = start(Script::default());
    let client = Client::connect_to(&server.addresses()[0]).unwrap();
    client.send(message(1, "x")).unwrap();
    assert_eq!(client.recv(Some(PATIENCE)), Ok(message(1, "x")));
    let pace = Pace::start();
    server.stop(None).unwrap();
    assert!(pace.took() < Duration::from_secs(4), "the client ends its side at once");
    let ended = ClientError::ConnectionReset(EndReason::Peer);
    assert_eq!(client.recv(Some(PATIENCE)), Err(ended));
    let unsent = client.send(message(2, "y")).unwrap_err();
    assert_eq!((unsent.message, unsent.reason), (message(2, "y"), EndReason::Peer));
}
