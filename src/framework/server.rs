//! The server: one listener, a reader for each connection, and the workers.

use super::app::{Config, ServerApp};
use super::flusher::{self, Bell};
use super::inbox::Limit;
use super::incoming::Incoming;
use super::link::{DRAIN, Link};
use super::message::Message;
use super::worker::{self, Desk};
use crate::net::{Address, Doors, Listener, Pool};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded, unbounded};
use std::collections::VecDeque;
use std::error::Error;
use std::fmt;
use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::{Duration, Instant};

/// How much of one connection waits for its worker; a message larger than this waits alone.
const INBOX: Limit = Limit { messages: 64, bytes: 1 << 20 };

/// Readers and writers run no code of the application.
const STACK_BYTES: usize = 256 << 10;

/// A server that is running. Dropping it begins a [`stop`](Server::stop) and does not wait.
pub struct Server {
    shared: Arc<Shared>,
    /// Its end: everybody who works has dropped the other side.
    done: Receiver<()>,
}

struct Shared {
    listeners: Vec<Listener>,
    doors: Doors<Arc<Link>>,
    desks: Vec<Arc<Desk>>,
    max_message_bytes: u32,
}

impl Server {
    /// Binds, makes the application once for each worker, and serves it on threads of its own.
    ///
    /// # Errors
    /// The address is bad or cannot be bound, a thread cannot be made, or one of the values cannot;
    /// then the others are dropped, and the port is free.
    pub fn start<A: ServerApp>(config: Config<A>) -> Result<Server, StartError> {
        let listeners = Listener::bind(&config.addr.parse()?)?;
        let (bell, rung) = Bell::new();
        let (desks, queues): (Vec<_>, Vec<_>) =
            (0..config.workers).map(|_| Desk::new(&bell)).unzip();
        let shared = Arc::new(Shared {
            listeners,
            doors: Doors::default(),
            desks,
            max_message_bytes: config.max_message_bytes,
        });
        let (working, done) = bounded(0);
        // From here on its drop ends what was begun.
        let server = Server { shared: shared.clone(), done };
        let (born, births) = unbounded();
        for (desk, queue) in shared.desks.iter().zip(queues) {
            let (context, desk) = (config.context.clone(), desk.clone());
            let (born, working) = (born.clone(), working.clone());
            spawn("worker", working, move || worker::run::<A>(context, &desk, &queue, &born))?;
        }
        let births = births.iter().take(shared.desks.len());
        let failed = births.filter_map(Result::err).reduce(|first, _| first);
        if let Some(e) = failed {
            drop(working);
            let _ = server.stop(None); // nobody was let in, so it takes no time
            return Err(StartError::App(e));
        }
        let (desks, done) = (shared.desks.clone(), server.done.clone());
        let flusher = thread::Builder::new().name("flusher".to_string());
        flusher.spawn(move || flusher::run(&desks, &bell, &rung, &done))?;
        let pools = Arc::new(Pools::new(&shared, config.connections));
        for at in 0..shared.listeners.len() {
            let (shared, pools) = (shared.clone(), pools.clone());
            spawn("accept", working.clone(), move || shared.accept_all(at, &pools))?;
        }
        Ok(server)
    }

    /// Where it listens, with the port that the system chose: the first of
    /// [`addrs`](Server::addrs).
    pub fn addr(&self) -> &Address {
        self.shared.listeners[0].address()
    }

    /// Everywhere it listens: a name may have several addresses.
    pub fn addrs(&self) -> impl Iterator<Item = &Address> {
        self.shared.listeners.iter().map(Listener::address)
    }

    /// Lets nobody in any more, has all messages delivered that were taken in, sends what is to be
    /// sent, ends the connections, drops the applications' values and returns.
    ///
    /// Clients see the end of the stream; one that does not end its side within 5 s, or does not
    /// take a mebibyte of what waits for it within 5 s, is cut off. `on_client_disconnect` is not
    /// called. With a `timeout` all that is cut short after so long. The port can be served again.
    ///
    /// # Errors
    /// [`StopError::TimedOut`] if the workers were not done in time: a callback that has not
    /// returned, and the value with it, is left alone, and its thread ends when it does.
    /// [`StopError::InCallback`] for a callback that would wait for itself; nothing happens then.
    pub fn stop(&self, timeout: Option<Duration>) -> Result<(), StopError> {
        let shared = &self.shared;
        if shared.desks.iter().any(|desk| desk.is_here()) {
            return Err(StopError::InCallback);
        }
        // A time that cannot be told does not come.
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        shared.begin_stop();
        shared.finish_stop(&self.done, deadline)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.shared.doors.closed() {
            return;
        }
        self.shared.begin_stop();
        let (shared, done) = (self.shared.clone(), self.done.clone());
        let finish = move || {
            let _ = shared.finish_stop(&done, None); // without a time-out it succeeds
        };
        if let Err(e) = thread::Builder::new().name("stop".to_string()).spawn(finish) {
            log::warn!("no thread to end the connections in order: {e}");
            self.shared.doors.each(Link::break_off);
        }
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Server({}, {} clients)", self.addr(), self.shared.doors.count())
    }
}

/// A thread that holds `working` while it does `work`.
fn spawn(name: &str, working: Sender<()>, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let holding = move || {
        work();
        drop(working);
    };
    thread::Builder::new().name(name.to_string()).spawn(holding).map(drop)
}

/// The threads of all connections.
struct Pools {
    connections: usize,
    readers: Pool<Arc<Link>>,
    writers: Arc<Pool<Arc<Link>>>,
}

impl Pools {
    fn new(shared: &Arc<Shared>, connections: usize) -> Pools {
        let shared = shared.clone();
        let readers =
            Pool::new("reader", connections, STACK_BYTES, move |link, _| shared.serve(link));
        let writers = Pool::new("writer", connections, STACK_BYTES, |link: &Arc<Link>, _| {
            link.go_on_sending();
        });
        Pools { connections, readers, writers: Arc::new(writers) }
    }
}

impl Shared {
    /// Lets clients of one listener in, until the stop.
    fn accept_all(&self, at: usize, pools: &Pools) {
        self.doors.accept_all(&self.listeners[at], |stream| {
            let desk = self.desks.iter().min_by_key(|desk| desk.connections.load(Relaxed));
            let desk = desk.expect("there is at least one worker");
            desk.connections.fetch_add(1, Relaxed);
            let link = Link::new(stream, INBOX, Some(desk.clone()), &pools.writers);
            if let Err(link) = pools.readers.submit(link) {
                let Pools { connections, .. } = pools;
                log::warn!("{} refused: {connections} connections are the limit", link.stream);
                desk.connections.fetch_sub(1, Relaxed);
            }
        });
    }

    /// One connection, on a reader's thread.
    fn serve(&self, link: &Arc<Link>) {
        self.read(link);
        if let Some(desk) = &link.desk {
            desk.connections.fetch_sub(1, Relaxed);
        }
    }

    fn read(&self, link: &Arc<Link>) {
        let Some(_pass) = self.doors.enter(link.clone()) else { return };
        let stream = &link.stream;
        let mut incoming = Incoming::new(stream, self.max_message_bytes);
        if link.announce() {
            log::debug!("{stream} connected");
            match read_messages(link, &mut incoming) {
                Ok(()) => log::debug!("{stream} left"),
                Err(e) if e.kind() == ErrorKind::InvalidData => log::warn!("{stream} ended: {e}"),
                Err(e) => log::info!("{stream} lost: {e}"),
            }
        }
        link.complete();
        incoming.drop_rest();
        link.peer_ended();
        link.wait_ended(None);
    }

    fn begin_stop(&self) {
        self.doors.close();
        let mut links = Vec::new();
        self.doors.each(|link| {
            link.stop();
            links.push(link.clone());
        });
        self.listeners.iter().for_each(Listener::close);
        for desk in &self.desks {
            let mut own = links.clone();
            own.retain(|link| link.desk.as_ref().is_some_and(|of| Arc::ptr_eq(of, desk)));
            desk.stop(own);
        }
    }

    /// Waits until the workers are done, then until the clients are gone.
    fn finish_stop(&self, done: &Receiver<()>, deadline: Option<Instant>) -> Result<(), StopError> {
        let finished = match deadline {
            Some(deadline) => done.recv_deadline(deadline),
            None => done.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        if finished == Err(RecvTimeoutError::Timeout) {
            self.doors.each(Link::break_off);
            return Err(StopError::TimedOut);
        }
        let drained = Instant::now() + DRAIN;
        self.doors.wait_empty(Some(deadline.map_or(drained, |d| d.min(drained))));
        self.doors.each(|link| link.cut_silent());
        self.doors.wait_empty(deadline); // the others are being sent to: a writer sees to each
        self.doors.each(Link::break_off);
        Ok(())
    }
}

/// Reads until the end, or until no more is taken.
pub(super) fn read_messages(link: &Arc<Link>, incoming: &mut Incoming) -> io::Result<()> {
    let mut batch: VecDeque<Message> = VecDeque::new();
    while incoming.read(&mut batch)? && link.hand_over(&mut batch) {}
    Ok(())
}

/// Why a server did not start.
#[derive(Debug)]
pub enum StartError {
    /// The address is bad or taken, or the system has no thread to give.
    Io(io::Error),
    /// What [`ServerApp::new`] says, or that it panicked.
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

/// Why a server is not stopped in the way that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopError {
    /// It is stopped, but the workers were not done in time; a callback, for one, did not return.
    TimedOut,
    /// A callback of the server asked for it, and would have waited for itself.
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
