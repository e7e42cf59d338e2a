//! A pool of threads that grows with the work: an idle thread takes the next job, or a new one is
//! created, up to a maximum. A fixed pool would starve, because people leave telnet sessions open.

use crate::panics::panic_text;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, unbounded};
use std::cell::Cell;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

/// The most jobs that may continue without a slot.
pub(crate) const MAX_LINGERING: usize = 16;

/// A thread without a job for this long ends. Creating one costs five times as much as keeping it
/// between two connections.
const IDLE_TIMEOUT: Duration = Duration::from_secs(10);

/// Threads that do jobs of one kind. When the pool is dropped, idle threads end.
pub struct Pool<J> {
    jobs: Sender<J>,
    inner: Arc<Inner<J>>,
}

/// Shows its name, and how many slots are used.
impl<J> fmt::Debug for Pool<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { name, slots, max, .. } = &*self.inner;
        let used = slots.load(SeqCst);
        write!(f, "Pool({name:?}, {used} of {max} slots)")
    }
}

type Work<J> = dyn Fn(&J, &Slot<'_>) + Send + Sync;

struct Inner<J> {
    queue: Receiver<J>,
    work: Box<Work<J>>,
    /// Jobs that are queued or running, without those that have released their slot.
    slots: AtomicUsize,
    /// Jobs that have released their slot and are still running.
    lingering: AtomicUsize,
    /// Threads that wait for a job, without those that are promised one: [`Pool::submit`] subtracts 1
    /// before it queues a job, and a thread that may end subtracts itself first.
    idle: AtomicUsize,
    max: usize,
    name: String,
    stack_bytes: usize,
}

/// A job's place among the `max` of its pool.
#[derive(Debug)]
pub struct Slot<'a> {
    slots: &'a AtomicUsize,
    lingering: &'a AtomicUsize,
    released: Cell<bool>,
}

impl Slot<'_> {
    /// Frees the place for another job while this one only closes a connection, unless too many
    /// jobs already do.
    pub fn release(&self) {
        let few = |n| (n < MAX_LINGERING).then_some(n + 1);
        if !self.released.get() && take(self.lingering, few) {
            self.released.set(true);
            self.slots.fetch_sub(1, SeqCst);
        }
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        let place = if self.released.get() { self.lingering } else { self.slots };
        place.fetch_sub(1, SeqCst);
    }
}

impl<J: Send + 'static> Pool<J> {
    /// Creates a pool of at most `max` threads, all named `name`. No thread is created yet.
    ///
    /// A job's slot is free before the job is dropped: a peer that sees one connection end by that
    /// drop may open the next.
    pub fn new(
        name: &str,
        max: usize,
        stack_bytes: usize,
        work: impl Fn(&J, &Slot<'_>) + Send + Sync + 'static,
    ) -> Self {
        let (jobs, queue) = unbounded();
        let inner = Inner {
            queue,
            work: Box::new(work),
            slots: AtomicUsize::new(0),
            lingering: AtomicUsize::new(0),
            idle: AtomicUsize::new(0),
            max,
            name: name.to_string(),
            stack_bytes,
        };
        Pool { jobs, inner: Arc::new(inner) }
    }

    /// Runs `job` on a thread.
    ///
    /// # Errors
    /// Returns the job if all [slots](Pool::used_slots) are in use, or no thread can be created.
    pub fn submit(&self, job: J) -> Result<(), J> {
        let inner = &self.inner;
        if !take(&inner.slots, |n| (n < inner.max).then_some(n + 1)) {
            return Err(job);
        }
        if !inner.claim_idle() && !inner.start_thread() {
            inner.slots.fetch_sub(1, SeqCst);
            return Err(job);
        }
        self.jobs.send(job).map_err(|unsent| unsent.0)
    }

    /// Returns how many jobs are queued or running, without those that have
    /// [released](Slot::release) their slot.
    pub fn used_slots(&self) -> usize {
        self.inner.slots.load(SeqCst)
    }
}

impl<J: Send + 'static> Inner<J> {
    fn start_thread(self: &Arc<Self>) -> bool {
        let inner = self.clone();
        let thread = thread::Builder::new().name(self.name.clone()).stack_size(self.stack_bytes);
        // It takes its job from the queue: a job in the closure would be lost on failure.
        match thread.spawn(move || inner.run()) {
            Ok(_) => true,
            Err(e) => {
                log::warn!("no thread for {}: {e}", self.name);
                false
            }
        }
    }

    fn run(&self) {
        let mut next = self.queue.recv().ok();
        while let Some(job) = next {
            let (slots, lingering) = (&self.slots, &self.lingering);
            let slot = Slot { slots, lingering, released: Cell::new(false) };
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| (self.work)(&job, &slot))) {
                let why = panic_text(&*panic);
                log::error!("a thread of {} panicked; its connection ends: {why}", self.name);
            }
            self.idle.fetch_add(1, SeqCst);
            drop(slot);
            drop(job);
            next = self.wait();
        }
    }

    /// Waits for the next job. Returns `None` when this thread should end.
    fn wait(&self) -> Option<J> {
        match self.queue.recv_timeout(IDLE_TIMEOUT) {
            Ok(job) => Some(job),
            // All threads that wait are promised a job, so one is on its way to this one.
            Err(RecvTimeoutError::Timeout) if !self.claim_idle() => self.queue.recv().ok(),
            Err(_) => None,
        }
    }

    fn claim_idle(&self) -> bool {
        take(&self.idle, |n| n.checked_sub(1))
    }
}

fn take(count: &AtomicUsize, change: impl Fn(usize) -> Option<usize>) -> bool {
    count.fetch_update(SeqCst, SeqCst, change).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Barrier;

    const STACK: usize = 64 << 10;

    #[test]
    fn silent_jobs_do_not_stop_the_next() {
        let meet = Arc::new(Barrier::new(51));
        let at = meet.clone();
        let pool = Pool::new("test", 100, STACK, move |_: &u32, _| {
            at.wait();
        });
        for i in 0..50 {
            pool.submit(i).unwrap();
        }
        meet.wait(); // 50 jobs were running at once
    }

    #[test]
    fn over_the_maximum_the_job_comes_back_and_a_slot_is_free_before_the_job_is_dropped() {
        /// Runs until the first channel releases it; its drop ends the second channel.
        type Job = (Receiver<()>, Sender<()>);
        let pool = Pool::new("test", 1, STACK, |job: &Job, _| assert!(job.0.recv().is_ok()));
        for _ in 0..1000 {
            let ((go, going), (alive, ended)) = (unbounded(), unbounded::<()>());
            assert!(pool.submit((going.clone(), alive.clone())).is_ok());
            assert!(pool.submit((going, alive)).is_err());
            go.send(()).unwrap();
            assert!(ended.recv().is_err());
        }
    }

    #[test]
    fn a_few_jobs_may_release_their_slots_before_they_are_done() {
        type Job = (Sender<()>, Receiver<()>);
        let pool = Pool::new("test", 1, STACK, |job: &Job, slot| {
            slot.release();
            slot.release();
            job.0.send(()).unwrap();
            assert!(job.1.recv().is_ok());
        });
        let ((begun, begins), (go, going)) = (unbounded(), unbounded());
        let job = || (begun.clone(), going.clone());
        for _ in 0..=MAX_LINGERING {
            assert!(pool.submit(job()).is_ok());
            begins.recv().unwrap();
        }
        assert!(pool.submit(job()).is_err(), "the last one keeps its slot");
        (0..=MAX_LINGERING).for_each(|_| go.send(()).unwrap());
        while pool.submit(job()).is_err() {}
        go.send(()).unwrap();
    }

    #[test]
    fn a_panic_frees_its_slot() {
        let (done, seen) = unbounded();
        let pool = Pool::new("test", 4, STACK, move |n: &usize, _| {
            done.send(*n).unwrap();
            assert!(n.is_multiple_of(2), "odd");
        });
        for n in 0..100 {
            let mut job = Err(n);
            while let Err(n) = job {
                job = pool.submit(n);
            }
        }
        assert_eq!(seen.iter().take(100).count(), 100);
    }
}
