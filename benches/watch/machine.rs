//! The processor time of the server, and on which processors it runs: proc(5).

use rustix::process::Pid;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use std::fs;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// Returns the processor time of all current threads of a process. It is finer than the ticks in
/// `stat`.
pub(crate) fn processor_time(pid: u32) -> io::Result<Duration> {
    let mut total = 0;
    for thread in threads(pid)? {
        // A thread that has ended meanwhile had nothing to do.
        let used = fs::read_to_string(thread.join("schedstat")).unwrap_or_default();
        total += used.split(' ').next().and_then(|ns| ns.parse::<u64>().ok()).unwrap_or(0);
    }
    Ok(Duration::from_nanos(total))
}

fn threads(pid: u32) -> io::Result<impl Iterator<Item = PathBuf>> {
    Ok(fs::read_dir(format!("/proc/{pid}/task"))?.flatten().map(|thread| thread.path()))
}

/// Keeps this thread, the server, and what they start on one processor until it is dropped.
/// Otherwise a p50 depends on the processors that the scheduler chooses: 13 us or 50.
pub(crate) struct Pinned {
    allowed: CpuSet,
    pid: u32,
}

impl Pinned {
    pub(crate) fn with(pid: u32) -> io::Result<Self> {
        let allowed = sched_getaffinity(None)?;
        let first = (0..CpuSet::MAX_CPU).find(|cpu| allowed.is_set(*cpu));
        let mut one = CpuSet::new();
        one.set(first.ok_or_else(|| io::Error::other("no processor to run on"))?);
        let pinned = Pinned { allowed, pid };
        pinned.pin(&one)?;
        Ok(pinned)
    }

    fn pin(&self, to: &CpuSet) -> io::Result<()> {
        sched_setaffinity(None, to)?;
        for thread in threads(self.pid)? {
            let id = thread.file_name().and_then(|id| id.to_str()?.parse().ok());
            if let Some(id) = id.and_then(Pid::from_raw) {
                let _ = sched_setaffinity(Some(id), to); // it may have ended
            }
        }
        Ok(())
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        let _ = self.pin(&self.allowed); // it was allowed before
    }
}
