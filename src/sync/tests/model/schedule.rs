//! One schedule: a random walk through the steps of three clients, their users, crashes and restarts.

use super::super::disk::Disk;
use super::super::planted::{self, Fault};
use super::super::restarting::{self, Versions};
use super::super::world::{World, open};
use crate::sync::error::Error;
use crate::sync::report::Event;
use std::collections::BTreeSet;
use std::fs;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

const CLIENTS: usize = 3;
const STEPS: usize = 200;
pub(super) const NAMES: [&str; CLIENTS] = ["a", "b", "c"];

/// Rounds without crashes until everything has to be at rest.
const QUIET_ROUNDS: usize = 12;

/// A process goes on for at most this many rounds. The first one begins with a flush of everything, so
/// what a user has not flushed is sent by a later one alone.
const ROUNDS: usize = 3;

/// A process of a few rounds on a thread of its own, which waits at each step.
struct Process {
    /// True goes on, false crashes.
    go: Sender<bool>,
    /// The next step; closed when the process has ended.
    paused: Receiver<&'static str>,
    thread: JoinHandle<Result<(), Error>>,
}

pub(super) struct Schedule {
    pub(super) world: World,
    random: u64,
    pub(super) fault: Option<Fault>,
    failed: Option<String>,
    versions: Arc<Mutex<Versions>>,
    pub(super) disks: [Arc<Mutex<Disk>>; CLIENTS],
    processes: [Option<Process>; CLIENTS],
    /// How many contents there were.
    pub(super) contents: u32,
    pub(super) live: BTreeSet<String>,
    pub(super) retired: BTreeSet<String>,
    /// What each user wrote last, if it is not flushed.
    pub(super) unflushed: [Option<String>; CLIENTS],
    /// What a power loss took from the only disk, and the server has.
    served: BTreeSet<String>,
    /// What happened, for a failure.
    pub(super) log: Vec<String>,
}

/// What a schedule came to.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) lost: Vec<String>,
    /// A round ended with an error that is none of the connection.
    pub(super) failed: Option<String>,
    pub(super) has_converged: bool,
    pub(super) log: Vec<String>,
}

impl Schedule {
    pub(super) fn new(seed: u64, fault: Option<Fault>) -> Self {
        let mut world = World::new();
        // The first client makes the session.
        NAMES.iter().for_each(|name| drop(world.sync(name)));
        let random = seed.wrapping_mul(2).wrapping_add(0x9e37_79b9_7f4a_7c15) | 1;
        let disks = NAMES
            .map(|name| Arc::new(Mutex::new(Disk::new(world.path(&format!("{name}-graves"))))));
        let mut schedule = Schedule {
            world,
            random,
            fault,
            failed: None,
            versions: Arc::default(),
            disks,
            processes: [const { None }; CLIENTS],
            contents: 0,
            live: BTreeSet::new(),
            retired: BTreeSet::new(),
            unflushed: [const { None }; CLIENTS],
            served: BTreeSet::new(),
            log: Vec::new(),
        };
        for (client, name) in NAMES.iter().enumerate() {
            if schedule.below(4) == 0 {
                schedule.disks[client].lock().unwrap().exchanges = false;
                schedule.log.push(format!("{name} cannot exchange"));
            }
        }
        schedule
    }

    /// Returns a random number below `n`.
    pub(super) fn below(&mut self, n: usize) -> usize {
        // xorshift64*
        self.random ^= self.random >> 12;
        self.random ^= self.random << 25;
        self.random ^= self.random >> 27;
        (self.random.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % n
    }

    pub(super) fn run(mut self) -> Outcome {
        for _ in 0..STEPS {
            let client = self.below(CLIENTS);
            match self.below(100) {
                0..24 => self.user(client),
                24..27 => self.crash(client),
                27..30 => self.lose_power(client),
                30 => self.restart(),
                _ => self.step(client),
            }
        }
        (0..CLIENTS).for_each(|client| self.finish(client));
        let mut has_converged = false;
        for _ in 0..QUIET_ROUNDS {
            for client in 0..CLIENTS {
                self.step(client);
                self.finish(client);
            }
            has_converged = self.check()
                && NAMES.iter().all(|name| self.world.tree(name) == self.world.tree("check"));
            if has_converged {
                break;
            }
        }
        if !has_converged {
            for name in NAMES.iter().chain(&["check"]) {
                self.log.push(format!("{name} has {:?}", self.world.tree(name)));
            }
        }
        let mut have = BTreeSet::new();
        for name in NAMES.iter().chain(&["check"]) {
            have.extend(self.world.tree(name).into_values().map(|(text, _)| text));
        }
        let lost = self.live.difference(&self.retired).filter(|content| !have.contains(*content));
        let lost = lost.cloned().collect();
        Outcome { lost, failed: self.failed, has_converged, log: self.log }
    }

    /// Puts what the server has into the folder `check`, as a client sees it that knows nothing.
    fn check(&mut self) -> bool {
        let _ = fs::remove_dir_all(self.world.path("check"));
        let _ = fs::remove_dir_all(self.world.path("check-state"));
        self.world.try_sync("check").is_ok()
    }

    fn has(&self, name: &str, content: &str) -> bool {
        self.world.tree(name).values().any(|(text, _)| text == content)
    }

    fn crash(&mut self, client: usize) {
        if let Some(process) = self.processes[client].take() {
            self.log.push(format!("{} crashes", NAMES[client]));
            let _ = process.go.send(false);
            // It may come past further steps while it ends.
            while process.paused.recv().is_ok() {
                let _ = process.go.send(false);
            }
            let _ = process.thread.join().unwrap();
        }
    }

    fn lose_power(&mut self, client: usize) {
        self.crash(client);
        let disk = self.disks[client].clone();
        let mut disk = disk.lock().unwrap();
        let take_back = self.below(disk.unflushed() + 1);
        let lost = disk.lose_power(take_back, || self.below(2) == 0);
        drop(disk);
        self.log.push(format!("{} loses power, and its last {lost} changes", NAMES[client]));
        self.retire_unsent(client);
    }

    /// Retires what a user has not flushed, if a power loss took it and nobody else has it.
    fn retire_unsent(&mut self, client: usize) {
        let Some(content) = self.unflushed[client].take() else { return };
        if NAMES.iter().any(|name| self.has(name, &content)) {
            return;
        }
        let is_served = self.check() && self.has("check", &content);
        self.log.push(format!("{content} is lost there; the server has it: {is_served}"));
        match is_served {
            true => self.served.insert(content),
            false => self.retired.insert(content),
        };
    }

    fn restart(&mut self) {
        self.log.push("the server loses its table".to_string());
        for content in std::mem::take(&mut self.served) {
            if !NAMES.iter().any(|name| self.has(name, &content)) {
                self.retired.insert(content);
            }
        }
        self.world.stop();
        *self.versions.lock().unwrap() = Versions::default();
        self.world.start();
    }

    fn finish(&mut self, client: usize) {
        while self.processes[client].is_some() {
            self.step(client);
        }
    }

    /// Lets a client come to its next step, or starts one.
    fn step(&mut self, client: usize) {
        match &self.processes[client] {
            Some(process) => drop(process.go.send(true)),
            None => self.processes[client] = Some(self.begin(client)),
        }
        let process = self.processes[client].as_ref().expect("it runs");
        match process.paused.recv() {
            Ok(moment) => {
                self.log.push(format!("{}: {moment}", NAMES[client]));
                self.provoke(client, moment);
            }
            Err(_) => {
                let process = self.processes[client].take().expect("it runs");
                match process.thread.join() {
                    Ok(Ok(())) => self.log.push(format!("{} ends", NAMES[client])),
                    Ok(Err(e @ (Error::Server(_) | Error::Stopped))) => {
                        self.log.push(format!("{} ends: {e}", NAMES[client]));
                    }
                    failed => {
                        let failed = format!("{} fails: {failed:?}", NAMES[client]);
                        self.log.push(failed.clone());
                        self.failed.get_or_insert(failed);
                    }
                }
            }
        }
    }

    /// Lets happen what a broken rule is about, so that it shows soon.
    fn provoke(&mut self, client: usize, moment: &str) {
        match (self.fault, moment) {
            (Some(Fault::NoLook), "the old file is looked at") => {
                (0..3).for_each(|_| self.user(client));
            }
            (Some(Fault::PushedUnflushed), "a round begins") => self.user(client),
            (Some(Fault::PushedUnflushed), "the rows of a push are written") => {
                self.lose_power(client);
            }
            (Some(Fault::RenamesUnflushed | Fault::ContentsUnflushed), "the rows are written")
                if self.below(2) == 0 =>
            {
                self.lose_power(client)
            }
            _ => {}
        }
    }

    fn begin(&mut self, client: usize) -> Process {
        let mut settings = self.world.settings(NAMES[client]);
        settings.force = true;
        let collects = self.below(8) == 0 || self.fault == Some(Fault::CollectAnyway);
        let count = 1 + self.below(ROUNDS);
        let (fault, disk) = (self.fault, self.disks[client].clone());
        let versions = self.versions.clone();
        let (go, goes_on) = channel();
        let (pause, paused) = channel();
        let thread = thread::spawn(move || {
            restarting::share(versions);
            planted::put_on(Some(disk));
            planted::plan(
                fault,
                Some(Box::new(move |moment| {
                    pause.send(moment).is_ok() && goes_on.recv().unwrap_or(false)
                })),
            );
            let mut quiet = |_: Event<'_>| {};
            let done = open(&settings, &mut quiet).and_then(|mut folder| {
                for _ in 0..count {
                    planted::step("a round begins")?;
                    folder.round(None)?;
                }
                if collects {
                    folder.collect()?;
                }
                Ok(())
            });
            // Only now does the other side see the end.
            planted::plan(None, None);
            done
        });
        Process { go, paused, thread }
    }
}
