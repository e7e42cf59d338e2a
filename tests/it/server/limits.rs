//! The limits of connections and of contents.

use super::{Client, Running};
use telefile::Server;

#[test]
fn silent_clients_do_not_stop_the_next() {
    let server = Running::start(Server::builder());
    let silent: Vec<_> = (0..500).map(|_| server.client()).collect();
    let mut next = server.client();
    assert_eq!(next.write("f", b"abcdef"), "OK 1");
    assert_eq!(next.ask("read f"), "CONTENTS 1 6 0");
    assert_eq!(next.contents(6), b"abcdef");
    // A silent one is served as soon as it speaks.
    for mut client in silent.into_iter().step_by(100) {
        assert_eq!(client.ask("stat f"), "STAT 1 6 0 MemoryFile 0");
    }
}

#[test]
fn a_client_over_the_limit_gets_the_reason_whatever_it_sends() {
    let server = Running::start(Server::builder().connections(2));
    let mut inside = [server.client(), server.client()];
    for client in &mut inside {
        assert_eq!(client.ask("read f"), "ERR_FILE_NOT_FOUND");
    }
    for (i, address) in server.addresses().into_iter().enumerate() {
        let mut silent = Client::connect(address);
        assert_eq!(silent.read_to_end(), "ERR_LIMIT connections 2\r\n", "{address}");
        let mut eager = Client::connect(address);
        eager.send(b"write f 900000\r\n".repeat(60_000));
        assert_eq!(eager.read_to_end(), "ERR_LIMIT connections 2\r\n", "{address}");
        assert_eq!(inside[0].stat("connections"), 2);
        assert_eq!(inside[0].stat("connections_refused"), 2 * (i as u64 + 1));
    }
}

#[test]
fn a_slot_is_free_when_its_client_has_the_end_of_the_stream() {
    slots_are_free_in_time(&Running::start(Server::builder().connections(1)));
}

/// Checks it for a server that takes one client at a time.
pub(super) fn slots_are_free_in_time(server: &Running) {
    for address in server.addresses() {
        for round in 0..300 {
            let mut client = Client::connect(address);
            client.send("read f\r\nquit\r\n");
            let replies = client.read_to_end();
            assert_eq!(replies, "ERR_FILE_NOT_FOUND\r\n", "{address}, quit {round}");
        }
        for round in 0..300 {
            let mut client = Client::connect(address);
            client.send("read f\r\n");
            client.half_close();
            let replies = client.read_to_end();
            assert_eq!(replies, "ERR_FILE_NOT_FOUND\r\n", "{address}, half-close {round}");
        }
    }
}

#[test]
fn sixteen_of_many_refused_clients_get_the_reason_and_none_hangs() {
    let server = Running::start(Server::builder().connections(1));
    let mut inside = server.client();
    assert_eq!(inside.ask("stat f"), "ERR_FILE_NOT_FOUND");
    let mut refused: Vec<_> = (0..40).map(|_| server.client()).collect();
    let replies: Vec<_> = refused.iter_mut().map(Client::read_to_end).collect();
    assert!(
        replies.iter().all(|r| r.is_empty() || r == "ERR_LIMIT connections 1\r\n"),
        "{replies:?}"
    );
    let answered = replies.iter().filter(|r| !r.is_empty()).count();
    assert!(answered >= 16, "only {answered} got an answer");
    assert_eq!(inside.stat("connections_refused"), 40);
}

#[test]
fn contents_over_the_limit_are_refused_before_they_arrive() {
    let server = Running::start(Server::builder().max_contents(1000));
    let mut client = server.client();
    assert_eq!(client.ask("write f 1001"), "ERR_LIMIT contents 1000");
    client.send([&[b'x'; 1001][..], b"\r\n"].concat());
    assert_eq!(client.write("f", &[b'x'; 1000]), "OK 1");
    assert_eq!((client.stat("contents"), client.stat("contents_refused")), (1000, 1));
}

#[test]
fn telnet_options_in_a_line_that_is_too_long_are_answered() {
    let server = Running::start(Server::builder());
    let line = [&b"\xff\xfd\x06".repeat(166)[..], &b"x".repeat(10)].concat();
    let expected = [&b"\xff\xfc\x06".repeat(166)[..], b"ERR_CMD_ERR\r\n"].concat();
    for piece in [line.len(), 100, 1] {
        let mut client = server.client();
        line.chunks(piece).for_each(|piece| drop(client.try_send(piece))); // it may have ended
        let (mut answer, mut buffer) = (Vec::new(), [0; 4096]);
        loop {
            match client.read(&mut buffer).unwrap() {
                0 => break,
                n => answer.extend_from_slice(&buffer[..n]),
            }
        }
        assert_eq!(answer, expected, "in pieces of {piece}");
    }
}
