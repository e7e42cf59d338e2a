//! The protocol under random schedules: three clients, a user at each, crashes between any two steps
//! of a round, and a server that loses its table. Every content is unique. It is retired when a user
//! overwrites or deletes it on some disk; the one promise is that no other is ever lost.
//!
//! The same with one rule broken has to lose something, or this test sees nothing.
//!
//! `TELEFILE_TEST_SCHEDULES` sets how many schedules are tried, `TELEFILE_TEST_SEED` repeats one.

use super::world::{World, open};
use crate::sync::error::Error;
use crate::sync::report::Event;
use crate::sync::steps::{self, Fault};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

const CLIENTS: usize = 3;
const STEPS: usize = 160;
const NAMES: [&str; CLIENTS] = ["a", "b", "c"];
const PATHS: [&str; 4] = ["x", "y", "d/x", "d/y"];

/// Rounds without crashes until everything has to be at rest.
const QUIET_ROUNDS: usize = 12;

/// A round on a thread of its own, which waits at each step.
struct Round {
    /// True goes on, false crashes.
    go: Sender<bool>,
    /// The next step; closed when the round has ended.
    paused: Receiver<&'static str>,
    thread: JoinHandle<Result<(), Error>>,
}

struct Model {
    world: World,
    random: u64,
    fault: Option<Fault>,
    rounds: [Option<Round>; CLIENTS],
    next: u32,
    live: BTreeSet<String>,
    retired: BTreeSet<String>,
    /// What happened, for a failure.
    log: Vec<String>,
}

/// What a schedule came to.
#[derive(Debug)]
struct Outcome {
    lost: Vec<String>,
    has_converged: bool,
    log: Vec<String>,
}

impl Model {
    fn new(seed: u64, fault: Option<Fault>) -> Self {
        let mut world = World::new();
        // The first client makes the session.
        NAMES.iter().for_each(|name| drop(world.sync(name)));
        let random = seed.wrapping_mul(2).wrapping_add(0x9e37_79b9_7f4a_7c15) | 1;
        Model {
            world,
            random,
            fault,
            rounds: [const { None }; CLIENTS],
            next: 0,
            live: BTreeSet::new(),
            retired: BTreeSet::new(),
            log: Vec::new(),
        }
    }

    fn below(&mut self, n: usize) -> usize {
        // xorshift64*
        self.random ^= self.random >> 12;
        self.random ^= self.random << 25;
        self.random ^= self.random >> 27;
        (self.random.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % n
    }

    fn run(mut self) -> Outcome {
        for _ in 0..STEPS {
            let client = self.below(CLIENTS);
            match self.below(100) {
                0..24 => self.user(client),
                24..28 => self.crash(client),
                28 => self.restart(),
                _ => self.step(client),
            }
        }
        for client in 0..CLIENTS {
            while self.rounds[client].is_some() {
                self.step(client);
            }
        }
        let mut has_converged = false;
        for _ in 0..QUIET_ROUNDS {
            for client in 0..CLIENTS {
                self.step(client);
                while self.rounds[client].is_some() {
                    self.step(client);
                }
            }
            // What the server has, as a client sees it that knows nothing.
            let _ = fs::remove_dir_all(self.world.path("check"));
            let _ = fs::remove_dir_all(self.world.path("check-state"));
            has_converged = self.world.try_sync("check").is_ok()
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
        Outcome { lost, has_converged, log: self.log }
    }

    /// A user writes, renames or deletes a file.
    fn user(&mut self, client: usize) {
        let name = NAMES[client];
        let files: Vec<_> = self.files(client).into_keys().collect();
        let at = self.below(PATHS.len() + files.len());
        let path = PATHS.get(at).map(|path| path.to_string());
        let path = path.unwrap_or_else(|| files[at - PATHS.len()].clone());
        let whole = self.world.path(&format!("{name}/{path}"));
        if whole.is_dir() {
            return;
        }
        let old = fs::read_to_string(&whole).ok();
        match self.below(10) {
            0..3 => {
                let Some(old) = old else { return };
                fs::remove_file(&whole).unwrap();
                self.log.push(format!("{name} deletes {path} {old}"));
                self.retired.insert(old);
            }
            3 => {
                let Some(old) = old else { return };
                let to = PATHS[self.below(PATHS.len())];
                let whole_to = self.world.path(&format!("{name}/{to}"));
                if to == path || whole_to.is_dir() {
                    return;
                }
                self.retired.extend(fs::read_to_string(&whole_to).ok());
                self.parents(&whole_to);
                fs::rename(&whole, &whole_to).unwrap();
                self.log.push(format!("{name} renames {path} to {to}: {old}"));
            }
            how => {
                self.next += 1;
                // Of different lengths, so that each shows in a file's size; every third is chunks.
                let long = if self.next.is_multiple_of(3) { 40 } else { 0 };
                let length = long + self.next as usize % 7;
                let content = format!("content {} {}", self.next, "x".repeat(length));
                self.parents(&whole);
                if how < 7 {
                    fs::write(&whole, &content).unwrap();
                } else {
                    // As most editors do.
                    let new = self.world.path(&format!("{name}.new"));
                    fs::write(&new, &content).unwrap();
                    fs::rename(&new, &whole).unwrap();
                }
                self.log.push(format!("{name} writes {path} {content}, over {old:?}"));
                self.retired.extend(old);
                self.live.insert(content);
            }
        }
    }

    fn parents(&self, path: &Path) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
    }

    fn files(&self, client: usize) -> BTreeMap<String, String> {
        let tree = self.world.tree(NAMES[client]).into_iter();
        tree.filter(|(_, (text, _))| text != "/").map(|(path, (text, _))| (path, text)).collect()
    }

    fn crash(&mut self, client: usize) {
        if let Some(round) = self.rounds[client].take() {
            self.log.push(format!("{} crashes", NAMES[client]));
            let _ = round.go.send(false);
            // It may come past further steps while it ends.
            while round.paused.recv().is_ok() {
                let _ = round.go.send(false);
            }
            let _ = round.thread.join().unwrap();
        }
    }

    fn restart(&mut self) {
        self.log.push("the server loses its table".to_string());
        self.world.stop();
        self.world.start();
    }

    /// Lets a client's round come to its next step, or starts one.
    fn step(&mut self, client: usize) {
        match &self.rounds[client] {
            Some(round) => drop(round.go.send(true)),
            None => self.rounds[client] = Some(self.begin(client)),
        }
        let round = self.rounds[client].as_ref().expect("it runs");
        match round.paused.recv() {
            Ok(moment) => self.log.push(format!("{}: {moment}", NAMES[client])),
            Err(_) => {
                let round = self.rounds[client].take().expect("it runs");
                match round.thread.join().unwrap() {
                    Ok(()) => self.log.push(format!("{} ends a round", NAMES[client])),
                    Err(e @ (Error::Server(_) | Error::Stopped)) => {
                        self.log.push(format!("{} ends a round: {e}", NAMES[client]));
                    }
                    Err(e) => panic!("{}: {e}\n{}", NAMES[client], self.log.join("\n")),
                }
            }
        }
    }

    fn begin(&mut self, client: usize) -> Round {
        let mut settings = self.world.settings(NAMES[client]);
        settings.force = true;
        let collects = self.below(8) == 0;
        let fault = self.fault;
        let (go, goes_on) = channel();
        let (pause, paused) = channel();
        let thread = thread::spawn(move || {
            steps::plan(
                fault,
                Some(Box::new(move |moment| {
                    pause.send(moment).is_ok() && goes_on.recv().unwrap_or(false)
                })),
            );
            let mut quiet = |_: Event<'_>| {};
            let done = open(&settings, &mut quiet).and_then(|mut folder| {
                folder.round(None)?;
                if collects {
                    folder.collect()?;
                }
                Ok(())
            });
            // Only now does the other side see the end.
            steps::plan(None, None);
            done
        });
        Round { go, paused, thread }
    }
}

/// Runs schedules until `stop` says so of an outcome; returns that, or how many there were.
fn schedules(
    fault: Option<Fault>,
    count: usize,
    stop: impl Fn(&Outcome) -> bool + Sync,
) -> Result<usize, (u64, Outcome)> {
    let first = match std::env::var("TELEFILE_TEST_SEED") {
        Ok(seed) => return run_one(fault, seed.parse().unwrap(), &stop).map_or(Ok(1), Err),
        Err(_) => RandomState::new().hash_one(0) >> 16,
    };
    let (next, found) = (AtomicUsize::new(0), Arc::new(Mutex::new(None)));
    thread::scope(|scope| {
        // They sleep more than they work.
        for _ in 0..8 {
            scope.spawn(|| {
                loop {
                    let n = next.fetch_add(1, SeqCst);
                    if n >= count || found.lock().unwrap().is_some() {
                        return;
                    }
                    if let Some(outcome) = run_one(fault, first + n as u64, &stop) {
                        found.lock().unwrap().get_or_insert(outcome);
                    }
                }
            });
        }
    });
    let found = found.lock().unwrap().take();
    found.map_or(Ok(count), Err)
}

fn run_one(
    fault: Option<Fault>,
    seed: u64,
    stop: &(impl Fn(&Outcome) -> bool + Sync),
) -> Option<(u64, Outcome)> {
    let outcome = Model::new(seed, fault).run();
    stop(&outcome).then_some((seed, outcome))
}

fn count() -> usize {
    std::env::var("TELEFILE_TEST_SCHEDULES").map_or(40, |count| count.parse().unwrap())
}

#[test]
fn nothing_is_lost_whatever_crashes() {
    let is_bad = |outcome: &Outcome| !outcome.lost.is_empty() || !outcome.has_converged;
    if let Err((seed, Outcome { lost, has_converged, log })) = schedules(None, count(), is_bad) {
        panic!("seed {seed}: lost {lost:?}, converged: {has_converged}\n{}", log.join("\n"));
    }
}

/// A broken rule shows within so many schedules.
#[track_caller]
fn loses(fault: Fault) {
    let is_bad = |outcome: &Outcome| !outcome.lost.is_empty();
    let found = schedules(Some(fault), 2000, is_bad);
    assert!(found.is_err(), "{fault:?} loses nothing in {found:?} schedules");
}

#[test]
fn without_the_look_at_what_came_out_something_is_lost() {
    loses(Fault::NoLook);
}

#[test]
fn with_rows_that_are_written_first_something_is_lost() {
    loses(Fault::RowFirst);
}

#[test]
fn with_the_last_writer_winning_something_is_lost() {
    loses(Fault::LastWriter);
}

#[test]
fn with_rows_of_another_table_something_is_lost() {
    loses(Fault::NoEpoch);
}

#[test]
fn with_a_collector_that_heeds_no_upload_contents_are_missing() {
    let is_bad = |outcome: &Outcome| !outcome.has_converged;
    let found = schedules(Some(Fault::CollectAnyway), 2000, is_bad);
    assert!(found.is_err(), "it does no harm in {found:?} schedules");
}
