//! Many connections that read once and then wait: how much of the server's memory they use, and how
//! they change the latency of one active client.

use super::{Run, threads};
use crate::machine::resident_bytes;
use crate::tally::Tally;
use crate::window::Window;
use std::io;
use std::thread;
use std::time::Duration;

/// A server may release memory a second after a connection became idle.
const SETTLE: Duration = Duration::from_millis(1500);

#[derive(Default)]
pub(crate) struct Idle {
    /// The growth of the server's memory for each idle connection.
    pub(crate) resident_bytes_each: f64,
    /// The active client alone.
    pub(crate) p50_alone_us: f64,
}

/// `clients` of the run are the idle ones; the tally is the active client's among them.
pub(crate) fn run(run: &Run<'_>) -> io::Result<(Tally, Window, Idle)> {
    let active = Run { clients: 1, ..*run };
    let (alone, _) = threads::run(&active)?;
    let before = resident_bytes(run.server.pid)?;
    let mut idle = Vec::with_capacity(run.clients);
    for i in 0..run.clients {
        let mut client = run.connect(i)?;
        client.read_one(i)?;
        idle.push(client.stream);
    }
    thread::sleep(SETTLE);
    let after = resident_bytes(run.server.pid)?;
    let (mut tally, window) = threads::run(&active)?;
    let idle = Idle {
        resident_bytes_each: (after as f64 - before as f64) / run.clients as f64,
        p50_alone_us: alone.quantile_us(0.5),
    };
    tally.add_errors(&alone);
    Ok((tally, window, idle))
}
