//! Clients that read and change a few files as fast as they can, and record what they were answered.

use super::history::{Answer, Event, Op};
use super::recorder::{MOST_REQUESTS, Shared, reconnect};
use super::searched::{self, Asked, Searcher};
use super::servers::Servers;
use crate::random::Random;
use crate::server::eventually;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::thread::{self, JoinHandle};
use std::time::Duration;
use telefile::client::Error;
use telefile::{Client, Refusal, Version};

/// The files that all clients share.
pub(super) const FILES: usize = 6;

/// Returns the name of a file: those that all clients share come first.
pub(super) fn name(file: usize) -> String {
    format!("load/{file}")
}

/// Clients at work. Each has a connection, to one server after another.
pub(super) struct Load {
    shared: Arc<Shared>,
    clients: Vec<JoinHandle<Vec<Event>>>,
    searchers: Vec<JoinHandle<Vec<Asked>>>,
    readers: Vec<JoinHandle<Vec<Event>>>,
    faults: Vec<Begun>,
}

/// A fault, when it began, and whether clients did not reach a server meanwhile.
type Begun = (&'static str, u64, bool);

/// What was recorded.
pub(super) struct Recorded {
    pub(super) events: Vec<Event>,
    pub(super) asked: Vec<Asked>,
    pub(super) wrong: Vec<String>,
    faults: Vec<Begun>,
    /// When the answers of each client came.
    answers: Vec<Vec<u64>>,
    end: u64,
}

impl Load {
    /// Starts this many clients, each at another server, as many of the other kind as
    /// [`searched`](super::searched) says, and a reader for each server.
    pub(super) fn start(servers: &Servers, clients: usize) -> Load {
        let shared = Arc::new(Shared::new(clients + searched::CLIENTS));
        let spawn = |number| {
            let (shared, client) = (shared.clone(), servers.client(number));
            let worker = Worker::new(number, shared, client);
            thread::spawn(move || worker.run())
        };
        let read = |number| {
            let (shared, client) = (shared.clone(), servers.reader(number));
            let number = clients + searched::CLIENTS + number;
            let worker = Worker { only_reads: true, ..Worker::new(number, shared, client) };
            thread::spawn(move || worker.run())
        };
        let search = |number| {
            let searcher = Searcher::new(clients + number, shared.clone(), servers.client(number));
            thread::spawn(move || searcher.run())
        };
        let searchers = (0..searched::CLIENTS).map(search).collect();
        let readers = (0..servers.count()).map(read).collect();
        let clients = (0..clients).map(spawn).collect();
        let load = Load { shared, clients, searchers, readers, faults: Vec::new() };
        load.go_on();
        load
    }

    /// Notes what happens from now on.
    pub(super) fn fault(&mut self, what: &'static str, reaches_clients: bool) {
        self.faults.push((what, self.shared.now(), reaches_clients));
    }

    /// Waits until each client has an answer to a request that it has sent from now on.
    #[track_caller]
    pub(super) fn go_on(&self) {
        let now = self.shared.now();
        eventually("every client is answered again", || {
            let has_ended = self.clients.iter().any(JoinHandle::is_finished)
                || self.searchers.iter().any(JoinHandle::is_finished)
                || self.readers.iter().any(JoinHandle::is_finished);
            assert!(!has_ended, "a client has panicked");
            self.shared.all_answered_since(now)
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
        let asked: Vec<_> =
            self.searchers.into_iter().map(|client| client.join().expect("no panic")).collect();
        let read: Vec<_> =
            self.readers.into_iter().map(|client| client.join().expect("no panic")).collect();
        let is_answer = |event: &&Event| event.answer != Answer::Lost;
        let ends = |events: &Vec<Event>| events.iter().filter(is_answer).map(|e| e.end).collect();
        let ends_of_asked = |asked: &Vec<Asked>| {
            asked.iter().filter(|asked| asked.is_answered()).map(|asked| asked.event.end).collect()
        };
        Recorded {
            answers: events.iter().map(ends).chain(asked.iter().map(ends_of_asked)).collect(),
            events: events.into_iter().chain(read).flatten().collect(),
            asked: asked.into_iter().flatten().collect(),
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
        let outage = |(what, from, to, _)| {
            let mut gaps: Vec<_> =
                self.answers.iter().map(|answers| longest_gap(answers, from, to)).collect();
            gaps.sort_unstable();
            let median = Duration::from_nanos(gaps[gaps.len() / 2]);
            (what, median, Duration::from_nanos(gaps[gaps.len() - 1]))
        };
        self.windows().map(outage).collect()
    }

    /// Returns the slowest request, with an answer or without: how long it took, and what happened then.
    /// Where clients do not reach a server, they wait as long as they like.
    pub(super) fn slowest(&self) -> (Duration, String) {
        let events = self.events.iter().map(|event| (event.start, event.end));
        let asked = self.asked.iter().map(|asked| (asked.event.start, asked.ended));
        let counts = |&(start, end): &(u64, u64)| {
            !self.windows().any(|(_, from, to, is_alone)| is_alone && start < to && end > from)
        };
        let slowest = events.chain(asked).filter(counts).max_by_key(|(start, end)| end - start);
        let (start, end) = slowest.unwrap_or_default();
        let then = self.windows().filter(|(_, from, to, _)| start < *to && end > *from);
        let then: Vec<_> = then.map(|(what, ..)| what).collect();
        (Duration::from_nanos(end - start), then.join(", "))
    }

    /// Returns how many requests there were, and how many of them have no answer.
    pub(super) fn count(&self, asked: &[Asked]) -> (usize, usize) {
        let requests = || asked.iter().filter(|asked| asked.is_request());
        let is_lost = |event: &&Event| event.answer == Answer::Lost;
        let lost = self.events.iter().filter(is_lost).count();
        let lost_too = requests().filter(|asked| !asked.is_answered()).count();
        (self.events.len() + requests().count(), lost + lost_too)
    }

    /// What happened, from when to when.
    fn windows(&self) -> impl Iterator<Item = (&'static str, u64, u64, bool)> {
        let ends = self.faults.iter().skip(1).map(|(_, at, _)| *at).chain([self.end]);
        self.faults.iter().zip(ends).map(|(&(what, from, is_alone), to)| (what, from, to, is_alone))
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
    /// It has one server alone, also one that is cut off, and is answered only when that serves.
    only_reads: bool,
}

impl Worker {
    fn new(number: usize, shared: Arc<Shared>, client: Client) -> Worker {
        Worker { number, shared, client, seen: HashMap::new(), asked: 0, only_reads: false }
    }

    fn run(mut self) -> Vec<Event> {
        let mut random = Random(self.number as u64);
        let mut events = Vec::new();
        while !self.shared.ended.load(SeqCst) {
            let chance = if self.only_reads { 0 } else { random.below(12) };
            let event = self.ask(random.below(FILES), chance);
            let is_lost = event.answer == Answer::Lost;
            if matches!(event.answer, Answer::Done(_)) {
                self.shared.done.fetch_add(1, SeqCst);
            }
            if !is_lost && !self.only_reads {
                self.shared.answered[self.number].store(event.start, SeqCst);
            }
            events.push(event);
            if is_lost {
                reconnect(&mut self.client, &self.shared);
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
                self.shared.complain(format!("{op:?}: {e}"));
                Answer::Lost
            }
            Ok(answer) => answer,
        };
        if let Answer::Done(version) | Answer::Found(version, _) | Answer::IsAt(version) = answer {
            self.seen.insert(file, version);
        }
        Event { start, end: self.shared.now(), file, op, answer }
    }
}
