//! Makes histories: several clients of one server send random requests for the same few files, while
//! the time moves.

use super::door::{Door, Fault};
use super::history::{Event, History};
use super::spec::{Answer, Files, Name, Op};
use crate::random::Random;
use crate::server::{PATIENCE, Running, kept};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed, Ordering::SeqCst};
use std::sync::{Barrier, RwLock};
use std::thread;
use telefile::{Client, Clock, Server};

const NAMES: [Name; 3] = ["a", "b", "c"];

/// The last of them moves the clock.
const THREADS: usize = 5;

/// A server, and clients over both kinds of sockets. It serves one round after the other, for a
/// server of its own would be most of a round's time.
pub(super) struct Stage {
    clients: Vec<Client>,
    clock: Clock,
    _server: Running,
}

impl Stage {
    pub(super) fn new() -> Stage {
        let clock = Clock::manual();
        let server = Running::start(Server::builder().clock(clock.clone()));
        let connect = |i: usize| {
            let builder = Client::builder().timeout(Some(PATIENCE));
            builder.connect_to(server.addresses()[i % 2]).unwrap()
        };
        Stage { clients: (0..THREADS).map(connect).collect(), clock, _server: server }
    }

    /// What the clients ask depends on the seed, what they meet also on chance.
    pub(super) fn round(&self, seed: u64, fault: Option<Fault>) -> History {
        let before = self.clear();
        let mut random = Random(seed);
        let asking = 2 + random.below(THREADS - 2);
        let round = Round {
            names: &NAMES[..1 + random.below(3)],
            requests: 6 + random.below(5),
            latest: Default::default(),
            ticks: AtomicU64::new(0),
            start: Barrier::new(asking + 1),
            still: RwLock::new(()),
        };
        let threads: Vec<_> = (0..asking).chain([THREADS - 1]).collect();
        let events = thread::scope(|scope| {
            let round = &round;
            let spawn = |i: usize| {
                let random = Random(random.next());
                let door = Door::new(&self.clients[i], &self.clock, fault, random.clone());
                scope.spawn(move || round.thread(i, door, random))
            };
            let running: Vec<_> = threads.into_iter().map(spawn).collect();
            running.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        });
        History::new(before, events)
    }

    /// Deletes all files. What has expired takes its version now, if it had none yet.
    fn clear(&self) -> Files {
        for name in NAMES {
            let _ = self.clients[0].delete(name, None);
        }
        let stats = self.clients[0].stats().unwrap();
        let version = stats.iter().find(|(name, _)| name == "version");
        Files::none(version.unwrap().1.parse().unwrap())
    }
}

struct Round {
    names: &'static [Name],
    /// Of each thread.
    requests: usize,
    /// The version of each name in the latest reply: what a cas is likely to find.
    latest: [AtomicU64; NAMES.len()],
    /// Counts the starts and ends of requests.
    ticks: AtomicU64,
    start: Barrier,
    /// With a kept table the time stands still as long as anybody asks: there a life begins when
    /// it is decided, a moment before it can be seen.
    still: RwLock<()>,
}

impl Round {
    fn thread(&self, thread: usize, mut door: Door<'_>, mut random: Random) -> Vec<Event> {
        self.start.wait();
        let mut events = Vec::new();
        while events.len() < self.requests {
            let left = self.requests - events.len();
            if door.is_honest() && left > 1 && random.below(3) > 0 {
                self.ask_at_once(thread, left.min(5), &door, &mut random, &mut events);
                continue;
            }
            let op = self.draw(&mut random, thread, events.len());
            let moves = kept() && matches!(op, Op::Advance(_));
            let _moving = moves.then(|| self.still.write().unwrap());
            let _still = (kept() && !moves).then(|| self.still.read().unwrap());
            let start = self.ticks.fetch_add(1, SeqCst);
            let answer = door.ask(&op);
            let end = self.ticks.fetch_add(1, SeqCst);
            self.notice(&op, &answer);
            events.push(Event { thread, start, end, op, answer, after: None });
        }
        events
    }

    /// Sends some requests together: they begin at the same time and take effect in order.
    fn ask_at_once(
        &self,
        thread: usize,
        most: usize,
        door: &Door<'_>,
        random: &mut Random,
        events: &mut Vec<Event>,
    ) {
        let first = events.len();
        let mut ops: Vec<_> =
            (0..2 + random.below(most - 1)).map(|i| self.draw(random, thread, first + i)).collect();
        ops.retain(|op| !matches!(op, Op::Advance(_)));
        for op in &mut ops {
            if let Op::Cas(.., life) = op {
                *life = 0; // a pipeline has no other
            }
        }
        let _still = kept().then(|| self.still.read().unwrap());
        let starts: Vec<_> = ops.iter().map(|_| self.ticks.fetch_add(1, SeqCst)).collect();
        let after = [None].into_iter().chain(starts.iter().copied().map(Some));
        let answers = door.honest_at_once(&ops);
        let asked = starts.iter().zip(after).zip(ops.into_iter().zip(answers));
        for (at, ((start, after), (op, answer))) in asked.enumerate() {
            let end = self.ticks.fetch_add(1, SeqCst);
            self.notice(&op, &answer);
            // To the tester each of them is another's.
            let thread = thread + at * THREADS;
            events.push(Event { thread, start: *start, end, op, answer, after });
        }
    }

    fn draw(&self, random: &mut Random, thread: usize, i: usize) -> Op {
        let which = random.below(self.names.len());
        let (name, contents) = (self.names[which], (thread * 100 + i) as u64);
        let life = [0, 1, 1, 2, 3][random.below(5)];
        // Now and then wrong: 0 where there is a file.
        let version = self.latest[which].load(Relaxed) * u64::from(random.below(6) > 0);
        if thread == THREADS - 1 && random.below(2) == 0 {
            return Op::Advance(250 * (1 + random.below(6)));
        }
        match random.below(20) {
            0..6 => Op::Read(name),
            6..9 => Op::Write(name, contents, life),
            9..14 => Op::Cas(name, version, contents, life),
            14 => Op::Delete(name, None),
            15..17 => Op::Delete(name, Some(version)),
            _ => Op::Touch(name, version, life),
        }
    }

    fn notice(&self, op: &Op, answer: &Answer) {
        let (Op::Read(name)
        | Op::Write(name, ..)
        | Op::Cas(name, ..)
        | Op::Delete(name, _)
        | Op::Touch(name, ..)) = op
        else {
            return;
        };
        let version = match answer {
            Answer::Ok(v) | Answer::Version(v) | Answer::Contents(v, ..) => *v,
            Answer::Done | Answer::NotFound | Answer::Lost => 0,
        };
        let which = self.names.iter().position(|n| n == name).unwrap();
        self.latest[which].store(version, Relaxed);
    }
}
