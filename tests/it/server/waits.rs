//! Waits for one file: how long they take, and what ends many of them together.

use super::{Client, Running, eventually};
use std::time::{Duration, Instant};
use telefile::Server;

#[track_caller]
fn wait_for(asker: &mut Client, waits: u64) {
    eventually(&format!("{waits} wait"), || asker.stat("watches") == waits);
}

#[test]
fn a_wait_lasts_its_seconds_and_does_not_count_as_silence() {
    let idle = Duration::from_secs(1);
    let server = Running::start(Server::builder().idle_timeout(Some(idle)));
    let mut clients = server.addresses().map(Client::connect);
    let since = Instant::now();
    for client in &clients {
        client.send("read f\r\nwait f 0 2\r\nread f\r\n");
    }
    for client in &mut clients {
        assert_eq!(client.line(), "ERR_FILE_NOT_FOUND");
        assert_eq!(client.line(), "OK 0");
        assert!(since.elapsed() >= Duration::from_secs(2), "{:?}", since.elapsed());
        assert_eq!(client.read_to_end(), "ERR_FILE_NOT_FOUND\r\n", "idle from now on");
    }
}

#[test]
fn one_change_ends_all_waits_for_its_file() {
    const CLIENTS: usize = 200;
    let server = Running::start(Server::builder());
    let mut asker = server.client();
    let mut clients: Vec<_> =
        (0..CLIENTS).map(|i| Client::connect(server.addresses()[i % 2])).collect();
    for round in 0..3 {
        for client in &clients {
            client.send(format!("wait lock/db {round} 600\r\n"));
        }
        wait_for(&mut asker, CLIENTS as u64);
        assert_eq!(asker.write("lock/db", b"x"), format!("OK {}", round + 1));
        for client in &mut clients {
            assert_eq!(client.line(), format!("OK {}", round + 1));
        }
    }
    wait_for(&mut asker, 0);
}

#[test]
fn the_wait_of_a_client_that_vanished_ends() {
    let server = Running::start(Server::builder());
    let mut asker = server.client();
    for address in server.addresses() {
        let client = Client::connect(address);
        client.send("write mine 0 -1\r\n\r\nwait other 0 600\r\n");
        wait_for(&mut asker, 1);
        client.reset();
        wait_for(&mut asker, 0);
        eventually("its file is deleted", || asker.stat("files") == 0);
    }
}

#[test]
fn a_stop_answers_with_the_version_and_ends() {
    let mut server = Running::start(Server::builder());
    let mut asker = server.client();
    assert_eq!(asker.write("f", b"x"), "OK 1");
    let mut clients = server.addresses().map(Client::connect);
    for client in &clients {
        client.send("wait f 1 600\r\nread f\r\n");
    }
    wait_for(&mut asker, 2);
    server.stop();
    for client in &mut clients {
        assert_eq!(client.read_to_end(), "OK 1\r\n", "what is behind it is not begun");
    }
}
