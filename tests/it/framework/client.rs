use super::{Raw, Script, message, start, wire};
use crate::server::PATIENCE;
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};
use telefile::framework::{Client, ClientError, OwnedMessage};

/// A client and the peer that it is connected to.
fn pair() -> (Client, Raw) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = Client::connect(&listener.local_addr().unwrap().to_string()).unwrap();
    let peer: TcpStream = listener.accept().unwrap().0;
    peer.set_read_timeout(Some(PATIENCE)).unwrap();
    (client, Raw(peer))
}

#[test]
fn recv_waits_so_long_and_loses_nothing_that_has_begun() {
    let (client, mut peer) = pair();
    let since = Instant::now();
    let timeout = Duration::from_millis(50);
    assert_eq!(client.recv(Some(timeout)), Err(ClientError::Timeout));
    assert!(since.elapsed() >= timeout);
    assert_eq!(client.recv(Some(Duration::ZERO)), Err(ClientError::Timeout));
    let whole = wire(1, "in two halves");
    peer.send(&whole[..9]);
    assert_eq!(client.recv(Some(timeout)), Err(ClientError::Timeout));
    peer.send(&whole[9..]);
    assert_eq!(client.recv(None), Ok(message(1, "in two halves")));
}

#[test]
fn what_had_arrived_is_handed_out_before_the_end_is_told() {
    let (client, mut peer) = pair();
    peer.send(&[wire(1, "a"), wire(2, "b"), wire(3, "c")[..6].to_vec()].concat());
    drop(peer);
    assert_eq!(client.recv(Some(PATIENCE)), Ok(message(1, "a")));
    assert_eq!(client.recv(Some(PATIENCE)), Ok(message(2, "b")));
    assert_eq!(client.recv(Some(PATIENCE)), Err(ClientError::ConnectionReset));
    assert_eq!(client.recv(None), Err(ClientError::ConnectionReset));
    assert_eq!(client.send(message(4, "d")), Err(ClientError::ConnectionReset));
}

#[test]
fn shutdown_flushes_and_ends() {
    let (client, mut peer) = pair();
    let much = wire(1, vec![b'x'; 12 << 20]);
    client.send(message(1, vec![b'x'; 12 << 20])).unwrap();
    let reader = thread::spawn(move || {
        let all = peer.rest();
        peer.send(&wire(2, "the answer"));
        all
    });
    client.shutdown(Some(PATIENCE)).unwrap();
    assert!(reader.join().unwrap() == much);
    assert_eq!(client.recv(Some(PATIENCE)), Ok(message(2, "the answer")));
    assert_eq!(client.recv(None), Err(ClientError::ConnectionReset));
    client.shutdown(None).unwrap();
}

#[test]
fn shutdown_does_not_hang_with_a_server_that_does_nothing() {
    let (client, _silent) = pair();
    let since = Instant::now();
    let timeout = Duration::from_millis(100);
    assert_eq!(client.shutdown(Some(timeout)), Err(ClientError::Timeout));
    assert!(since.elapsed() < Duration::from_secs(2));
    let (client, _silent) = pair();
    client.send(message(1, vec![b'x'; 12 << 20])).unwrap(); // it does not read either
    let since = Instant::now();
    client.shutdown(None).unwrap();
    let took = since.elapsed().as_secs_f64();
    assert!((4.5..9.0).contains(&took), "{took} s");
}

#[test]
fn many_may_be_sent_before_one_is_received() {
    let server = start(Script::default());
    let client = Client::connect(&server.addr().to_string()).unwrap();
    for id in 0..10_000 {
        client.send(message(id, [b'x'; 1000])).unwrap(); // 10 MB: neither end holds the other up
    }
    for id in 0..10_000 {
        assert_eq!(client.recv(Some(PATIENCE)), Ok(message(id, [b'x'; 1000])));
    }
}

#[test]
fn sending_waits_for_a_server_that_takes_it_late_and_loses_nothing() {
    let (client, mut peer) = pair();
    let (begun, begins) = std::sync::mpsc::channel();
    thread::scope(|scope| {
        let client = &client;
        scope.spawn(move || {
            for id in 0..40 {
                client.send(message(id, vec![b'x'; 1 << 20])).unwrap();
                let _ = begun.send(());
            }
            client.shutdown(Some(PATIENCE)).unwrap();
        });
        // Until it waits; then it still receives.
        while begins.recv_timeout(Duration::from_millis(200)).is_ok() {}
        for id in 0..3 {
            peer.send(&wire(id, "meanwhile"));
            assert_eq!(client.recv(Some(PATIENCE)), Ok(message(id, "meanwhile")));
        }
        for id in 0..40 {
            peer.expect(&wire(id, vec![b'x'; 1 << 20]));
        }
        assert_eq!(peer.rest(), b"");
        drop(peer);
    });
}

#[test]
fn one_thread_may_wait_while_another_sends() {
    let server = start(Script::default());
    let client = Client::connect(&server.addr().to_string()).unwrap();
    thread::scope(|scope| {
        let waiting = scope.spawn(|| client.recv(Some(PATIENCE)));
        client.send(message(1, "x")).unwrap();
        assert_eq!(waiting.join().unwrap(), Ok(message(1, "x")));
        let waiting = scope.spawn(|| client.recv(None));
        client.shutdown(Some(PATIENCE)).unwrap();
        assert_eq!(waiting.join().unwrap(), Err(ClientError::ConnectionReset));
    });
}

#[test]
fn dropping_a_client_still_sends_what_was_sent() {
    let (sender, told) = std::sync::mpsc::channel();
    let script = Script {
        message: Arc::new(move |OwnedMessage { message, .. }| {
            let _ = sender.send(message);
        }),
        ..Script::default()
    };
    let server = start(script);
    let client = Client::connect(&server.addr().to_string()).unwrap();
    client.send(message(1, vec![b'x'; 12 << 20])).unwrap();
    drop(client);
    assert_eq!(told.recv_timeout(PATIENCE), Ok(message(1, vec![b'x'; 12 << 20])));
}

#[test]
fn who_does_not_listen_is_an_error_with_the_address() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let e = Client::connect(&free).unwrap_err();
    assert!(e.to_string().starts_with(&free), "{e}");
    assert!(Client::connect("nonsense").is_err());
}

#[test]
fn the_end_is_told_after_all_that_arrived_however_impatient_who_asks_is() {
    for _ in 0..200 {
        let (client, mut peer) = pair();
        let sending = thread::spawn(move || {
            peer.send(&[wire(1, "a"), wire(2, "b")].concat());
        });
        let mut got = 0;
        loop {
            match client.recv(Some(Duration::ZERO)) {
                Ok(_) => got += 1,
                Err(ClientError::Timeout) => {}
                Err(ClientError::ConnectionReset) => break,
            }
        }
        assert_eq!(got, 2);
        sending.join().unwrap();
    }
}

/// Without a time it is left after 5 s.
#[test]
fn a_shutdown_waits_for_an_answer_as_long_as_was_said() {
    let (client, mut peer) = pair();
    client.send(message(1, "a question")).unwrap();
    let answering = thread::spawn(move || {
        assert_eq!(peer.rest(), wire(1, "a question"));
        thread::sleep(Duration::from_millis(5500));
        peer.send(&wire(2, "the answer"));
    });
    client.shutdown(Some(PATIENCE)).unwrap();
    answering.join().unwrap();
    assert_eq!(client.recv(Some(PATIENCE)), Ok(message(2, "the answer")));
}
