//! Files of types that a program brings: a puppet does in each operation what the test says.

mod blocking;
mod context;
mod crowd;
mod failures;
mod opens;
mod panics;
mod puppet;
mod types;
mod unlinked;
mod vanish;

use crate::server::{Client, Running, cost};
use puppet::Puppet;
use telefile::server::Builder;
use telefile::{Server, file_types};

fn server() -> Builder {
    Server::builder().types(file_types![Puppet])
}

fn start() -> Running {
    Running::start(server())
}

/// What a client sees of a file: the reply to `read`, and the contents behind it.
#[track_caller]
fn read(client: &mut Client, file: &str) -> String {
    let head = client.ask(&format!("read {file}"));
    let Some(fields) = head.strip_prefix("CONTENTS ") else { return head };
    let numbytes = fields.split(' ').nth(1).unwrap().parse().unwrap();
    let contents = String::from_utf8(client.contents(numbytes)).unwrap();
    format!("{head}: {contents}")
}

/// Nobody is connected but this client, which has nothing open; and nothing is left of the others.
#[track_caller]
fn nothing_is_open(client: &mut Client) {
    client.alone();
    for what in ["descriptors", "opens", "files", "bytes"] {
        assert_eq!(client.stat(what), 0, "{what}");
    }
    let left = cost::database(client) + cost::removals(client);
    assert_eq!(client.stat("memory"), left, "memory");
}
