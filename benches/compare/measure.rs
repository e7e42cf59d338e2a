//! One sample: a scenario on a freshly started server.

use crate::client::Client;
use crate::engine::idle::Idle;
use crate::engine::{Run, append, churn, epoll, idle, threads};
use crate::folder::Folder;
use crate::load::Load;
use crate::machine::{Pinned, wait_until_quiet};
use crate::peer::Peer;
use crate::process::Process;
use crate::scenario::{Engine, Scenario};
use crate::window::Window;
use std::io;
use std::net::Ipv4Addr;
use std::time::Duration;

pub(crate) struct Measured {
    pub(crate) per_second: f64,
    /// Of cas, only those that were not refused.
    pub(crate) done_per_second: f64,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    /// For an idle scenario; otherwise zeros.
    pub(crate) idle: Idle,
    pub(crate) window: Window,
}

/// # Errors
/// The server does not start, or a client gets a wrong reply or none; then the rest is not valid
/// either.
pub(crate) fn measure(
    scenario: &Scenario,
    peer: Peer,
    time: Duration,
    seed: u64,
) -> io::Result<Measured> {
    wait_until_quiet();
    let _pinned = if scenario.pinned { Some(Pinned::to_one_processor()?) } else { None };
    let folder = Folder::fresh("compare")?;
    let is_server = peer != Peer::Append;
    let server = match is_server {
        true => Process::start(|port| peer.command(port, scenario.size, folder.path()))?,
        false => Process::in_this_process((Ipv4Addr::LOCALHOST, 0).into()),
    };
    let mut dialect = peer.dialect();
    if is_server {
        dialect.prepare(server.address)?;
    }
    let Scenario { clients, depth, size, keys, mix, .. } = *scenario;
    let load = Load::new(dialect, keys, size, depth, mix);
    if is_server {
        Client::connect(&load, server.address, seed)?.write_all()?;
    }
    let run = Run { load: &load, server: &server, clients, time, seed };
    let none = Idle::default();
    let (tally, window, idle) = match scenario.engine {
        _ if !is_server => {
            append::run(&run, folder.path()).map(|(tally, window)| (tally, window, none))
        }
        Engine::Threads => threads::run(&run).map(|(tally, window)| (tally, window, none)),
        Engine::Epoll => epoll::run(&run).map(|(tally, window)| (tally, window, none)),
        Engine::Churn => churn::run(&run).map(|(tally, window)| (tally, window, none)),
        Engine::Idle => idle::run(&run),
    }?;
    if let Some(first) = &tally.first_error {
        return Err(io::Error::other(format!("{} errors, the first: {first}", tally.errors)));
    }
    if tally.operations() == 0 {
        return Err(io::Error::other("not one reply while it was measured"));
    }
    Ok(Measured {
        per_second: tally.operations() as f64 / window.seconds,
        done_per_second: tally.done as f64 / window.seconds,
        p50_us: tally.quantile_us(0.5),
        p99_us: tally.quantile_us(0.99),
        idle,
        window,
    })
}
