//! Short histories of many files, for the search for an order of `tests/it/linear`: its time grows fast with
//! the length of a history. Clients of all servers share one file after the other. They also delete it,
//! and let it end with a time or with their connection, which [`history`](super::history) does not understand.

use super::history;
use super::recorder::{MOST_REQUESTS, Shared, reconnect};
use crate::linear::{Answer, Event, Files, History, Name, Op};
use crate::random::Random;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use telefile::client::Error;
use telefile::{Client, Exptime, Refusal, Version};

/// How many clients share a file.
pub(super) const CLIENTS: usize = 5;

/// How many requests a file gets. With the ends of what they have written, and what is asked when all
/// is over, a history has at most 64 events.
const REQUESTS: u64 = 28;

/// How long a file lives that expires.
const LIFE: u64 = 2;

/// A history is of one file.
const NAME: Name = "file";

/// Before the names of these files.
pub(super) const PREFIX: &str = "searched/";

/// A request for a file, or its end.
#[derive(Debug)]
pub(super) struct Asked {
    file: u64,
    pub(super) event: Event,
    /// When its answer came, or its connection ended.
    pub(super) ended: u64,
}

impl Asked {
    pub(super) fn is_answered(&self) -> bool {
        self.event.answer != Answer::Lost
    }

    pub(super) fn is_request(&self) -> bool {
        !matches!(self.event.op, Op::Expire(..))
    }
}

pub(super) struct Searcher {
    number: usize,
    shared: Arc<Shared>,
    client: Client,
    random: Random,
    asked: usize,
    /// The file that was asked for last, and its version as far as is known.
    seen: (u64, u64),
    /// The files of this connection, and their contents.
    ephemeral: Vec<(u64, u64)>,
    recorded: Vec<Asked>,
}

impl Searcher {
    pub(super) fn new(number: usize, shared: Arc<Shared>, client: Client) -> Searcher {
        let (random, seen) = (Random(number as u64), (0, 0));
        let (ephemeral, recorded) = (Vec::new(), Vec::new());
        Searcher { number, shared, client, random, asked: 0, seen, ephemeral, recorded }
    }

    pub(super) fn run(mut self) -> Vec<Asked> {
        while !self.shared.ended.load(SeqCst) {
            let file = self.shared.tickets.fetch_add(1, SeqCst) / REQUESTS;
            if self.seen.0 != file {
                self.seen = (file, 0);
            }
            if !self.ask(file) {
                self.end_ephemeral();
                reconnect(&mut self.client, &self.shared);
            }
        }
        self.end_ephemeral();
        self.recorded
    }

    /// Sends a request, and waits for its answer or the end of the connection. Returns whether it is
    /// answered.
    fn ask(&mut self, file: u64) -> bool {
        self.asked += 1;
        let contents = (self.number * MOST_REQUESTS + self.asked) as u64;
        let exptime = match self.random.below(6) {
            0 => Exptime::Seconds(LIFE),
            1 => Exptime::Connection,
            _ => Exptime::Never,
        };
        // Now and then wrong: 0 where there is a file.
        let version = self.seen.1 * u64::from(self.random.below(6) > 0);
        let op = match self.random.below(20) {
            0..7 => Op::Read(NAME),
            7..11 => Op::Write(NAME, contents, 0),
            11..16 => Op::Cas(NAME, version, contents, 0),
            16 => Op::Delete(NAME, None),
            _ => Op::Delete(NAME, Some(version)),
        };
        let name = format!("{PREFIX}{file}");
        let start = self.shared.now();
        let answer = self.answer(&op, &name, exptime);
        let ended = self.shared.now();
        let is_answered = answer != Answer::Lost;
        if is_answered {
            self.shared.answered[self.number].store(start, SeqCst);
        }
        match &answer {
            Answer::Ok(version) | Answer::Contents(version, ..) | Answer::Version(version) => {
                self.seen.1 = *version
            }
            Answer::Done | Answer::NotFound => self.seen.1 = 0,
            Answer::Lost => {}
        }
        let is_written = match &op {
            Op::Write(..) => true,
            Op::Cas(..) => matches!(answer, Answer::Ok(_) | Answer::Lost),
            _ => false,
        };
        match exptime {
            // Its time begins when the server has the request, or later.
            Exptime::Seconds(life) if is_written => {
                self.end(file, contents, start + life * 1_000_000_000)
            }
            Exptime::Connection if is_written && is_answered => {
                self.ephemeral.push((file, contents))
            }
            Exptime::Connection if is_written => self.end(file, contents, start),
            _ => {}
        }
        let end = if is_answered { ended } else { u64::MAX };
        let event = Event { thread: self.number, start, end, op, answer, after: None };
        self.recorded.push(Asked { file, event, ended });
        is_answered
    }

    fn answer(&self, op: &Op, name: &str, exptime: Exptime) -> Answer {
        let answer = match *op {
            Op::Read(_) => self.client.read(name).map(|found| {
                let contents = String::from_utf8_lossy(&found.contents).parse();
                Answer::Contents(found.version.0, contents.unwrap_or(u64::MAX), 0)
            }),
            Op::Write(_, contents, _) => {
                let done = self.client.write_expiring(name, contents.to_string(), exptime);
                done.map(|version| Answer::Ok(version.0))
            }
            Op::Cas(_, expected, contents, _) => {
                let (expected, text) = (Version(expected), contents.to_string());
                let done = self.client.cas_expiring(name, expected, text, exptime);
                done.map(|version| Answer::Ok(version.0))
            }
            Op::Delete(_, expected) => {
                self.client.delete(name, expected.map(Version)).map(|()| Answer::Done)
            }
            Op::Touch(..) | Op::Advance(_) | Op::Expire(..) => unreachable!("nobody asks for it"),
        };
        answer.unwrap_or_else(|e| match e {
            Error::Refused { refusal: Refusal::NotFound, .. } => Answer::NotFound,
            Error::Refused { refusal: Refusal::Version(now), .. } => Answer::Version(now.0),
            Error::Lost(_) => Answer::Lost,
            e => {
                self.shared.complain(format!("{op}: {e}"));
                Answer::Lost
            }
        })
    }

    /// The files of the connection end, at some time after it was last seen alive.
    fn end_ephemeral(&mut self) {
        let alive = self.shared.answered[self.number].load(SeqCst);
        for (file, contents) in std::mem::take(&mut self.ephemeral) {
            self.end(file, contents, alive);
        }
    }

    /// The server may end a file from now on, if it still has these contents.
    fn end(&mut self, file: u64, contents: u64, start: u64) {
        let (op, answer) = (Op::Expire(NAME, contents), Answer::Lost);
        let event = Event { thread: self.number, start, end: u64::MAX, op, answer, after: None };
        self.recorded.push(Asked { file, event, ended: start });
    }
}

/// Returns what a server says in the end, in a list of all files with their versions: it is as if it
/// had refused a cas of each. `turn` is that of the server.
pub(super) fn finally(asked: &[Asked], listed: &HashMap<usize, u64>, turn: u64) -> Vec<Asked> {
    let last = asked.iter().map(|asked| asked.file).max();
    let start = u64::MAX / 2 + 2 * turn;
    let refused = |file| {
        let answer = Answer::Version(listed.get(&(file as usize)).copied().unwrap_or(0));
        let (op, end) = (Op::Cas(NAME, u64::MAX, 0, 0), start + 1);
        let event = Event { thread: usize::MAX, start, end, op, answer, after: None };
        Asked { file, event, ended: end }
    };
    (0..=last.unwrap_or(0)).map(refused).collect()
}

/// What the search has found.
#[derive(Default)]
pub(super) struct Searched {
    /// The histories without an order.
    pub(super) unexplained: Vec<String>,
    pub(super) histories: usize,
    pub(super) states: usize,
    /// The most states of a history.
    pub(super) most_states: usize,
}

/// Looks for an order of what happened to each file.
pub(super) fn search(asked: Vec<Asked>) -> Searched {
    let mut files: BTreeMap<u64, Vec<Event>> = BTreeMap::new();
    for (i, Asked { file, mut event, .. }) in asked.into_iter().enumerate() {
        if event.answer == Answer::Lost {
            event.thread = CLIENTS * MOST_REQUESTS + i; // a thread asks nothing more before its answer
        }
        files.entry(file).or_default().push(event);
    }
    let mut searched = Searched::default();
    for events in files.into_values() {
        let history = History::new(Files::among_others(), events);
        let (is_explained, states) = history.search();
        searched.histories += 1;
        searched.states += states;
        searched.most_states = searched.most_states.max(states);
        if !is_explained {
            searched.unexplained.push(format!("no order explains this:\n{history}"));
        }
    }
    searched
}

/// Returns what [`history`] understands of it: changes and reads with a version. Its files are numbered from
/// `first` on.
pub(super) fn with_versions(asked: &[Asked], first: usize) -> Vec<history::Event> {
    let convert = |Asked { file, event, ended }: &Asked| {
        let op = match event.op {
            Op::Read(_) => history::Op::Read,
            Op::Write(_, contents, _) | Op::Cas(_, 0, contents, _) => history::Op::Write(contents),
            Op::Cas(_, expected, contents, _) => history::Op::Cas(expected, contents),
            _ => return None,
        };
        let answer = match event.answer {
            Answer::Ok(version) => history::Answer::Done(version),
            Answer::Contents(version, contents, _) => history::Answer::Found(version, contents),
            Answer::Version(version) if version > 0 => history::Answer::IsAt(version),
            Answer::Lost => history::Answer::Lost,
            _ => return None,
        };
        let file = first + *file as usize;
        Some(history::Event { start: event.start, end: *ended, file, op, answer })
    };
    asked.iter().filter_map(convert).collect()
}
