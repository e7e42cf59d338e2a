//! `telefile serve --data`, killed repeatedly under load: the table has exactly the acknowledged
//! changes. `TELEFILE_TEST_KILLS` is the number of kills.

#![cfg(feature = "durable")]

mod book;
mod change;
mod lease;
mod mirror;
mod owned;
mod round;
mod uptime;
mod writer;

use super::{Program, Serving, telefile};
use crate::random::Random;
use crate::server::Folder;
use round::Round;
use rustix::process::Signal;

/// Where a server stores its table, and where it listens.
struct Places {
    data: String,
    socket: String,
    _folder: Folder,
}

impl Places {
    fn new() -> Places {
        let folder = Folder::new();
        let data = format!("{}", folder.path().join("data").display());
        let socket = format!("unix:{}", folder.path().join("socket").display());
        Places { data, socket, _folder: folder }
    }

    fn args(&self) -> [&str; 4] {
        ["--data", &self.data, "--listen", &self.socket]
    }
}

/// Ends servers with this signal, `times` times. Returns the number of acknowledged changes.
fn survives(signal: Signal, times: u64) -> u64 {
    let (places, mut random) = (Places::new(), Random::new());
    let mut round = Round::new(&places, &mut random);
    while round.kills < times {
        round.go(signal, &mut random);
    }
    round.end()
}

#[test]
fn acknowledged_changes_survive_every_kill_and_no_others_appear() {
    let kills = std::env::var("TELEFILE_TEST_KILLS").ok().map(|kills| kills.parse().unwrap());
    let kills = kills.unwrap_or(30);
    let acknowledged = survives(Signal::KILL, kills);
    println!("{kills} kills, {acknowledged} acknowledged changes");
    assert!(acknowledged > 0, "no load");
}

#[test]
fn acknowledged_changes_survive_every_stop_and_no_others_appear() {
    let acknowledged = survives(Signal::TERM, 30);
    println!("{acknowledged} acknowledged changes");
}
