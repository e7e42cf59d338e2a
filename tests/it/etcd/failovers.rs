//! Three servers and three members of etcd, under load, while one after another ends or hangs: nothing
//! that was acknowledged is lost, and clients go on. `TELEFILE_TEST_FAILOVERS` is the number of random
//! failures that follow those in order.

use super::history::{Answer, Event, Op, contradictions};
use super::load::{FILES, Load, name};
use super::{Cluster, Servers};
use crate::random::Random;
use crate::server::{PATIENCE, eventually_within};
use rustix::process::Signal;
use std::collections::{BTreeSet, HashMap};
use std::io::{Write, stderr};
use std::thread;
use std::time::Duration;
use telefile::client::Snapshot;

/// No answer takes longer, and no connection is silent for longer without one.
const LONGEST_ANSWER: Duration = Duration::from_secs(20);

/// Longer than the lease of the active server, and shorter than an answer may take.
const PAUSE: Duration = Duration::from_secs(13);

/// How many changes are made between two failures.
const CHANGES: u64 = 300;

/// What happens, as the report names it, and how. It leaves all servers running.
type Failure = (&'static str, fn(&mut Stage));

const FAILURES: [Failure; 5] = [
    ("clean stop of the active server", Stage::stop_active),
    ("kill -9 of the active server", Stage::kill_active),
    ("kill -9 of etcd's leader", Stage::kill_leader),
    ("kill -9 of a standby", Stage::kill_standby),
    ("pause of the active server over its lease", Stage::pause_active),
];

struct Stage {
    cluster: Cluster,
    servers: Servers,
    load: Load,
}

impl Stage {
    fn start() -> Option<Stage> {
        let cluster = Cluster::start(3)?;
        let servers = Servers::start(&cluster, 3);
        fill(&servers);
        let load = Load::start(&servers, 10);
        Some(Stage { cluster, servers, load })
    }

    fn active(&self) -> usize {
        self.servers.active(&self.cluster)
    }

    fn stop_active(&mut self) {
        let active = self.active();
        self.servers.stop(active);
        self.load.go_on();
        self.servers.start_again(active);
    }

    fn kill_active(&mut self) {
        let active = self.active();
        self.servers.kill(active);
        self.load.go_on();
        self.servers.start_again(active);
    }

    fn kill_standby(&mut self) {
        let standby = (self.active() + 1) % self.servers.count();
        self.servers.kill(standby);
        self.load.go_on();
        self.servers.start_again(standby);
    }

    fn kill_leader(&mut self) {
        let leader = self.cluster.leader();
        self.cluster.kill(leader);
        self.load.go_on();
        self.cluster.start_again(leader);
    }

    fn pause_active(&mut self) {
        let active = self.active();
        self.servers.signal(active, Signal::STOP);
        // Not a wait for something: the server has to be silent for longer than its lease.
        thread::sleep(PAUSE);
        assert_ne!(self.active(), active, "another one is active");
        self.servers.signal(active, Signal::CONT);
        self.load.go_on();
    }

    /// Ends the load, and checks everything that was recorded.
    #[track_caller]
    fn check(self) {
        let mut recorded = self.load.end();
        let files: BTreeSet<_> = recorded.events.iter().map(|event| event.file).collect();
        for n in 0..self.servers.count() {
            recorded.events.extend(finally(&self.servers, n, &files));
        }
        for (what, median, longest) in recorded.outages() {
            say(&format!("{what}: {median:.1?} without an answer, the longest {longest:.1?}"));
        }
        let changes = recorded.events.iter().filter(|e| matches!(e.answer, Answer::Done(_)));
        let lost = recorded.events.iter().filter(|event| event.answer == Answer::Lost);
        let (changes, lost, slowest) = (changes.count(), lost.count(), recorded.slowest());
        say(&format!("{changes} changes, {lost} without an answer, the slowest {slowest:.1?}"));
        let logs = || (0..self.servers.count()).map(|n| self.servers.log(n)).collect::<String>();
        assert_eq!(recorded.wrong, Vec::<String>::new(), "{}", logs());
        assert_eq!(contradictions(&recorded.events), Vec::<String>::new(), "{}", logs());
        assert!(slowest <= LONGEST_ANSWER, "{slowest:?}: {}", logs());
        assert!(changes > 0);
    }
}

/// Makes many files: a server that becomes active loads them.
fn fill(servers: &Servers) {
    let client = servers.client(0);
    for hundred in 0..100 {
        let names: Vec<_> = (0..100).map(|n| format!("fill/{hundred}/{n}")).collect();
        let mut pipeline = client.pipeline();
        for name in &names {
            pipeline.write(name, "x").unwrap();
        }
        pipeline.send().for_each(|answer| drop(answer.unwrap()));
    }
}

/// Returns what one server says of these files after everything else.
fn finally(servers: &Servers, n: usize, files: &BTreeSet<usize>) -> Vec<Event> {
    let (mut listed, mut shared) = (HashMap::new(), Vec::new());
    eventually_within(PATIENCE, "the server answers", || {
        let client = servers.client_of(n);
        let list = client.list("load/").and_then(|list| {
            list.map(|file| file.map(|file| (file.name, file.version.0))).collect()
        });
        let read = (0..FILES).map(|file| client.read(&*name(file))).collect::<Result<Vec<_>, _>>();
        let (Ok(list), Ok(read)) = (list, read) else { return false };
        (listed, shared) = (list, read);
        true
    });
    let event =
        |file, answer| Event { start: u64::MAX - 1, end: u64::MAX, file, op: Op::Read, answer };
    let is_at =
        |file: &usize| event(*file, Answer::IsAt(listed.get(&name(*file)).copied().unwrap_or(0)));
    let found = |(file, found): (usize, &Snapshot)| {
        let contents = String::from_utf8_lossy(&found.contents).parse().unwrap();
        event(file, Answer::Found(found.version.0, contents))
    };
    files.iter().map(is_at).chain(shared.iter().enumerate().map(found)).collect()
}

/// Prints a line past the capture of the harness.
fn say(line: &str) {
    let _ = writeln!(stderr(), "etcd: {line}");
}

#[test]
fn nothing_acknowledged_is_lost_whoever_ends_or_hangs() {
    let Some(mut stage) = Stage::start() else { return };
    let rounds = std::env::var("TELEFILE_TEST_FAILOVERS").map_or(0, |n| n.parse().unwrap());
    let mut random = Random::new();
    let chosen: Vec<_> = (0..rounds).map(|_| random.below(FAILURES.len())).collect();
    for n in (0..FAILURES.len()).chain(chosen) {
        let (what, happens) = FAILURES[n];
        stage.load.more(CHANGES);
        stage.load.fault(what);
        happens(&mut stage);
        stage.load.go_on();
    }
    stage.check();
}
