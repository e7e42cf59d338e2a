//! A worker: a thread with its application value, which calls it back, one thing after the other.
//! Its desk is where others leave what is to be done.

use super::app::ServerApp;
use super::connection::Connection;
use super::flusher::Bell;
use super::link::{Link, Next};
use super::message::OwnedMessage;
use crossbeam_channel::{Receiver, Sender, unbounded};
use std::any::Any;
use std::error::Error;
use std::iter;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

/// So many callbacks come for one connection before it is the turn of the next.
const MAX_BATCH: usize = 64;

/// What callbacks send is collected for so long at most, if none of them takes longer.
const MAX_COLLECT_TIME: Duration = Duration::from_millis(1);

/// What others know of a worker.
pub(super) struct Desk {
    work: Sender<Work>,
    /// Connections with something to send, collected in a burst of work; `None` between bursts.
    collected: Mutex<Option<Vec<Arc<Link>>>>,
    /// Counts the beginnings and the ends of bursts: odd while one goes on.
    burst: AtomicUsize,
    bell: Arc<Bell>,
    /// Connections that it has.
    pub(super) connections: AtomicUsize,
    thread: OnceLock<ThreadId>,
}

/// What is to be done.
pub(super) enum Work {
    Link(Arc<Link>),
    /// These are the connections that there still are; then it is over.
    Stop(Vec<Arc<Link>>),
}

impl Desk {
    pub(super) fn new(bell: &Arc<Bell>) -> (Arc<Self>, Receiver<Work>) {
        let (work, queue) = unbounded();
        let desk = Desk {
            work,
            collected: Mutex::new(None),
            burst: AtomicUsize::new(0),
            bell: bell.clone(),
            connections: AtomicUsize::new(0),
            thread: OnceLock::new(),
        };
        (Arc::new(desk), queue)
    }

    /// There is something to do for `link`.
    pub(super) fn ready(&self, link: Arc<Link>) {
        let _ = self.work.send(Work::Link(link)); // a worker that has stopped has none any more
    }

    pub(super) fn stop(&self, links: Vec<Arc<Link>>) {
        let _ = self.work.send(Work::Stop(links));
    }

    /// Whether the caller is a callback of this worker.
    pub(super) fn is_here(&self) -> bool {
        self.thread.get() == Some(&thread::current().id())
    }

    /// Has `link` flushed at the end of the burst; false if there is none.
    pub(super) fn collect(&self, link: &Arc<Link>) -> bool {
        self.collected().as_mut().map(|links| links.push(link.clone())).is_some()
    }

    /// Which burst it is.
    pub(super) fn burst(&self) -> usize {
        self.burst.load(SeqCst)
    }

    /// Sends what was collected so far.
    pub(super) fn flush(&self) {
        let links = self.collected().as_mut().map(std::mem::take);
        links.iter().flatten().for_each(Link::flush);
    }

    fn begin_burst(&self) {
        *self.collected() = Some(Vec::new());
        self.burst.fetch_add(1, SeqCst);
        self.bell.ring();
    }

    fn end_burst(&self) {
        let links = self.collected().take();
        links.iter().flatten().for_each(Link::flush);
        self.burst.fetch_add(1, SeqCst);
    }

    fn collected(&self) -> MutexGuard<'_, Option<Vec<Arc<Link>>>> {
        self.collected.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A worker's thread, from the making of the application to its drop. Tells `born` how the making
/// went.
pub(super) fn run<A: ServerApp>(
    context: A::Context,
    desk: &Desk,
    queue: &Receiver<Work>,
    born: &Sender<Result<(), Box<dyn Error + Send + Sync>>>,
) {
    let _ = desk.thread.set(thread::current().id());
    let made = catch_unwind(AssertUnwindSafe(|| A::new(context)));
    let made = made.unwrap_or_else(|panic| Err(format!("new panicked: {}", said(&panic)).into()));
    let app = match made {
        Ok(app) => app,
        Err(e) => return drop(born.send(Err(e))),
    };
    let _ = born.send(Ok(()));
    let mut worker = Worker { app, desk, flushed: Instant::now() };
    while let Ok(first) = queue.recv()
        && worker.burst(first, queue)
    {}
    guarded("drop", || drop(worker.app));
}

struct Worker<'a, A> {
    app: A,
    desk: &'a Desk,
    flushed: Instant,
}

impl<A: ServerApp> Worker<'_, A> {
    /// Does `first` and all that has come meanwhile, and then sends what was collected: so many
    /// clients are woken at once, and not each on its own. False after a stop.
    fn burst(&mut self, first: Work, queue: &Receiver<Work>) -> bool {
        self.desk.begin_burst();
        self.flushed = Instant::now();
        let goes_on = iter::once(first).chain(queue.try_iter()).all(|work| match work {
            Work::Link(link) => {
                self.batch(&link);
                link.turn_over();
                true
            }
            Work::Stop(links) => {
                self.finish(&links);
                false
            }
        });
        self.desk.end_burst();
        goes_on
    }

    /// Some callbacks for a connection.
    fn batch(&mut self, link: &Arc<Link>) {
        let _ = (0..MAX_BATCH).all(|_| self.call(link));
    }

    /// Calls the application if there is something to tell it of the connection; false if there is
    /// nothing.
    fn call(&mut self, link: &Arc<Link>) -> bool {
        let (app, client) = (&mut self.app, Connection(link.clone()));
        match link.next() {
            Next::Connect => {
                match guarded("on_client_connect", || app.on_client_connect(&client)) {
                    Some(true) => link.admit(),
                    _ => link.close(),
                }
            }
            Next::Deliver(message) => {
                guarded("on_message", || app.on_message(OwnedMessage { message, client }));
            }
            Next::Disconnect => {
                guarded("on_client_disconnect", || app.on_client_disconnect(&client));
                link.close();
            }
            Next::Nothing => return false,
        }
        if self.flushed.elapsed() >= MAX_COLLECT_TIME {
            self.desk.flush();
            self.flushed = Instant::now();
        }
        true
    }

    /// Does all that is in hand, and ends the connections.
    fn finish(&mut self, links: &[Arc<Link>]) {
        for link in links {
            while self.call(link) {}
        }
        links.iter().for_each(Link::close);
    }
}

/// Calls code of the application; `None` if it panics.
fn guarded<T>(callback: &str, call: impl FnOnce() -> T) -> Option<T> {
    let called = catch_unwind(AssertUnwindSafe(call));
    called.inspect_err(|panic| log::error!("{callback} panicked: {}", said(panic))).ok()
}

fn said(panic: &Box<dyn Any + Send>) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or(panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("it does not say why")
}
