//! Collects what callbacks send, so that it goes out together: at the end of a burst, the work that
//! a worker does without a pause, or every millisecond between two callbacks. A thread sends it
//! while one callback takes longer.

use super::channel::Channel;
use crossbeam_channel::{Receiver, Sender, after, bounded, never, select};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What was collected in one tick goes out at the end of the next.
const TICK: Duration = Duration::from_millis(5);

/// The flusher rests after this many ticks without work, until a worker wakes it.
const RESTLESS_TICKS: u32 = 200;

/// The channels of one worker that have messages to send.
pub(super) struct Collector {
    /// `None` between bursts.
    channels: Mutex<Option<Vec<Arc<Channel>>>>,
    /// Counts the beginnings and ends of bursts: odd during a burst.
    bursts: AtomicUsize,
    flusher: Arc<FlusherHandle>,
}

impl Collector {
    pub(super) fn new(flusher: &Arc<FlusherHandle>) -> Self {
        let flusher = flusher.clone();
        Collector { channels: Mutex::new(None), bursts: AtomicUsize::new(0), flusher }
    }

    /// Begins a burst.
    pub(super) fn begin(&self) {
        *self.lock() = Some(Vec::new());
        self.bursts.fetch_add(1, SeqCst);
        self.flusher.wake();
    }

    /// Registers `channel` to be flushed at the end of the burst; returns false if there is none.
    pub(super) fn add(&self, channel: &Arc<Channel>) -> bool {
        self.lock().as_mut().map(|channels| channels.push(channel.clone())).is_some()
    }

    /// Sends the messages collected so far.
    pub(super) fn flush(&self) {
        let channels = self.lock().as_mut().map(std::mem::take);
        channels.iter().flatten().for_each(Channel::flush);
    }

    /// Ends the burst, and sends what was collected.
    pub(super) fn end(&self) {
        let channels = self.lock().take();
        channels.iter().flatten().for_each(Channel::flush);
        self.bursts.fetch_add(1, SeqCst);
    }

    fn lock(&self) -> MutexGuard<'_, Option<Vec<Arc<Channel>>>> {
        self.channels.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The workers' side of the flusher.
pub(super) struct FlusherHandle {
    resting: AtomicBool,
    wake: Sender<()>,
}

impl FlusherHandle {
    /// Returns the handle, and what the flusher waits for.
    pub(super) fn new() -> (Arc<Self>, Receiver<()>) {
        let (wake, woken) = bounded(1);
        (Arc::new(FlusherHandle { resting: AtomicBool::new(true), wake }), woken)
    }

    /// Wakes the flusher if it is resting.
    fn wake(&self) {
        if self.resting.load(SeqCst) && self.resting.swap(false, SeqCst) {
            let _ = self.wake.try_send(()); // full: it is waking
        }
    }
}

/// Runs the flusher's thread, until the other side of `done` is dropped.
pub(super) fn run(
    collectors: &[Arc<Collector>],
    handle: &FlusherHandle,
    woken: &Receiver<()>,
    done: &Receiver<()>,
) {
    let bursts = || collectors.iter().map(|c| c.bursts.load(SeqCst)).collect::<Vec<_>>();
    let (mut before, mut quiet) = (bursts(), RESTLESS_TICKS);
    loop {
        let tick = if quiet < RESTLESS_TICKS { after(TICK) } else { never() };
        select! {
            recv(done) -> _ => return,
            recv(woken) -> _ => quiet = 0,
            recv(tick) -> _ => {
                let now = bursts();
                // The same burst: the worker has had a tick to send that itself.
                for (collector, (now, before)) in collectors.iter().zip(now.iter().zip(&before)) {
                    if now == before {
                        collector.flush();
                    }
                }
                // An odd count is a running burst: its callback may take long and send meanwhile.
                let rests = now == before && now.iter().all(|bursts| bursts % 2 == 0);
                quiet = if rests { quiet + 1 } else { 0 };
                before = now;
                if quiet == RESTLESS_TICKS {
                    handle.resting.store(true, SeqCst);
                    if bursts() != before {
                        handle.wake();
                    }
                }
            }
        }
    }
}
