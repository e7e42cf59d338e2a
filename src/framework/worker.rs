//! A worker: an application value, and the connections that it has work for. One thread at a time
//! holds the worker and calls the application. A reader that brings a message becomes the holder if
//! there is none, so that a single message in flight costs no thread switch. Otherwise the holder
//! does that work too, and the worker's own thread takes over where a reader would be kept from its
//! connection.

use super::app::ServerApp;
use super::callbacks::{self, Burst, Callbacks, guarded};
use super::channel::{Channel, WorkerHandle};
use super::flusher::{Collector, FlusherHandle};
use crossbeam_channel::Sender;
use std::collections::VecDeque;
use std::error::Error;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

/// The maximum of callbacks for one connection before the next is served.
const MAX_CALLS_IN_A_ROW: usize = 64;

/// How long a reader holds the worker, unless one callback takes longer. It reads nothing meanwhile.
const MAX_READER_TIME: Duration = Duration::from_millis(1);

pub(super) struct Worker {
    work: Mutex<Work>,
    /// Signals that the thread holds the worker.
    called: Condvar,
    /// `None` before the application is made and after it is dropped. Locked only by the holder.
    app: Mutex<Option<Box<dyn Callbacks>>>,
    pub(super) collector: Arc<Collector>,
    /// How many connections it has.
    pub(super) connections: AtomicUsize,
}

struct Work {
    holder: Holder,
    /// Channels with work to do. Empty while nobody holds the worker.
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

impl WorkerHandle for Worker {
    fn queue(&self, channel: Arc<Channel>) {
        let mut work = lock(&self.work);
        if work.holder == Holder::Over {
            return;
        }
        work.queue.push_back(channel);
        self.call_thread(work);
    }

    /// Does the work for `channel`, and what others queue meanwhile. If another thread holds the
    /// worker, that thread does it.
    fn work_for(&self, channel: Arc<Channel>) {
        let mut work = lock(&self.work);
        if work.holder == Holder::Over {
            return;
        }
        work.queue.push_back(channel);
        if work.holder != Holder::Nobody {
            return;
        }
        work.holder = Holder::Reader(thread::current().id());
        drop(work);
        let until = Instant::now() + MAX_READER_TIME;
        loop {
            let in_time = self.work_off(Some(until));
            let mut work = lock(&self.work);
            let idle = work.queue.is_empty() && work.stop.is_none();
            if idle || !in_time || work.stop.is_some() {
                work.holder = Holder::Nobody;
                if !idle {
                    self.call_thread(work);
                }
                return;
            }
        }
    }

    fn collect(&self, channel: &Arc<Channel>) -> bool {
        self.collector.add(channel)
    }
}

impl Worker {
    /// Returns a worker that is held by its thread, which is not started yet.
    pub(super) fn new(flusher: &Arc<FlusherHandle>) -> Arc<Self> {
        let work = Work { holder: Holder::Thread(None), queue: VecDeque::new(), stop: None };
        Arc::new(Worker {
            work: Mutex::new(work),
            called: Condvar::new(),
            app: Mutex::new(None),
            collector: Arc::new(Collector::new(flusher)),
            connections: AtomicUsize::new(0),
        })
    }

    /// Makes the thread do all queued work, end `channels`, and drop the application.
    pub(super) fn stop(&self, channels: Vec<Arc<Channel>>) {
        let mut work = lock(&self.work);
        if work.holder != Holder::Over {
            work.stop.get_or_insert(channels);
            self.call_thread(work);
        }
    }

    /// Makes the thread the holder if there is none.
    fn call_thread(&self, mut work: MutexGuard<'_, Work>) {
        if work.holder == Holder::Nobody {
            work.holder = Holder::Thread(None);
            drop(work);
            self.called.notify_one();
        }
    }

    /// Returns whether the caller is a callback of this worker.
    pub(super) fn is_here(&self) -> bool {
        let here = thread::current().id();
        [Holder::Reader(here), Holder::Thread(Some(here))].contains(&lock(&self.work).holder)
    }

    /// Does the queued work, also what is added meanwhile, and then sends what was collected, so
    /// that many clients wake together, not one by one. Returns false if `until` came first.
    fn work_off(&self, until: Option<Instant>) -> bool {
        self.in_burst(|burst| {
            loop {
                let Some(channel) = lock(&self.work).queue.pop_front() else { return true };
                let _ =
                    (0..MAX_CALLS_IN_A_ROW).all(|_| burst.call(&channel) && !burst.is_past(until));
                channel.reschedule();
                if burst.is_past(until) {
                    return false;
                }
            }
        })
    }

    /// Does all pending work of `channels`, and ends them.
    fn finish(&self, channels: &[Arc<Channel>]) {
        self.in_burst(|burst| {
            for channel in channels {
                while burst.call(channel) {}
            }
            channels.iter().for_each(Channel::close);
        });
    }

    fn in_burst<T>(&self, work: impl FnOnce(&mut Burst<'_>) -> T) -> T {
        let mut app = lock(&self.app);
        let app = app.as_deref_mut().expect("it is made before the first burst");
        work(&mut Burst::begin(app, &self.collector))
    }

    /// Runs the thread, from making the application to dropping it. Reports to `started` whether
    /// making it succeeded.
    pub(super) fn run<A: ServerApp>(
        &self,
        context: A::Context,
        started: &Sender<Result<(), Box<dyn Error + Send + Sync>>>,
    ) {
        match callbacks::make::<A>(context) {
            Ok(app) => *lock(&self.app) = Some(app),
            Err(e) => return drop(started.send(Err(e))),
        }
        let _ = started.send(Ok(()));
        let channels = self.work_until_stop();
        self.finish(&channels);
        let app = lock(&self.app).take();
        guarded("drop", || drop(app));
        let mut work = lock(&self.work);
        work.holder = Holder::Over;
        work.queue.clear();
    }

    /// Works whenever the thread holds the worker. Returns the stop's connections, still holding
    /// it.
    fn work_until_stop(&self) -> Vec<Arc<Channel>> {
        let here = Holder::Thread(Some(thread::current().id()));
        loop {
            let mut work = lock(&self.work);
            if work.queue.is_empty() {
                work.holder = here;
                if let Some(channels) = work.stop.take() {
                    return channels;
                }
                work.holder = Holder::Nobody;
                let others = |work: &mut Work| !matches!(work.holder, Holder::Thread(_));
                work = self.called.wait_while(work, others).unwrap_or_else(PoisonError::into_inner);
            }
            work.holder = here;
            drop(work);
            self.work_off(None);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
