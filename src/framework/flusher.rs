//! Ensures that messages go out while a callback takes long. A worker sends what it has collected
//! when it has nothing else to do, or every millisecond, but only between callbacks.

use super::worker::Worker;
use crossbeam_channel::{Receiver, Sender, after, bounded, never, select};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;

/// What was collected in one tick goes out at the end of the next.
const TICK: Duration = Duration::from_millis(5);

/// The flusher rests after this many ticks without work, until a worker wakes it.
const RESTLESS_TICKS: u32 = 200;

/// The workers' side of the flusher.
pub(super) struct FlusherHandle {
    resting: AtomicBool,
    ring: Sender<()>,
}

impl FlusherHandle {
    pub(super) fn new() -> (Arc<Self>, Receiver<()>) {
        let (ring, rung) = bounded(1);
        (Arc::new(FlusherHandle { resting: AtomicBool::new(true), ring }), rung)
    }

    /// Wakes the flusher if it is resting.
    pub(super) fn ring(&self) {
        if self.resting.load(SeqCst) && self.resting.swap(false, SeqCst) {
            let _ = self.ring.try_send(()); // full: it is waking
        }
    }
}

/// Runs the flusher's thread, until the other side of `done` is dropped.
pub(super) fn run(
    workers: &[Arc<Worker>],
    bell: &FlusherHandle,
    rung: &Receiver<()>,
    done: &Receiver<()>,
) {
    let bursts = || workers.iter().map(|worker| worker.burst_count()).collect::<Vec<_>>();
    let (mut before, mut quiet) = (bursts(), RESTLESS_TICKS);
    loop {
        let tick = if quiet < RESTLESS_TICKS { after(TICK) } else { never() };
        select! {
            recv(done) -> _ => return,
            recv(rung) -> _ => quiet = 0,
            recv(tick) -> _ => {
                let now = bursts();
                // The same burst: the worker has had a tick to send that itself.
                for (worker, (now, before)) in workers.iter().zip(now.iter().zip(&before)) {
                    if now == before {
                        worker.flush();
                    }
                }
                // An odd count is a running burst: its callback may take long and send meanwhile.
                let rests = now == before && now.iter().all(|burst| burst % 2 == 0);
                quiet = if rests { quiet + 1 } else { 0 };
                before = now;
                if quiet == RESTLESS_TICKS {
                    bell.resting.store(true, SeqCst);
                    if bursts() != before {
                        bell.ring();
                    }
                }
            }
        }
    }
}
