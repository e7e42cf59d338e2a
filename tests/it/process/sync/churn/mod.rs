//! Three clients and a server, killed at random while three users change their folders at random: the
//! folders become equal, and nothing is lost. `TELEFILE_TEST_CHURN` is the number of schedules.

mod relay;
mod tree;
mod user;

use crate::process::{Program, Serving, telefile};
use crate::random::Random;
use crate::server::{Folder, eventually};
use relay::Relay;
use rustix::process::Signal;
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::Duration;
use tree::Tree;
use user::User;

const USERS: usize = 3;

/// So many bursts of changes make a schedule.
const BURSTS: u64 = 60;

/// With fewer rounds of each client than this nothing is in motion any more.
const LAPS: usize = 6;

struct Churn {
    random: Random,
    relay: Relay,
    server: Option<Serving>,
    users: Vec<User>,
    clients: Vec<Option<Program>>,
    kills: u64,
    folder: Folder,
}

impl Churn {
    fn new(random: Random) -> Churn {
        let folder = Folder::new();
        let relay = Relay::new(folder.path().join("socket"));
        let users = (0..USERS).map(|n| User::new(n, &folder.path().join(n.to_string()))).collect();
        let clients = (0..USERS).map(|_| None).collect();
        let mut churn = Churn { random, relay, server: None, users, clients, kills: 0, folder };
        churn.start_server();
        for _ in 0..20 {
            churn.act(0);
        }
        let id = churn.once(0, &[]).stdout;
        let id = super::id_of(&id);
        (1..USERS).for_each(|n| drop(churn.once(n, &[&id])));
        (0..USERS).for_each(|n| churn.start_client(n));
        churn
    }

    fn start_server(&mut self) {
        let path = |name: &str| self.folder.path().join(name).display().to_string();
        let listen = format!("unix:{}", path("socket"));
        self.server = Some(Serving::start(&["--data", &path("data"), "--listen", &listen]));
    }

    fn command(&self, n: usize, args: &[&str]) -> Command {
        let port = self.relay.port().to_string();
        let folder = self.users[n].folder().display().to_string();
        let mut command =
            telefile(&[&["sync", "127.0.0.1", &port, &folder, "0.3", "--force"], args].concat());
        let state: PathBuf = self.folder.path().join(format!("state-{n}"));
        command.env("XDG_STATE_HOME", state);
        command
    }

    fn once(&self, n: usize, args: &[&str]) -> crate::process::Ended {
        let ended = crate::process::run(self.command(n, &[&["--once"], args].concat()));
        assert_eq!(ended.status, 0, "user {n}: {ended:?}");
        ended
    }

    fn start_client(&mut self, n: usize) {
        // One of them only scans.
        let args: &[&str] = if n == 2 { &["--no-watch"] } else { &[] };
        self.clients[n] = Some(Program::start(self.command(n, args)));
    }

    fn act(&mut self, n: usize) {
        self.users[n].act(&mut self.random);
    }

    /// Makes a few changes, and perhaps kills somebody.
    fn burst(&mut self, number: u64) {
        for _ in 0..=self.random.below(6) {
            let n = self.random.below(USERS);
            self.act(n);
        }
        match self.random.below(8) {
            0 | 1 => self.kill_client(),
            2 => self.kill_server(),
            3 => self.wait_for_arrival(number),
            // Chance decides what a kill meets.
            4..6 => thread::sleep(Duration::from_millis(self.random.below(300))),
            _ => {}
        }
    }

    fn kill_client(&mut self) {
        let n = self.random.below(USERS);
        let client = self.clients[n].take().unwrap();
        client.signal(Signal::KILL);
        check(n, &client.stderr.whole());
        drop(client);
        self.kills += 1;
        (0..self.random.below(4)).for_each(|_| self.act(n));
        self.start_client(n);
    }

    fn kill_server(&mut self) {
        let server = self.server.take().unwrap();
        server.program.signal(Signal::KILL);
        let log = server.program.stderr.whole();
        assert!(!log.contains("panic") && !log.contains("ERROR"), "{log}");
        drop(server);
        self.kills += 1;
        for _ in 0..self.random.below(4) {
            let n = self.random.below(USERS);
            self.act(n);
        }
        self.start_server();
    }

    /// Waits until a file of one user is at another.
    fn wait_for_arrival(&mut self, number: u64) {
        let from = self.random.below(USERS);
        let to = (from + 1 + self.random.below(USERS - 1)) % USERS;
        let name = format!("arrival-{number}");
        self.users[from].write_arrival(&name);
        self.eventually("a file arrives", |churn| churn.users[to].folder().join(&name).exists());
    }

    fn eventually(&mut self, what: &str, mut is_so: impl FnMut(&Self) -> bool) {
        eventually(what, || {
            for (n, client) in self.clients.iter_mut().enumerate() {
                let client = client.as_mut().unwrap();
                assert_eq!(client.ended(), None, "user {n}: {}", client.stderr.now());
            }
            is_so(self)
        });
    }

    fn trees(&self) -> Vec<Tree> {
        self.users.iter().map(|user| Tree::of(user.folder())).collect()
    }

    /// Waits until all folders are equal and nothing is in motion, and accounts for every content.
    fn end(mut self) -> (u64, usize) {
        let all_equal = |trees: &[Tree]| trees.iter().all(|tree| *tree == trees[0]);
        self.eventually("the folders are equal", |churn| all_equal(&churn.trees()));
        for (n, client) in self.clients.iter_mut().enumerate() {
            let mut client = client.take().unwrap();
            client.signal(Signal::TERM);
            assert_eq!(client.wait(), 0, "user {n}: {}", client.stderr.now());
            check(n, &client.stderr.whole());
        }
        // A watcher may have missed something, which is what scans are for.
        let mut quiet = 0;
        for lap in 0.. {
            assert!(lap < USERS * LAPS, "the folders do not come to rest");
            let did = self.once(lap % USERS, &[]).stderr;
            quiet = if did == "telefile: nothing to do\n" { quiet + 1 } else { 0 };
            if quiet == USERS {
                break;
            }
        }
        let trees = self.trees();
        for (n, tree) in trees.iter().enumerate() {
            assert!(*tree == trees[0], "users 0 and {n}: {}", tree.difference(&trees[0]));
        }
        let written = self.users.iter().map(|user| user.account(&trees[0])).sum();
        (self.kills, written)
    }
}

fn check(n: usize, log: &str) {
    assert!(!log.contains("panic"), "user {n}: {log}");
}

#[test]
fn random_changes_and_kills_lose_nothing() {
    let schedules = std::env::var("TELEFILE_TEST_CHURN").ok().map(|n| n.parse().unwrap());
    let schedules = schedules.unwrap_or(1);
    let mut random = Random::new();
    let (mut kills, mut written) = (0, 0);
    for schedule in 0..schedules {
        let seed = if schedule == 0 { random.0 } else { random.next() };
        println!("schedule {schedule}: TELEFILE_TEST_SEED={seed}");
        let mut churn = Churn::new(Random(seed));
        (0..BURSTS).for_each(|number| churn.burst(number));
        let did = churn.end();
        kills += did.0;
        written += did.1;
    }
    println!("{schedules} schedules, {kills} kills, {written} contents accounted for");
    assert!(written > 0, "no load");
}
