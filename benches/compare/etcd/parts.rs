//! The parts of the measurement. Each part takes one sample of its rows.

use super::Settings;
use super::site::Site;
use crate::client::Client;
use crate::dialect::{Dialect, Telefile, Transaction};
use crate::engine::{Run, threads};
use crate::figures::{Figures, Goal};
use crate::load::{Load, Mix};
use crate::peer::telefile;
use crate::process::Process;
use rustix::process::Signal;
use std::io;

pub(crate) struct Part {
    pub(crate) name: &'static str,
    pub(crate) measure: fn(&mut Bench<'_>) -> io::Result<()>,
}

pub(crate) const PARTS: &[Part] = &[
    Part { name: "three", measure: |bench| writes(bench, 3) },
    Part { name: "single", measure: |bench| writes(bench, 1) },
    Part { name: "reads", measure: reads },
    Part { name: "failover", measure: fail_over },
];

/// What one sample of a part is taken with.
pub(crate) struct Bench<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) figures: &'a mut Figures,
    /// Another one in each sample.
    pub(crate) seed: u64,
}

const CONNECTIONS: usize = 50;
const NAMES: usize = 10_000;
const MANY_NAMES: usize = 100_000;
const VALUE_BYTES: usize = 100;

const WRITES: Mix = Mix { read: 0, write: 1, cas: 0 };
const READS: Mix = Mix { read: 1, write: 0, cas: 0 };

struct Rate {
    per_second: f64,
    p50_us: f64,
}

/// What many clients ask.
struct Work<'a> {
    server: &'a Process,
    mix: Mix,
    clients: usize,
    depth: usize,
}

impl Bench<'_> {
    /// Measures a load on a server, or on a member of etcd.
    fn rate(&self, dialect: impl Dialect + 'static, work: &Work<'_>) -> io::Result<Rate> {
        let Work { server, mix, clients, depth } = *work;
        let load = Load::new(Box::new(dialect), NAMES, VALUE_BYTES, depth, mix);
        let run = Run { load: &load, server, clients, time: self.settings.time, seed: self.seed };
        let (tally, window) = threads::run(&run)?;
        match &tally.first_error {
            Some(first) => Err(io::Error::other(format!("{} errors: {first}", tally.errors))),
            None => Ok(Rate {
                per_second: tally.operations() as f64 / window.seconds,
                p50_us: tally.quantile_us(0.5),
            }),
        }
    }

    fn add(&mut self, what: impl Into<String>, unit: &'static str, goal: Option<Goal>, value: f64) {
        self.figures.add(what, unit, goal, value);
    }
}

/// Writes every name once.
fn fill(server: &Process, names: usize) -> io::Result<()> {
    let load = Load::new(Box::new(Telefile), names, VALUE_BYTES, 1, WRITES);
    Client::connect(&load, server.address, 0)?.write_all()
}

/// Changes a second, and how long one takes, beside a transaction for each change.
fn writes(bench: &mut Bench<'_>, members: usize) -> io::Result<()> {
    let site = Site::start(members, &bench.settings.program)?;
    Transaction.prepare(site.members[0].address)?;
    fill(site.active(), NAMES)?;
    let on = |what: &str| format!("{members} of etcd: {what}");
    let work = |server, clients, depth| Work { server, mix: WRITES, clients, depth };
    let (active, standby, member) = (site.active(), site.standby(), &site.members[0]);

    let one = bench.rate(Telefile, &work(active, 1, 1))?;
    let bare = bench.rate(Transaction, &work(member, 1, 1))?;
    let relayed = bench.rate(Telefile, &work(standby, 1, 1))?;
    bench.add(on("1 connection, a write"), "ms", None, one.p50_us / 1e3);
    bench.add(on("1 connection, a bare transaction"), "ms", None, bare.p50_us / 1e3);
    bench.add(on("a write / it"), "", Some(Goal::AtMost(1.3)), one.p50_us / bare.p50_us);
    bench.add(on("a write through a standby / it"), "", None, relayed.p50_us / bare.p50_us);

    let goal = (members > 1).then_some(Goal::AtLeast(4000.0));
    let many = bench.rate(Telefile, &work(active, CONNECTIONS, 1))?;
    let bare = bench.rate(Transaction, &work(member, CONNECTIONS, 1))?;
    let deep = bench.rate(Telefile, &work(active, CONNECTIONS, 16))?;
    let relayed = bench.rate(Telefile, &work(standby, CONNECTIONS, 1))?;
    bench.add(on("50 connections, writes"), "1/s", goal, many.per_second);
    bench.add(on("50 connections, bare transactions"), "1/s", None, bare.per_second);
    bench.add(on("writes / these"), "", None, many.per_second / bare.per_second);
    bench.add(on("50 connections, 16 in flight, writes"), "1/s", None, deep.per_second);
    bench.add(on("50 connections through a standby, writes"), "1/s", None, relayed.per_second);
    Ok(())
}

/// Reads at the active server, and through a standby, beside a server in memory.
fn reads(bench: &mut Bench<'_>) -> io::Result<()> {
    let site = Site::start(3, &bench.settings.program)?;
    let memory = Process::start(|port| telefile(port, &bench.settings.program))?;
    fill(site.active(), NAMES)?;
    fill(&memory, NAMES)?;
    for clients in [1, CONNECTIONS] {
        let at = |server| Work { server, mix: READS, clients, depth: 1 };
        let rate = |server| bench.rate(Telefile, &at(server)).map(|rate| rate.per_second);
        let (active, alone, relayed) =
            (rate(site.active())?, rate(&memory)?, rate(site.standby())?);
        let what = format!("{clients} connections, reads");
        // A difference below 8 % is noise.
        bench.add(format!("{what} in memory"), "1/s", None, alone);
        bench.add(format!("{what} / in memory"), "", Some(Goal::AtLeast(0.92)), active / alone);
        bench.add(format!("{what} through a standby / in memory"), "", None, relayed / alone);
    }
    Ok(())
}

/// How long clients have no answer when the active server is stopped, or killed.
fn fail_over(bench: &mut Bench<'_>) -> io::Result<()> {
    let mut site = Site::start(3, &bench.settings.program)?;
    for (names, stop_goal) in [(0, 1.0), (NAMES, 1.0), (MANY_NAMES, 5.0)] {
        fill(site.active(), names)?;
        let taken = site.fail_over(Signal::TERM)?.as_secs_f64();
        let what = format!("a stop with {names} files");
        bench.add(what, "s", Some(Goal::AtMost(stop_goal)), taken);
        if names == NAMES {
            let taken = site.fail_over(Signal::KILL)?.as_secs_f64();
            bench.add("kill -9 with 10000 files", "s", Some(Goal::AtMost(12.0)), taken);
        }
    }
    Ok(())
}
