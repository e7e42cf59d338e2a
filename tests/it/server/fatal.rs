//! A client that is out of step gets the reason before the connection ends.

use super::{Client, Running};
use telefile::Server;

const RUNS: u32 = 20;

/// Sends all of it in one go; only then reads.
fn check(server: &Running, sent: &[u8], expected: &str) {
    for address in server.addresses() {
        for run in 0..RUNS {
            let mut client = Client::connect(address);
            client.send(sent);
            assert_eq!(client.read_to_end(), expected, "{address}, run {run}");
        }
    }
}

#[test]
fn the_last_reply_arrives_although_junk_follows() {
    let server = Running::start(Server::builder());
    check(&server, &[b'x'; 900 << 10], "ERR_CMD_ERR\r\n");
    check(&server, &b"GET / HTTP/1.1\r\n".repeat(57_600), "ERR_CMD_ERR\r\n");
}

#[test]
fn a_fatal_request_ends_the_connection_after_the_replies_before_it() {
    let server = Running::start(Server::builder());
    let after = b"write f 1\r\nx\r\n".repeat(60_000);
    let sent = [b"read f\r\nstat f\r\nnonsense\r\n", &after[..]].concat();
    check(&server, &sent, "ERR_FILE_NOT_FOUND\r\nERR_FILE_NOT_FOUND\r\nERR_CMD_ERR\r\n");
    let behind = [b"write f 3\r\nabcdef\r\n", &after[..]].concat();
    check(&server, &behind, "ERR_CMD_ERR\r\n");
    assert_eq!(server.client().stat("version"), 0);
}
