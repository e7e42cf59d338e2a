//! A worker: an application value, and the connections that it has work for. The thread that holds
//! the worker's turn calls the application, one callback at a time. A reader that brings a message
//! takes the turn if nobody has it, so that a single message in flight costs no thread switch.
//! Otherwise the holder of the turn does that work too, and the worker's own thread takes over
//! where a reader would be kept from its connection.

use super::app::ServerApp;
use super::channel::{Channel, Event};
use super::connection::Connection;
use super::flusher::FlusherHandle;
use super::message::OwnedMessage;
use crossbeam_channel::Sender;
use std::any::Any;
use std::collections::VecDeque;
use std::error::Error;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

/// The maximum of callbacks for one connection before the next gets its turn.
const MAX_BATCH: usize = 64;

/// How long the callbacks' messages are collected at most, unless one callback takes longer.
const MAX_COLLECT_TIME: Duration = Duration::from_millis(1);

/// How long a reader keeps the turn, unless one callback takes longer. It reads nothing meanwhile.
const MAX_READER_TIME: Duration = Duration::from_millis(1);

pub(super) struct Worker {
    turn: Mutex<Turn>,
    /// Signals that the turn is the thread's.
    called: Condvar,
    /// `None` before the application is made and after it is dropped. Locked only by the holder of
    /// the turn.
    app: Mutex<Option<Box<dyn Callbacks>>>,
    /// Connections with messages to send, collected in a burst of work; `None` between bursts.
    collected: Mutex<Option<Vec<Arc<Channel>>>>,
    /// Counts the beginnings and ends of bursts: odd during a burst.
    burst: AtomicUsize,
    bell: Arc<FlusherHandle>,
    /// How many connections it has.
    pub(super) connections: AtomicUsize,
}

struct Turn {
    holder: Holder,
    /// Connections with work to do. Empty while nobody has the turn.
    queue: VecDeque<Arc<Channel>>,
    /// Set by a stop: the remaining connections.
    stop: Option<Vec<Arc<Channel>>>,
}

#[derive(Clone, Copy, PartialEq)]
enum Holder {
    Nobody,
    Reader(ThreadId),
    /// The worker's thread; `None` before it has begun to work.
    Thread(Option<ThreadId>),
    /// The application is dropped.
    Over,
}

/// A [`ServerApp`] of any type.
trait Callbacks: Send {
    fn connect(&mut self, client: &Connection) -> bool;
    fn message(&mut self, message: OwnedMessage);
    fn disconnect(&mut self, client: &Connection);
}

impl<A: ServerApp> Callbacks for A {
    fn connect(&mut self, client: &Connection) -> bool {
        self.on_client_connect(client)
    }

    fn message(&mut self, message: OwnedMessage) {
        self.on_message(message);
    }

    fn disconnect(&mut self, client: &Connection) {
        self.on_client_disconnect(client);
    }
}

impl Worker {
    /// Returns a worker whose thread, which is not started yet, has the turn.
    pub(super) fn new(bell: &Arc<FlusherHandle>) -> Arc<Self> {
        let turn = Turn { holder: Holder::Thread(None), queue: VecDeque::new(), stop: None };
        Arc::new(Worker {
            turn: Mutex::new(turn),
            called: Condvar::new(),
            app: Mutex::new(None),
            collected: Mutex::new(None),
            burst: AtomicUsize::new(0),
            bell: bell.clone(),
            connections: AtomicUsize::new(0),
        })
    }

    /// Queues `channel`, so that another thread does its work.
    pub(super) fn queue(&self, channel: Arc<Channel>) {
        let mut turn = lock(&self.turn);
        if turn.holder == Holder::Over {
            return;
        }
        turn.queue.push_back(channel);
        self.call_thread(turn);
    }

    /// Does the work for `channel`, and what others queue meanwhile. The caller is a reader. If
    /// another thread has the turn already, that thread does the work.
    pub(super) fn work_for(&self, channel: Arc<Channel>) {
        let mut turn = lock(&self.turn);
        if turn.holder == Holder::Over {
            return;
        }
        turn.queue.push_back(channel);
        if turn.holder != Holder::Nobody {
            return;
        }
        turn.holder = Holder::Reader(thread::current().id());
        drop(turn);
        let until = Instant::now() + MAX_READER_TIME;
        loop {
            let in_time = self.burst(Some(until));
            let mut turn = lock(&self.turn);
            let idle = turn.queue.is_empty() && turn.stop.is_none();
            if idle || !in_time || turn.stop.is_some() {
                turn.holder = Holder::Nobody;
                if !idle {
                    self.call_thread(turn);
                }
                return;
            }
        }
    }

    /// Makes the thread do all queued work, end `channels`, and drop the application.
    pub(super) fn stop(&self, channels: Vec<Arc<Channel>>) {
        let mut turn = lock(&self.turn);
        if turn.holder != Holder::Over {
            turn.stop.get_or_insert(channels);
            self.call_thread(turn);
        }
    }

    /// Gives the turn to the thread if nobody has it.
    fn call_thread(&self, mut turn: MutexGuard<'_, Turn>) {
        if turn.holder == Holder::Nobody {
            turn.holder = Holder::Thread(None);
            drop(turn);
            self.called.notify_one();
        }
    }

    /// Returns whether the caller is a callback of this worker.
    pub(super) fn is_here(&self) -> bool {
        let here = thread::current().id();
        [Holder::Reader(here), Holder::Thread(Some(here))].contains(&lock(&self.turn).holder)
    }

    /// Registers `channel` to be flushed at the end of the burst; returns false if there is no burst.
    pub(super) fn collect(&self, channel: &Arc<Channel>) -> bool {
        lock(&self.collected).as_mut().map(|channels| channels.push(channel.clone())).is_some()
    }

    /// Returns the count of the current burst.
    pub(super) fn burst_count(&self) -> usize {
        self.burst.load(SeqCst)
    }

    /// Sends the messages collected so far.
    pub(super) fn flush(&self) {
        let channels = lock(&self.collected).as_mut().map(std::mem::take);
        channels.iter().flatten().for_each(Channel::flush);
    }

    /// Does the queued work, also what is added meanwhile, and then sends what was collected, so
    /// that many clients wake together, not one by one. Returns false if `until` came first.
    fn burst(&self, until: Option<Instant>) -> bool {
        self.in_burst(|calls| {
            loop {
                let Some(channel) = lock(&self.turn).queue.pop_front() else { return true };
                let _ = (0..MAX_BATCH).all(|_| calls.call(&channel) && !calls.is_past(until));
                channel.turn_over();
                if calls.is_past(until) {
                    return false;
                }
            }
        })
    }

    /// Does all pending work of `channels`, and ends them.
    fn finish(&self, channels: &[Arc<Channel>]) {
        self.in_burst(|calls| {
            for channel in channels {
                while calls.call(channel) {}
            }
            channels.iter().for_each(Channel::close);
        });
    }

    fn in_burst<T>(&self, work: impl FnOnce(&mut Calls<'_>) -> T) -> T {
        *lock(&self.collected) = Some(Vec::new());
        self.burst.fetch_add(1, SeqCst);
        self.bell.ring();
        let mut app = lock(&self.app);
        let app = app.as_deref_mut().expect("it is made before the first burst");
        let now = Instant::now();
        let done = work(&mut Calls { app, worker: self, now, flushed: now });
        let channels = lock(&self.collected).take();
        channels.iter().flatten().for_each(Channel::flush);
        self.burst.fetch_add(1, SeqCst);
        done
    }

    /// Runs the thread, from making the application to dropping it. Reports to `born` whether
    /// making it succeeded.
    pub(super) fn run<A: ServerApp>(
        &self,
        context: A::Context,
        born: &Sender<Result<(), Box<dyn Error + Send + Sync>>>,
    ) {
        let made = catch_unwind(AssertUnwindSafe(|| A::new(context)));
        let made =
            made.unwrap_or_else(|panic| Err(format!("new panicked: {}", text(&panic)).into()));
        match made {
            Ok(app) => *lock(&self.app) = Some(Box::new(app)),
            Err(e) => return drop(born.send(Err(e))),
        }
        let _ = born.send(Ok(()));
        let channels = self.work_until_stop();
        self.finish(&channels);
        let app = lock(&self.app).take();
        guarded("drop", || drop(app));
        let mut turn = lock(&self.turn);
        turn.holder = Holder::Over;
        turn.queue.clear();
    }

    /// Works whenever the thread has the turn. Returns the stop's connections, with the turn held.
    fn work_until_stop(&self) -> Vec<Arc<Channel>> {
        let here = Holder::Thread(Some(thread::current().id()));
        loop {
            let mut turn = lock(&self.turn);
            if turn.queue.is_empty() {
                turn.holder = here;
                if let Some(channels) = turn.stop.take() {
                    return channels;
                }
                turn.holder = Holder::Nobody;
                let others = |turn: &mut Turn| !matches!(turn.holder, Holder::Thread(_));
                turn = self.called.wait_while(turn, others).unwrap_or_else(PoisonError::into_inner);
            }
            turn.holder = here;
            drop(turn);
            self.burst(None);
        }
    }
}

/// The callbacks of one burst.
struct Calls<'a> {
    app: &'a mut dyn Callbacks,
    worker: &'a Worker,
    /// When the last callback returned.
    now: Instant,
    flushed: Instant,
}

impl Calls<'_> {
    /// Calls the application if there is something to report about the connection; returns false if
    /// not.
    fn call(&mut self, channel: &Arc<Channel>) -> bool {
        let (app, client) = (&mut *self.app, Connection(channel.clone()));
        match channel.next() {
            Event::Connect => match guarded("on_client_connect", || app.connect(&client)) {
                Some(true) => channel.admit(),
                _ => channel.close(),
            },
            Event::Message(message) => {
                guarded("on_message", || app.message(OwnedMessage { message, client }));
            }
            Event::Disconnect => {
                guarded("on_client_disconnect", || app.disconnect(&client));
                channel.close();
            }
            Event::Nothing => return false,
        }
        self.now = Instant::now();
        if self.now - self.flushed >= MAX_COLLECT_TIME {
            self.worker.flush();
            self.flushed = self.now;
        }
        true
    }

    fn is_past(&self, until: Option<Instant>) -> bool {
        until.is_some_and(|until| self.now >= until)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Calls the application; returns `None` if it panics.
fn guarded<T>(callback: &str, call: impl FnOnce() -> T) -> Option<T> {
    let called = catch_unwind(AssertUnwindSafe(call));
    called.inspect_err(|panic| log::error!("{callback} panicked: {}", text(panic))).ok()
}

fn text(panic: &Box<dyn Any + Send>) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or(panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("it does not say why")
}
