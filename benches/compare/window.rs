//! The measured time of a run, the same for all its clients, and how much other programs used the
//! machine meanwhile.

use crate::machine::Usage;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

const WARM_UP: Duration = Duration::from_millis(300);

const WARMING_UP: u8 = 0;
const MEASURING: u8 = 1;
const OVER: u8 = 2;

/// The phase of a run.
pub(crate) struct Phase(AtomicU8);

impl Phase {
    pub(crate) fn new() -> Self {
        Phase(AtomicU8::new(WARMING_UP))
    }

    pub(crate) fn is_measuring(&self) -> bool {
        self.0.load(Relaxed) == MEASURING
    }

    pub(crate) fn is_over(&self) -> bool {
        self.0.load(Relaxed) == OVER
    }

    /// Sleeps until the run is over. `time` of it is measured; `server` is the server's process id.
    pub(crate) fn pass(&self, time: Duration, server: u32) -> Window {
        thread::sleep(WARM_UP);
        let before = Usage::now(server);
        let start = Instant::now();
        self.0.store(MEASURING, Relaxed);
        thread::sleep(time);
        self.0.store(OVER, Relaxed);
        let seconds = start.elapsed().as_secs_f64();
        let usage = Usage::now(server).since(&before);
        Window {
            seconds,
            foreign_cpus: usage.foreign / seconds,
            stolen_cpus: usage.stolen / seconds,
        }
    }
}

/// The measured part of a run.
#[derive(Clone, Copy, Default)]
pub(crate) struct Window {
    pub(crate) seconds: f64,
    /// Processors that other programs used.
    pub(crate) foreign_cpus: f64,
    /// Processors that the hypervisor gave to others.
    pub(crate) stolen_cpus: f64,
}

impl Window {
    /// Returns whether other programs used too much processor time for a fair sample.
    pub(crate) fn is_disturbed(&self) -> bool {
        self.foreign_cpus >= 0.2 || self.stolen_cpus >= 0.25
    }
}

/// Parses the time to measure.
pub(crate) fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().filter(|s| *s > 0.0);
    let time = seconds.and_then(|s| Duration::try_from_secs_f64(s).ok());
    time.ok_or_else(|| "not a number of seconds above 0".to_string())
}
