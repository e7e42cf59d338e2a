//! The state of the machine and of a process (proc(5)), and the limits of this process.

use rustix::param::clock_ticks_per_second;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use std::fs;
use std::io;
use std::thread;
use std::time::{Duration, Instant};

/// Processor time in seconds: since the start, or between two readings.
pub(crate) struct Usage {
    /// Of the machine, without that of this process and of the server.
    pub(crate) foreign: f64,
    /// Stolen by the hypervisor.
    pub(crate) stolen: f64,
}

impl Usage {
    /// Returns the times since the start. `server` is a process id, perhaps of this process.
    pub(crate) fn now(server: u32) -> Self {
        let server = match server == std::process::id() {
            true => 0.0,
            false => of_process(&server.to_string()),
        };
        let own = of_process("self") + server;
        Usage { foreign: busy() - own, stolen: of_machine()[7] }
    }

    pub(crate) fn since(&self, before: &Usage) -> Self {
        Usage { foreign: self.foreign - before.foreign, stolen: self.stolen - before.stolen }
    }
}

fn seconds(ticks: &str) -> f64 {
    ticks.parse().map_or(0.0, |ticks: f64| ticks / clock_ticks_per_second() as f64)
}

/// user, nice, system, idle, iowait, irq, softirq, steal.
fn of_machine() -> [f64; 8] {
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    let mut fields = stat.split_ascii_whitespace().skip(1); // "cpu"
    std::array::from_fn(|_| fields.next().map_or(0.0, seconds))
}

fn busy() -> f64 {
    let [user, nice, system, _idle, _iowait, irq, softirq, _steal] = of_machine();
    user + nice + system + irq + softirq
}

fn of_process(pid: &str) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // Field 3 follows the name, which may contain anything; user and system time are 14 and 15.
    let fields = stat.rsplit(')').next().unwrap_or_default();
    fields.split_ascii_whitespace().skip(11).take(2).map(seconds).sum()
}

/// Returns the resident memory of a process, in bytes.
pub(crate) fn resident_bytes(pid: u32) -> io::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let field = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = field.and_then(|f| f.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kib.map(|kib| kib << 10).ok_or_else(|| io::Error::other("no VmRSS in /proc"))
}

/// Waits until the machine is idle, for a limited time.
pub(crate) fn wait_until_quiet() {
    const MAX_WAIT: Duration = Duration::from_secs(15);
    const LOOK: Duration = Duration::from_millis(300);
    const QUIET_SECONDS: f64 = 0.04; // of processor time between two readings
    let deadline = Instant::now() + MAX_WAIT;
    loop {
        let before = busy();
        thread::sleep(LOOK);
        if busy() - before <= QUIET_SECONDS || Instant::now() > deadline {
            return;
        }
    }
}

/// Raises the soft limit of open files to the hard one, and returns it. The servers inherit it.
pub(crate) fn raise_open_files() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, ..limit };
    let now = if setrlimit(Resource::Nofile, raised).is_ok() { raised } else { limit };
    now.current.unwrap_or(u64::MAX)
}

/// Keeps this thread, and all threads and processes that it starts, on one processor until it is
/// dropped.
pub(crate) struct Pinned(CpuSet);

impl Pinned {
    pub(crate) fn to_one_processor() -> io::Result<Self> {
        let allowed = sched_getaffinity(None)?;
        let mut one = CpuSet::new();
        let first = (0..CpuSet::MAX_CPU).find(|cpu| allowed.is_set(*cpu));
        one.set(first.ok_or_else(|| io::Error::other("no processor to run on"))?);
        sched_setaffinity(None, &one)?;
        Ok(Pinned(allowed))
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        let _ = sched_setaffinity(None, &self.0); // it was allowed before
    }
}
