//! The bytes of a message, also as Python writes and reads them.

use super::{Raw, Script, config, message, start, wire};
use crate::programs::{has, program};
use crate::server::PATIENCE;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::process::{Child, Stdio};
use telefile::framework::{Client, Server};

#[test]
fn a_message_is_six_bytes_little_endian_and_its_payload() {
    let server = start(Script::default());
    let mut client = Raw::connect(&server);
    let abc = b"\x01\x00\x03\x00\x00\x00abc";
    client.send(abc);
    client.expect(abc);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = Client::connect(&listener.local_addr().unwrap().to_string()).unwrap();
    let mut accepted = Raw(listener.accept().unwrap().0);
    accepted.0.set_read_timeout(Some(PATIENCE)).unwrap();
    client.send(message(1, "abc")).unwrap();
    accepted.expect(abc);
    accepted.send(b"\xDC\xFE\x00\x00\x00\x00");
    assert_eq!(client.recv(Some(PATIENCE)), Ok(message(0xFEDC, "")));
}

#[test]
fn messages_may_be_split_and_joined_anywhere() {
    let server = start(Script::default());
    let mut client = Raw::connect(&server);
    let sizes = [0, 1, 5, 6, 7, 1017, 1018, 1019, 4096, 16_384, 70_000];
    let all: Vec<_> = sizes.iter().flat_map(|n| wire(*n as u16, vec![b'x'; *n])).collect();
    for step in [1, 3, 1000, 65_536, usize::MAX] {
        // Only the beginning byte by byte, which takes a system call for each.
        let some = if step < 10 { &all[..1100] } else { &all[..] };
        for piece in some.chunks(step.min(some.len())) {
            client.send(piece);
        }
        let whole = [0, 1, 5, 6, 7, 1017].iter().map(|n| n + 6).sum::<usize>();
        let answered = if step < 10 { &all[..whole] } else { &all[..] };
        client.expect(answered);
        if step < 10 {
            client.send(&all[1100..]);
            client.expect(&all[whole..]);
        }
    }
}

#[test]
fn a_message_over_the_maximum_ends_the_connection() {
    let server = Server::spawn(config(Script::default()).max_message_bytes(300_000)).unwrap();
    let mut client = Raw::connect(&server);
    let largest = wire(1, vec![b'x'; 300_000]);
    client.flood(largest.clone());
    client.expect(&largest);
    // The message before it is answered.
    client.flood([wire(2, "last"), wire(3, vec![b'x'; 300_001])].concat());
    assert_eq!(client.rest(), wire(2, "last"));
}

/// Starts the peer in Python. Returns `None` where there is no Python.
fn python(args: &[&str]) -> Option<Child> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/framework/peer.py");
    let mut command = program("python3");
    command.arg(script).args(args).stdin(Stdio::piped()).stdout(Stdio::piped());
    has("python3").then(|| command.spawn().unwrap())
}

#[test]
fn a_python_client_is_answered() {
    let server = start(Script::default());
    let Some(child) = python(&["client", &server.addresses()[0].to_string()]) else { return };
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "1 b'abc'\n65535 b''\n7 1000000\nend\n");
    assert!(output.status.success());
}

#[test]
fn a_python_server_answers() {
    let Some(mut child) = python(&["server"]) else { return };
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    let mut address = String::new();
    lines.read_line(&mut address).unwrap();
    let client = Client::connect(address.trim_end()).unwrap();
    let sent = [message(1, "abc"), message(65_535, ""), message(7, vec![b'x'; 1_000_000])];
    for message in &sent {
        client.send(message.clone()).unwrap();
    }
    for message in sent {
        assert_eq!(client.recv(Some(PATIENCE)), Ok(message));
    }
    client.shutdown(Some(PATIENCE)).unwrap();
    child.stdin.take().unwrap().flush().unwrap();
    let mut rest = String::new();
    lines.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "end\n");
    assert!(child.wait().unwrap().success());
}
