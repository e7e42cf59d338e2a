//! A standby at its stop and at that of the active server: its clients lose no reply.

use super::limits::slots_are_free_in_time;
use super::shutdown::replies_after_a_late_request;
use super::watch::wait_for;
use super::{Client, Folder, Running, STOP_TIME, Tables};
use crate::programs::has;
use telefile::Server;
use telefile::server::Builder;

fn standby(builder: Builder) -> Running {
    Running::start_in(Folder::new(), Tables::Standby, builder)
}

#[test]
fn a_stop_answers_what_waits_and_ends() {
    if !has("etcd") {
        return;
    }
    let server = standby(Server::builder());
    let mut asker = server.client();
    assert_eq!(asker.write("f", b"x"), "OK 1");
    let mut clients = Vec::new();
    for address in server.addresses() {
        for (request, reply) in [("wait f 1 600", "OK 1\r\n"), ("watch f 1 600", "CHANGES 1 0\r\n")]
        {
            let client = Client::connect(address);
            client.send(format!("{request}\r\n"));
            clients.push((client, reply));
        }
    }
    wait_for(&mut asker, clients.len() as u64);
    server.handle.stop();
    for (client, reply) in &mut clients {
        assert_eq!(client.read_to_end(), *reply);
    }
}

#[test]
fn a_late_request_loses_no_reply() {
    if !has("etcd") {
        return;
    }
    for kind in 0..2 {
        let replies = replies_after_a_late_request(|| standby(Server::builder()), kind);
        // It may itself reach the active server, before the standby stops.
        assert!(replies.contains("\r\nOK 2\r\n"), "{kind}: {} bytes came", replies.len());
    }
}

#[test]
fn a_stop_is_in_time_whatever_clients_do() {
    if !has("etcd") {
        return;
    }
    let mut server = standby(Server::builder());
    let numbytes = Tables::Standby.max_contents();
    assert_eq!(server.client().write("f", &vec![b'x'; numbytes]), "OK 1");
    let mut clients = Vec::new();
    for address in server.addresses() {
        for sent in ["", "stat f\r\nwrite g 100\r\nab", &"read f\r\n".repeat(64)] {
            let client = Client::connect(address);
            client.send(sent);
            clients.push(client);
        }
    }
    let took = server.stop();
    assert!(took < 2 * STOP_TIME, "{took:?}"); // of two servers
    for mut client in clients {
        assert!(client.read_to_reset().len() < 64 * numbytes, "cut off");
    }
}

#[test]
fn a_slot_is_free_when_its_client_has_the_end_of_the_stream() {
    if has("etcd") {
        slots_are_free_in_time(&standby(Server::builder().connections(1)));
    }
}

/// What the active server has sent is with the standby, or on the way there.
#[test]
fn the_stop_of_the_active_server_loses_no_reply() {
    if !has("etcd") {
        return;
    }
    let mut server = standby(Server::builder());
    let numbytes = 400_000; // more than a Unix socket holds, and less than one over TCP
    assert_eq!(server.client().write("f", &vec![b'x'; numbytes]), "OK 1");
    let mut reader = Client::connect(server.addresses()[1]);
    assert_eq!(reader.ask("read f"), format!("CONTENTS 1 {numbytes} 0"));
    server.started.as_mut().unwrap().stop_active();
    // Answered once this server is the active one.
    assert_eq!(server.client().ask("stat f"), format!("STAT 1 {numbytes} 0 MemoryFile 0"));
    assert!(reader.contents(numbytes) == vec![b'x'; numbytes]);
    assert_eq!(reader.read_to_end(), "");
}
