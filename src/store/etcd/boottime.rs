//! The clock by which a server knows that its lease may have ended.

use rustix::time::{ClockId, clock_gettime};
use std::time::Duration;

/// Counts while the machine is suspended: meanwhile another server may have become active.
#[cfg(target_os = "linux")]
const CLOCK: ClockId = ClockId::Boottime;
#[cfg(not(target_os = "linux"))]
const CLOCK: ClockId = ClockId::Monotonic;

/// Returns the time since the machine was started, or since some other moment before now.
pub(super) fn now() -> Duration {
    let time = clock_gettime(CLOCK);
    let nanos = u32::try_from(time.tv_nsec).unwrap_or(0);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), nanos)
}
