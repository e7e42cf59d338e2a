//! Clients that read and change a few files as fast as they can, and record what they were answered.

use super::history::{Answer, Event, Op};
use super::servers::Servers;
use crate::random::Random;
use crate::server::eventually;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use telefile::client::Error;
use telefile::{Client, Refusal, Version};

/// The files that all clients share.
pub(super) const FILES: usize = 6;

/// More than any client sends.
const MOST_REQUESTS: usize = 1_000_000_000;

/// The pause after an attempt to connect that has failed.
const PAUSE: Duration = Duration::from_millis(20);

/// Returns the name of a file: those that all clients share come first.
pub(super) fn name(file: usize) -> String {
    format!("load/{file}")
}

/// Clients at work. Each has a connection, to one server after another.
pub(super) struct Load {
    shared: Arc<Shared>,
    clients: Vec<JoinHandle<Vec<Event>>>,
    faults: Vec<(&'static str, u64)>,
}

struct Shared {
    since: Instant,
    ended: AtomicBool,
    /// When each client has sent the latest request that was answered.
    answered: Vec<AtomicU64>,
    /// How many changes are made.
    done: AtomicU64,
    /// What no client should see.
    wrong: Mutex<Vec<String>>,
}

/// What was recorded.
pub(super) struct Recorded {
    pub(super) events: Vec<Event>,
    pub(super) wrong: Vec<String>,
    faults: Vec<(&'static str, u64)>,
    /// When the answers of each client came.
    answers: Vec<Vec<u64>>,
    end: u64,
}

impl Shared {
    fn now(&self) -> u64 {
        self.since.elapsed().as_nanos() as u64
    }
}

impl Load {
    /// Starts this many clients, each at another server.
    pub(super) fn start(servers: &Servers, clients: usize) -> Load {
        let shared = Arc::new(Shared {
            since: Instant::now(),
            ended: AtomicBool::new(false),
            answered: (0..clients).map(|_| AtomicU64::new(0)).collect(),
            done: AtomicU64::new(0),
            wrong: Mutex::default(),
        });
        let spawn = |number| {
            let (shared, client) = (shared.clone(), servers.client(number));
            let worker = Worker { number, shared, client, seen: HashMap::new(), asked: 0 };
            thread::spawn(move || worker.run())
        };
        let clients = (0..clients).map(spawn).collect();
        let load = Load { shared, clients, faults: Vec::new() };
        load.go_on();
        load
    }

    /// Notes what happens now to the servers.
    pub(super) fn fault(&mut self, what: &'static str) {
        self.faults.push((what, self.shared.now()));
    }

    /// Waits until each client has an answer to a request that it has sent from now on.
    #[track_caller]
    pub(super) fn go_on(&self) {
        let now = self.shared.now();
        eventually("every client is answered again", || {
            assert!(!self.clients.iter().any(JoinHandle::is_finished), "a client has panicked");
            self.shared.answered.iter().all(|answered| answered.load(SeqCst) > now)
        });
    }

    /// Waits until this number of further changes is made.
    #[track_caller]
    pub(super) fn more(&self, changes: u64) {
        let before = self.shared.done.load(SeqCst);
        eventually("changes are made", || self.shared.done.load(SeqCst) >= before + changes);
    }

    /// Ends the clients.
    pub(super) fn end(self) -> Recorded {
        self.shared.ended.store(true, SeqCst);
        let events: Vec<_> =
            self.clients.into_iter().map(|client| client.join().expect("no panic")).collect();
        let is_answer = |event: &&Event| event.answer != Answer::Lost;
        let ends = |events: &Vec<Event>| events.iter().filter(is_answer).map(|e| e.end).collect();
        Recorded {
            answers: events.iter().map(ends).collect(),
            events: events.into_iter().flatten().collect(),
            wrong: self.shared.wrong.lock().unwrap().clone(),
            faults: self.faults,
            end: self.shared.now(),
        }
    }
}

impl Recorded {
    /// Returns what happened, and how long clients had no answer then: the median of the clients, and
    /// the longest.
    pub(super) fn outages(&self) -> Vec<(&'static str, Duration, Duration)> {
        let ends = self.faults.iter().skip(1).map(|(_, at)| *at).chain([self.end]);
        let outage = |((what, from), to): (&(&'static str, u64), u64)| {
            let mut gaps: Vec<_> =
                self.answers.iter().map(|answers| longest_gap(answers, *from, to)).collect();
            gaps.sort_unstable();
            let median = Duration::from_nanos(gaps[gaps.len() / 2]);
            (*what, median, Duration::from_nanos(gaps[gaps.len() - 1]))
        };
        self.faults.iter().zip(ends).map(outage).collect()
    }

    /// Returns how long the slowest request took, with an answer or without.
    pub(super) fn slowest(&self) -> Duration {
        let longest = self.events.iter().map(|event| event.end - event.start).max();
        Duration::from_nanos(longest.unwrap_or_default())
    }
}

/// Returns the longest time without an answer between these moments.
fn longest_gap(answers: &[u64], from: u64, to: u64) -> u64 {
    let between = answers.iter().copied().filter(|at| (from..to).contains(at));
    let moments: Vec<_> = [from].into_iter().chain(between).chain([to]).collect();
    moments.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or_default()
}

struct Worker {
    number: usize,
    shared: Arc<Shared>,
    client: Client,
    /// The versions that this client has seen last.
    seen: HashMap<usize, u64>,
    asked: usize,
}

impl Worker {
    fn run(mut self) -> Vec<Event> {
        let mut random = Random(self.number as u64);
        let mut events = Vec::new();
        while !self.shared.ended.load(SeqCst) {
            let event = self.ask(random.below(FILES), random.below(12));
            let is_lost = event.answer == Answer::Lost;
            if matches!(event.answer, Answer::Done(_)) {
                self.shared.done.fetch_add(1, SeqCst);
            }
            if !is_lost {
                self.shared.answered[self.number].store(event.start, SeqCst);
            }
            events.push(event);
            if is_lost {
                self.reconnect();
            }
        }
        events
    }

    /// Sends a request, and waits for its answer or the end of the connection.
    fn ask(&mut self, file: usize, chance: u64) -> Event {
        self.asked += 1;
        let number = self.number * MOST_REQUESTS + self.asked;
        let contents = number as u64;
        // A file that nobody changes again shows at the end that its change was not lost.
        let file = if chance < 10 { file } else { FILES + number };
        let op = match chance {
            0..4 => Op::Read,
            4..7 | 10.. => Op::Write(contents),
            _ => Op::Cas(self.seen.get(&file).copied().unwrap_or(0), contents),
        };
        let (name, text) = (name(file), contents.to_string());
        let start = self.shared.now();
        let answer = match op {
            Op::Read => self.client.read(&*name).map(|file| {
                let text = String::from_utf8_lossy(&file.contents);
                Answer::Found(file.version.0, text.parse().unwrap_or(u64::MAX))
            }),
            Op::Write(_) => self.client.write(&*name, text).map(|version| Answer::Done(version.0)),
            Op::Cas(expected, _) => {
                let done = self.client.cas(&*name, Version(expected), text);
                done.map(|version| Answer::Done(version.0))
            }
        };
        let answer = match answer {
            Err(Error::Refused { refusal: Refusal::Version(now), .. }) => Answer::IsAt(now.0),
            Err(Error::Refused { refusal: Refusal::NotFound, .. }) => Answer::Found(0, 0),
            Err(Error::Lost(_)) => Answer::Lost,
            Err(e) => {
                self.shared.wrong.lock().unwrap().push(format!("{op:?}: {e}"));
                Answer::Lost
            }
            Ok(answer) => answer,
        };
        if let Answer::Done(version) | Answer::Found(version, _) | Answer::IsAt(version) = answer {
            self.seen.insert(file, version);
        }
        Event { start, end: self.shared.now(), file, op, answer }
    }

    /// Connects again, to whichever server answers.
    fn reconnect(&mut self) {
        while !self.shared.ended.load(SeqCst) {
            match self.client.reconnect() {
                Ok(client) => {
                    self.client = client;
                    return;
                }
                Err(e) if e.is_retryable() => thread::sleep(PAUSE),
                Err(e) => {
                    self.shared.wrong.lock().unwrap().push(format!("reconnect: {e}"));
                    thread::sleep(PAUSE);
                }
            }
        }
    }
}
