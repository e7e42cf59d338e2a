//! The server: its listeners, a reader for each connection, and the workers.

use super::app::{Config, ServerApp};
use super::channel::{Channel, DRAIN};
use super::end::EndReason;
use super::flusher::{self, FlusherHandle};
use super::inbox::Capacity;
use super::message::Message;
use super::message_reader::MessageReader;
use super::worker::Worker;
use crate::net::{Address, Listener, Live, Pool};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded, unbounded};
use log::Level;
use std::collections::VecDeque;
use std::error::Error;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::{Duration, Instant};

/// How much of one connection waits for its worker; a message larger than this waits alone.
const INBOX: Capacity = Capacity { messages: 64, bytes: 1 << 20 };

/// The stack of threads that do not call the application.
const STACK_BYTES: usize = 256 << 10;

/// A running server. Dropping it begins a [`stop`](Server::stop) without waiting.
pub struct Server {
    shared: Arc<Shared>,
    /// Signals its end: all threads at work have dropped the other side.
    done: Receiver<()>,
}

struct Shared {
    listeners: Vec<Listener>,
    live: Live<Arc<Channel>>,
    workers: Vec<Arc<Worker>>,
    max_message_bytes: u32,
}

impl Server {
    /// Binds, makes the application once for each worker, and serves it on new threads.
    ///
    /// # Errors
    /// The address is invalid or cannot be bound, a thread cannot be started, or an application
    /// value cannot be made; then the other values are dropped, and the port is free.
    pub fn start<A: ServerApp>(config: Config<A>) -> Result<Server, StartError> {
        let listeners = Listener::bind(&config.addr.parse()?)?;
        let (bell, rung) = FlusherHandle::new();
        let shared = Arc::new(Shared {
            listeners,
            live: Live::default(),
            workers: (0..config.workers).map(|_| Worker::new(&bell)).collect(),
            max_message_bytes: config.max_message_bytes,
        });
        let (working, done) = bounded(0);
        // From here on, dropping `server` ends what was begun.
        let server = Server { shared: shared.clone(), done };
        let (born, births) = unbounded();
        for worker in &shared.workers {
            let (context, worker) = (config.context.clone(), worker.clone());
            let (born, working) = (born.clone(), working.clone());
            spawn("worker", config.stack_bytes, working, move || worker.run::<A>(context, &born))?;
        }
        let births = births.iter().take(shared.workers.len());
        let failed = births.filter_map(Result::err).reduce(|first, _| first);
        if let Some(e) = failed {
            drop(working);
            let _ = server.stop(None); // no client was accepted, so this takes no time
            return Err(StartError::App(e));
        }
        let (workers, done) = (shared.workers.clone(), server.done.clone());
        let flusher = thread::Builder::new().name("flusher".to_string());
        let flush = move || flusher::run(&workers, &bell, &rung, &done);
        flusher.spawn(flush).map_err(|e| no_thread("flusher", &e))?;
        let pools = Arc::new(Pools::new(&shared, config.connections, config.stack_bytes));
        for at in 0..shared.listeners.len() {
            let (shared, pools) = (shared.clone(), pools.clone());
            let accept = move || shared.accept_all(at, &pools);
            spawn("accept", STACK_BYTES, working.clone(), accept)?;
        }
        Ok(server)
    }

    /// Returns the listening address, with the port that the system chose: the first of
    /// [`addrs`](Server::addrs).
    pub fn addr(&self) -> &Address {
        self.shared.listeners[0].address()
    }

    /// Returns all listening addresses: a name may have several.
    pub fn addrs(&self) -> impl Iterator<Item = &Address> {
        self.shared.listeners.iter().map(Listener::address)
    }

    /// Stops the server: accepts no more clients, delivers all messages received so far, sends what
    /// is pending, ends the connections, drops the applications' values and returns.
    ///
    /// Clients get the end of the stream; one that does not end its side within 5 s, or does not
    /// take a mebibyte of the waiting data within 5 s, is cut off. `on_client_disconnect` is not
    /// called. A `timeout` cuts all that short. Afterwards the port is free.
    ///
    /// # Errors
    /// [`StopError::TimedOut`] if the workers were not done in time: a callback that has not
    /// returned, and its value, are left alone, and its thread ends when it returns.
    /// [`StopError::InCallback`] for a callback that would wait for itself; nothing happens then.
    pub fn stop(&self, timeout: Option<Duration>) -> Result<(), StopError> {
        let shared = &self.shared;
        if shared.workers.iter().any(|worker| worker.is_here()) {
            return Err(StopError::InCallback);
        }
        // A time beyond the clock's range never comes.
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        shared.begin_stop();
        shared.finish_stop(&self.done, deadline)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.shared.live.is_closed() {
            return;
        }
        self.shared.begin_stop();
        let (shared, done) = (self.shared.clone(), self.done.clone());
        let finish = move || {
            let _ = shared.finish_stop(&done, None); // without a time-out it succeeds
        };
        if let Err(e) = thread::Builder::new().name("stop".to_string()).spawn(finish) {
            log::warn!("no thread to end the connections in order: {e}");
            self.shared.live.each(break_off);
        }
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Server({}, {} clients)", self.addr(), self.shared.live.count())
    }
}

/// Starts a thread that holds `working` while it does `work`.
fn spawn(
    name: &str,
    stack_bytes: usize,
    working: Sender<()>,
    work: impl FnOnce() + Send + 'static,
) -> io::Result<()> {
    let holding = move || {
        work();
        drop(working);
    };
    let thread = thread::Builder::new().name(name.to_string()).stack_size(stack_bytes);
    thread.spawn(holding).map(drop).map_err(|e| no_thread(name, &e))
}

fn no_thread(name: &str, e: &io::Error) -> io::Error {
    io::Error::new(e.kind(), format!("no thread for {name}: {e}"))
}

/// The threads of all connections.
struct Pools {
    connections: usize,
    readers: Pool<Arc<Channel>>,
    writers: Arc<Pool<Arc<Channel>>>,
}

impl Pools {
    fn new(shared: &Arc<Shared>, connections: usize, stack_bytes: usize) -> Pools {
        let shared = shared.clone();
        let readers =
            Pool::new("reader", connections, stack_bytes, move |channel, _| shared.serve(channel));
        let writers = Pool::new("writer", connections, STACK_BYTES, |channel: &Arc<Channel>, _| {
            channel.go_on_sending();
        });
        Pools { connections, readers, writers: Arc::new(writers) }
    }
}

impl Shared {
    /// Accepts clients of one listener, until the stop.
    fn accept_all(&self, at: usize, pools: &Pools) {
        self.live.accept_all(&self.listeners[at], |stream| {
            let by_load = |worker: &&Arc<Worker>| worker.connections.load(Relaxed);
            let worker = self.workers.iter().min_by_key(by_load);
            let worker = worker.expect("there is at least one worker");
            worker.connections.fetch_add(1, Relaxed);
            let channel = Channel::new(stream, INBOX, Some(worker.clone()), &pools.writers);
            if let Err(channel) = pools.readers.submit(channel) {
                let Pools { connections, readers, .. } = pools;
                let reason = match readers.used_slots() < *connections {
                    true => "the system has no thread for it".to_string(),
                    false => format!("{connections} connections are the limit"),
                };
                log::warn!("{} refused: {reason}", channel.stream);
                worker.connections.fetch_sub(1, Relaxed);
            }
        });
    }

    /// Serves one connection, on a reader's thread.
    fn serve(&self, channel: &Arc<Channel>) {
        self.read(channel);
        if let Some(worker) = &channel.worker {
            worker.connections.fetch_sub(1, Relaxed);
        }
    }

    fn read(&self, channel: &Arc<Channel>) {
        let Some(_pass) = self.live.register(channel.clone()) else { return };
        let stream = &channel.stream;
        let mut incoming = MessageReader::new(stream, self.max_message_bytes);
        if channel.announce() {
            log::debug!("{stream} connected");
            read_messages(channel, &mut incoming);
        }
        channel.complete();
        incoming.drop_rest();
        channel.peer_ended();
        channel.wait_ended(None);
    }

    fn begin_stop(&self) {
        self.live.close();
        let mut channels = Vec::new();
        self.live.each(|channel| {
            channel.stop();
            channels.push(channel.clone());
        });
        self.listeners.iter().for_each(Listener::close);
        for worker in &self.workers {
            let mut own = channels.clone();
            own.retain(|channel| channel.worker.as_ref().is_some_and(|of| Arc::ptr_eq(of, worker)));
            worker.stop(own);
        }
    }

    /// Waits until the workers are done, then until the clients are gone.
    fn finish_stop(&self, done: &Receiver<()>, deadline: Option<Instant>) -> Result<(), StopError> {
        let finished = match deadline {
            Some(deadline) => done.recv_deadline(deadline),
            None => done.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        if finished == Err(RecvTimeoutError::Timeout) {
            self.live.each(break_off);
            return Err(StopError::TimedOut);
        }
        let drained = Instant::now() + DRAIN;
        self.live.wait_empty(Some(deadline.map_or(drained, |d| d.min(drained))));
        self.live.each(|channel| channel.cut_silent());
        self.live.wait_empty(deadline); // a writer still sends to each of the others
        self.live.each(break_off);
        Ok(())
    }
}

fn break_off(channel: &Arc<Channel>) {
    channel.break_off(Level::Debug, EndReason::Shutdown);
}

/// Reads until the end, or until no more messages are accepted.
pub(super) fn read_messages(channel: &Arc<Channel>, incoming: &mut MessageReader) {
    let mut batch: VecDeque<Message> = VecDeque::new();
    let (level, reason) = loop {
        match incoming.read(&mut batch) {
            Ok(true) if channel.hand_over(&mut batch) => {}
            Ok(true) => break (Level::Debug, EndReason::Shutdown),
            Ok(false) => break (Level::Debug, EndReason::Peer),
            Err(reason @ EndReason::TooLarge { .. }) => break (Level::Warn, reason),
            Err(reason) => break (Level::Info, reason),
        }
    };
    channel.end_with(level, reason);
}

/// Why a server did not start.
#[derive(Debug)]
pub enum StartError {
    /// The address is invalid or taken, or the system cannot start a thread.
    Io(io::Error),
    /// The error of [`ServerApp::new`], or that it panicked.
    App(Box<dyn Error + Send + Sync>),
}

impl From<io::Error> for StartError {
    fn from(e: io::Error) -> Self {
        StartError::Io(e)
    }
}

impl Error for StartError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            StartError::Io(e) => e.source(),
            StartError::App(e) => e.source(),
        }
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartError::Io(e) => e.fmt(f),
            StartError::App(e) => write!(f, "the application does not start: {e}"),
        }
    }
}

/// Why a server was not stopped as requested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopError {
    /// It is stopped, but the workers were not done in time; a callback may not have returned.
    TimedOut,
    /// A callback of the server requested it, and would have waited for itself.
    InCallback,
}

impl Error for StopError {}

impl fmt::Display for StopError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            StopError::TimedOut => "the workers were not done in time and were left alone",
            StopError::InCallback => "a callback cannot stop its own server",
        })
    }
}
