//! The framework's client: time-outs, ends and their reasons.

use super::{DRAIN, Raw, Script, message, start, wire};
use crate::pace::Pace;
use crate::server::PATIENCE;
use std::io::ErrorKind;
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};
use telefile::framework::{Client, ClientConfig, ClientError, EndReason, OwnedMessage};

/// A client and the peer that it is connected to.
fn pair() -> (Client, Raw) {
    pair_with(ClientConfig::new())
}

fn pair_with(config: ClientConfig) -> (Client, Raw) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = config.connect(&listener.local_addr().unwrap().to_string()).unwrap();
    let peer: TcpStream = listener.accept().unwrap().0;
    peer.set_read_timeout(Some(PATIENCE)).unwrap();
    (client, Raw(peer))
}

fn reset(reason: EndReason) -> ClientError {
    ClientError::ConnectionReset(reason)
}

#[test]
fn a_message_over_the_configured_maximum_is_described_in_the_error() {
    const LARGE: u32 = 17 << 20;
    let (client, peer) = pair_with(ClientConfig::new().max_message_bytes(LARGE));
    let large = wire(1, vec![b'x'; LARGE as usize]);
    peer.flood([&large[..], &wire(2, vec![0; LARGE as usize + 1])].concat());
    assert_eq!(client.recv(Some(PATIENCE)), Ok(message(1, &large[6..])));
    let too_large = reset(EndReason::TooLarge { id: 2, size: LARGE + 1, max: LARGE });
    assert_eq!(client.recv(Some(PATIENCE)), Err(too_large.clone()));
    assert_eq!(ClientError::from(client.send(message(3, "")).unwrap_err()), too_large);
    assert_eq!(
        too_large.to_string(),
        "the connection has ended: the peer announced message 2 with 17825793 bytes, and the limit \
         is 17825792: set max_message_bytes to take it"
    );

    let (client, mut peer) = pair();
    peer.send(&wire(1, vec![b'x'; 3])[..8]);
    peer.send(b"x\x02\0\x01\0\0\x01");
    assert_eq!(client.recv(Some(PATIENCE)), Ok(message(1, "xxx")));
    let too_large = EndReason::TooLarge { id: 2, size: (16 << 20) + 1, max: 16 << 20 };
    assert_eq!(client.recv(Some(PATIENCE)), Err(reset(too_large)));
}

#[test]
fn an_end_inside_a_header_and_a_reset_have_different_reasons() {
    let (client, mut peer) = pair();
    peer.send(&[1, 0, 3]);
    peer.half_close();
    let e = client.recv(Some(PATIENCE)).unwrap_err().to_string();
    assert_eq!(e, "the connection has ended: the stream ended inside the header of a message");

    let (client, peer) = pair();
    client.send(message(1, "never read")).unwrap();
    peer.0.peek(&mut [0]).unwrap();
    drop(peer); // closing with unread bytes sends a reset
    let e = client.recv(Some(PATIENCE)).unwrap_err();
    let ClientError::ConnectionReset(EndReason::Lost { kind, .. }) = e else { panic!("{e:?}") };
    assert_eq!(kind, ErrorKind::ConnectionReset);
}

#[test]
fn recv_waits_for_its_timeout_and_loses_no_part_of_a_message() {
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
fn recv_returns_all_messages_that_arrived_before_the_error() {
    let (client, mut peer) = pair();
    peer.send(&[wire(1, "a"), wire(2, "b"), wire(3, "c")[..6].to_vec()].concat());
    drop(peer);
    assert_eq!(client.recv(Some(PATIENCE)), Ok(message(1, "a")));
    assert_eq!(client.recv(Some(PATIENCE)), Ok(message(2, "b")));
    let cut = "the stream ended inside message 3, after 0 of 1 bytes".to_string();
    let cut = reset(EndReason::Lost { kind: ErrorKind::UnexpectedEof, reason: cut });
    assert_eq!(client.recv(Some(PATIENCE)), Err(cut.clone()));
    assert_eq!(client.recv(None), Err(cut.clone()));
    let unsent = client.send(message(4, "d")).unwrap_err();
    assert_eq!(unsent.to_string(), cut.to_string());
    assert_eq!((reset(unsent.reason), unsent.message), (cut, message(4, "d")));
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
    assert_eq!(client.recv(None), Err(reset(EndReason::Shutdown)));
    client.shutdown(None).unwrap();
}

#[test]
fn shutdown_does_not_hang_with_a_server_that_does_nothing() {
    let (client, _silent) = pair();
    let pace = Pace::start();
    let timeout = Duration::from_millis(100);
    assert_eq!(client.shutdown(Some(timeout)), Err(ClientError::Timeout));
    assert!(pace.took() < Duration::from_secs(2));
    let (client, _silent) = pair();
    client.send(message(1, vec![b'x'; 12 << 20])).unwrap(); // the peer does not read either
    let (since, pace) = (Instant::now(), Pace::start());
    client.shutdown(None).unwrap();
    let (least, took) = (since.elapsed(), pace.took());
    assert!(least > DRAIN * 9 / 10 && took < DRAIN * 9 / 5, "{least:?}, {took:?}");
}

#[test]
fn a_client_may_send_many_messages_before_it_receives_one() {
    let server = start(Script::default());
    let client = Client::connect_to(&server.addresses()[0]).unwrap();
    for id in 0..10_000 {
        client.send(message(id, [b'x'; 1000])).unwrap(); // 10 MB: neither end blocks the other
    }
    for id in 0..10_000 {
        assert_eq!(client.recv(Some(PATIENCE)), Ok(message(id, [b'x'; 1000])));
    }
}

#[test]
fn sending_waits_for_a_slow_server_and_loses_nothing() {
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
        // Once the sender blocks, the client can still receive.
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
fn one_thread_may_receive_while_another_sends() {
    let server = start(Script::default());
    let client = Client::connect_to(&server.addresses()[0]).unwrap();
    thread::scope(|scope| {
        let waiting = scope.spawn(|| client.recv(Some(PATIENCE)));
        client.send(message(1, "x")).unwrap();
        assert_eq!(waiting.join().unwrap(), Ok(message(1, "x")));
        let waiting = scope.spawn(|| client.recv(None));
        client.shutdown(Some(PATIENCE)).unwrap();
        assert_eq!(waiting.join().unwrap(), Err(reset(EndReason::Shutdown)));
    });
}

#[test]
fn a_dropped_client_still_sends_what_is_queued() {
    let (sender, delivered) = std::sync::mpsc::channel();
    let script = Script {
        message: Arc::new(move |OwnedMessage { message, .. }| {
            let _ = sender.send(message);
        }),
        ..Script::default()
    };
    let server = start(script);
    let client = Client::connect_to(&server.addresses()[0]).unwrap();
    client.send(message(1, vec![b'x'; 12 << 20])).unwrap();
    drop(client);
    assert_eq!(delivered.recv_timeout(PATIENCE), Ok(message(1, vec![b'x'; 12 << 20])));
}

#[test]
fn a_failed_connect_names_the_address() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let e = Client::connect(&free).unwrap_err();
    assert!(e.to_string().starts_with(&free), "{e}");
    assert!(Client::connect("nonsense").is_err());
}

#[test]
fn polling_returns_all_messages_that_arrived_before_the_error() {
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
                Err(e) => {
                    assert_eq!(e, reset(EndReason::Peer));
                    break;
                }
            }
        }
        assert_eq!(got, 2);
        sending.join().unwrap();
    }
}

/// Without a timeout it returns after 5 s.
#[test]
fn a_shutdown_waits_for_an_answer_for_its_timeout() {
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
