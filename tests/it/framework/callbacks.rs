//! What the callbacks of an application promise: their order, and that each end is reported once.

use super::{Diary, Puppet, Raw, Script, config, message, next, start, wire};
use crate::server::eventually;
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};
use telefile::framework::{Connection, OwnedMessage, Server, ServerConfig, StartError};
use telefile::net::Address;

#[test]
fn events_of_a_connection_come_in_order_and_its_end_once() {
    let (diary, lines) = Diary::new();
    let server = start(diary.script());
    for in_order in [true, false] {
        let mut client = Raw::connect(&server);
        client.send(&[wire(1, "a"), wire(2, ""), wire(3, "c")].concat());
        client.expect(&[wire(1, "a"), wire(2, ""), wire(3, "c")].concat());
        if !in_order {
            // Closing with unread bytes sends a reset.
            client.send(&wire(4, "d"));
            client.0.peek(&mut [0]).unwrap();
        }
        drop(client);
        for line in ["connect", "message 1", "message 2", "message 3"] {
            assert_eq!(next(&lines), line);
        }
        if !in_order {
            assert_eq!(next(&lines), "message 4");
        }
        assert_eq!(next(&lines), "disconnect");
    }
    server.stop(None).unwrap();
    drop(diary);
    assert_eq!(lines.iter().collect::<Vec<_>>(), ["drop"]);
}

#[test]
fn nothing_is_read_before_the_application_accepts() {
    let (diary, lines) = Diary::new();
    let (go, gate) = crossbeam_channel::bounded::<()>(0);
    let script = Script {
        connect: {
            let diary = diary.clone();
            Arc::new(move |_| {
                diary.note("connect");
                gate.recv().is_ok()
            })
        },
        ..diary.script()
    };
    let server = start(script);
    let mut client = Raw::connect(&server);
    // More than the sockets hold: the write ends only if the server reads.
    let (written, done) = std::sync::mpsc::channel();
    let mut stream = client.0.try_clone().unwrap();
    thread::spawn(move || {
        use std::io::Write;
        written.send(stream.write_all(&wire(1, vec![b'x'; 15 << 20])).is_ok())
    });
    assert_eq!(next(&lines), "connect");
    assert!(done.recv_timeout(Duration::from_millis(200)).is_err());
    go.send(()).unwrap();
    assert!(next(&done));
    client.expect(&wire(1, vec![b'x'; 15 << 20]));
    assert_eq!(next(&lines), "message 1");
}

#[test]
fn a_refused_client_gets_its_messages_and_no_other_callback_is_called() {
    for panics in [false, true] {
        let (diary, lines) = Diary::new();
        let script = Script {
            connect: Arc::new(move |client: &Connection| {
                client.send(message(9, "full"));
                assert!(!panics, "an intended panic");
                false
            }),
            ..diary.script()
        };
        let server = start(script);
        let mut client = Raw::connect(&server);
        client.send(&wire(1, "hello"));
        assert_eq!(client.rest(), wire(9, "full"));
        drop(client);
        server.stop(None).unwrap();
        drop(diary);
        assert_eq!(lines.iter().collect::<Vec<_>>(), ["drop"]);
    }
}

#[test]
fn a_shutdown_by_the_application_flushes_and_is_no_disconnect() {
    let (diary, lines) = Diary::new();
    let script = Script {
        message: Arc::new(|OwnedMessage { message, client }| {
            client.send(message.clone());
            client.shutdown();
            client.shutdown();
            client.send(message);
        }),
        ..diary.script()
    };
    let server = start(script);
    let mut client = Raw::connect(&server);
    let large = wire(1, vec![b'x'; 8 << 20]); // more than the sockets hold
    client.flood([large.clone(), wire(2, "late")].concat());
    assert!(client.rest() == large);
    client.send(&wire(3, "dropped, and no reset"));
    drop(client);
    server.stop(None).unwrap();
    drop(diary);
    assert_eq!(lines.iter().collect::<Vec<_>>(), ["connect", "drop"]);
}

#[test]
fn a_silent_client_is_cut_off_after_a_shutdown_by_the_application() {
    let script = Script {
        message: Arc::new(|OwnedMessage { client, .. }| client.shutdown()),
        ..Script::default()
    };
    let server = start(script);
    let mut client = Raw::connect(&server);
    client.send(&wire(1, "x"));
    assert_eq!(client.rest(), b"");
    let since = Instant::now();
    eventually("the client is cut off", || format!("{server:?}").contains(" 0 clients"));
    assert!(since.elapsed() > Duration::from_secs(4), "{:?}", since.elapsed());
}

#[test]
fn a_panic_ends_neither_the_connection_nor_the_worker() {
    let (diary, lines) = Diary::new();
    let noted = diary.clone();
    let script = Script {
        message: Arc::new(|OwnedMessage { message, client }| {
            client.send(message.clone());
            assert_eq!(message.id(), 2, "an intended panic");
        }),
        disconnect: Arc::new(move |_| {
            noted.note("disconnect");
            panic!("an intended panic");
        }),
        drop: Arc::new(|| panic!("an intended panic")),
        ..Script::default()
    };
    let server = start(script);
    for _ in 0..2 {
        let mut client = Raw::connect(&server);
        client.send(&[wire(1, "a"), wire(2, "b"), wire(3, "c")].concat());
        client.expect(&[wire(1, "a"), wire(2, "b"), wire(3, "c")].concat());
        drop(client);
        assert_eq!(next(&lines), "disconnect");
    }
    server.stop(None).unwrap();
}

#[test]
fn a_kept_connection_can_be_used_in_another_callback() {
    let kept: Arc<Mutex<Vec<Connection>>> = Arc::default();
    let script = Script {
        connect: {
            let kept = kept.clone();
            Arc::new(move |client| {
                kept.lock().unwrap().push(client.clone());
                true
            })
        },
        message: Arc::new(move |OwnedMessage { message, .. }| {
            kept.lock().unwrap().iter().for_each(|client| client.send(message.clone()));
        }),
        ..Script::default()
    };
    let server = start(script);
    let mut clients: Vec<_> = (0..3)
        .map(|_| {
            let mut client = Raw::connect(&server);
            client.send(&wire(1, "in"));
            client.expect(&wire(1, "in"));
            client
        })
        .collect();
    // Each client has received the messages of those that connected after it.
    clients[2].send(&wire(2, "all"));
    for (i, client) in clients.iter_mut().enumerate() {
        client.expect(&[wire(1, "in").repeat(2 - i), wire(2, "all")].concat());
    }
}

#[test]
fn a_connection_has_the_address_of_its_client() {
    let (diary, lines) = Diary::new();
    let connect = Arc::new(move |client: &Connection| {
        diary.note(client.address().unwrap().to_string());
        true
    });
    let server = start(Script { connect, ..Script::default() });
    let client = Raw::connect(&server);
    assert_eq!(next(&lines), client.0.local_addr().unwrap().to_string());
}

#[test]
fn a_server_does_not_start_if_an_application_cannot_be_made() {
    for panics in [false, true] {
        let (diary, lines) = Diary::new();
        let made = AtomicUsize::new(0);
        let script = Script {
            new: Arc::new(move || match made.fetch_add(1, SeqCst) {
                1 if panics => panic!("no luck"),
                1 => Err("no luck".to_string()),
                _ => Ok(()),
            }),
            ..diary.script()
        };
        drop(diary);
        let e = Server::spawn(config(script).workers(3)).unwrap_err();
        assert!(matches!(e, StartError::App(_)), "{e:?}");
        let said = e.to_string();
        let expected = "the application does not start: ";
        assert!(said.starts_with(expected) && said.ends_with("no luck"), "{said}");
        assert_eq!(
            lines.iter().collect::<Vec<_>>(),
            ["drop", "drop"],
            "the other values are dropped"
        );
    }
}

#[test]
fn a_taken_address_is_an_error_and_no_application_is_made() {
    let server = start(Script::default());
    let new = Arc::new(|| panic!("an application was made"));
    let script = Script { new, ..Script::default() };
    let taken = &server.addresses()[0];
    let free: Address = "127.0.0.1:0".parse().unwrap();
    let config = ServerConfig::<Puppet>::new(script).listen(free).listen(taken.clone());
    let e = Server::spawn(config).unwrap_err();
    assert_eq!(e.to_string(), format!("{taken}: address already in use"));
}

#[test]
fn a_server_listens_on_all_its_addresses() {
    let free: Address = "127.0.0.1:0".parse().unwrap();
    let server = Server::spawn(config(Script::default()).listen(free)).unwrap();
    let [first, second] = server.addresses() else { panic!("{server:?}") };
    assert_ne!(first, second);
    for address in [first, second] {
        let mut client = Raw::connect_to(&address.to_string());
        client.send(&wire(1, "x"));
        client.expect(&wire(1, "x"));
    }
    server.stop(None).unwrap();
    for address in server.addresses() {
        assert!(TcpStream::connect(address.to_string()).is_err());
    }
}

#[test]
fn a_kept_connection_can_be_used_on_any_thread() {
    let (kept, connections) = std::sync::mpsc::channel();
    let script = Script {
        connect: Arc::new(move |client| kept.send(client.clone()).is_ok()),
        ..Script::default()
    };
    let server = start(script);
    let mut client = Raw::connect(&server);
    let connection: Connection = next(&connections);
    thread::spawn(move || {
        connection.send(message(1, "from elsewhere"));
        connection.shutdown();
    });
    assert_eq!(client.rest(), wire(1, "from elsewhere"));
}
