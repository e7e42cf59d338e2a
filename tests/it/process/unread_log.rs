//! A stderr that nobody reads, such as a stopped terminal, delays nothing.

use super::telefile;
use crate::pace::Pace;
use crate::server::Client;
use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead, BufReader};
use std::process::Stdio;

#[test]
fn an_unread_log_delays_neither_clients_nor_a_stop() {
    let mut command = telefile(&["serve", "--listen", "127.0.0.1:0"]);
    command.env("RUST_LOG", "debug").stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.split_whitespace().last().unwrap().parse().unwrap();
    let mut client = Client::connect(&address);
    for _ in 0..20_000 {
        // More than a pipe and the queue of the log hold.
        assert_eq!(client.ask("stat f"), "ERR_FILE_NOT_FOUND");
    }
    assert_eq!(Client::connect(&address).ask("stat f"), "ERR_FILE_NOT_FOUND");
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    let pace = Pace::start();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(pace.took() < crate::server::STOP_TIME);
}
