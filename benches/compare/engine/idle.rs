//! Many connections that have done one read each and then wait: what they cost the server's memory,
//! and what they do to the latency of one client that works on.

use super::{Run, threads};
use crate::machine::resident_bytes;
use crate::tally::Tally;
use crate::window::Window;
use std::io;
use std::thread;
use std::time::Duration;

/// A server may give memory back a second after a connection went idle.
const SETTLE: Duration = Duration::from_millis(1500);

#[derive(Default)]
pub(crate) struct Idle {
    /// Growth of the server for each idle connection.
    pub(crate) resident_bytes_each: f64,
    /// The active client with nobody else there.
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
