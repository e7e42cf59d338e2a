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
fn a_connection_is_told_of_in_order_and_its_end_once() {
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
fn the_application_is_asked_before_anything_is_read() {
    let (diary, lines) = Diary::new();
    let (go, gate) = crossbeam_channel::bounded::<()>(0);
    let script = Script {
        connect: {
            let diary = diary.clone();
            Arc::new(move |_| {
                diary.note("asked");
                gate.recv().is_ok()
            })
        },
        ..diary.script()
    };
    let server = start(script);
    let mut client = Raw::connect(&server);
    // More than the socket's buffers hold: if it were read, the writing would come to its end.
    let (written, done) = std::sync::mpsc::channel();
    let mut stream = client.0.try_clone().unwrap();
    thread::spawn(move || {
        use std::io::Write;
        written.send(stream.write_all(&wire(1, vec![b'x'; 15 << 20])).is_ok())
    });
    assert_eq!(next(&lines), "asked");
    assert!(done.recv_timeout(Duration::from_millis(200)).is_err());
    go.send(()).unwrap();
    assert!(next(&done));
    client.expect(&wire(1, vec![b'x'; 15 << 20]));
    assert_eq!(next(&lines), "message 1");
}

#[test]
fn who_is_refused_gets_what_was_sent_and_no_other_callback_comes() {
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
fn its_own_shutdown_flushes_and_is_no_disconnect() {
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
fn after_its_own_shutdown_a_silent_client_is_cut_off() {
    let script = Script {
        message: Arc::new(|OwnedMessage { client, .. }| client.shutdown()),
        ..Script::default()
    };
    let server = start(script);
    let mut client = Raw::connect(&server);
    client.send(&wire(1, "x"));
    assert_eq!(client.rest(), b"");
    let since = Instant::now();
    eventually("it is cut off", || format!("{server:?}").contains(" 0 clients"));
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
    // Everyone has heard those who came after, and now all hear this.
    clients[2].send(&wire(2, "all"));
    for (i, client) in clients.iter_mut().enumerate() {
        client.expect(&[wire(1, "in").repeat(2 - i), wire(2, "all")].concat());
    }
}

#[test]
fn the_address_is_the_clients() {
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
fn who_cannot_be_made_keeps_the_server_from_starting() {
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
        assert_eq!(lines.iter().collect::<Vec<_>>(), ["drop", "drop"], "the others end too");
    }
}

#[test]
fn an_address_that_is_taken_is_an_error_and_nothing_is_made() {
    let server = start(Script::default());
    let new = Arc::new(|| panic!("it was made"));
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
