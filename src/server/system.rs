//! What the machine grants: memory, file descriptors, randomness.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::fs;
use std::io;
use std::path::Path;

/// Beside connections: listeners, standard streams, what libraries open.
const OTHER_DESCRIPTORS: u64 = 64;

/// Half of the smaller of the machine's memory and the limit of the process's cgroup, in bytes.
pub fn default_max_memory() -> u64 {
    let info = rustix::system::sysinfo();
    #[allow(clippy::useless_conversion, reason = "32 bits wide on a system of 32 bits")]
    let machine = u64::from(info.totalram) * u64::from(info.mem_unit);
    cgroup_max_memory().unwrap_or(machine).min(machine) / 2
}

/// The least of the limits from the process's cgroup up to the root, of version 2 (`0::PATH`,
/// `memory.max`) or 1 (`N:...,memory,...:PATH`, `memory.limit_in_bytes`); see cgroups(7).
fn cgroup_max_memory() -> Option<u64> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    let limits = groups.lines().filter_map(|line| {
        let mut parts = line.splitn(3, ':').skip(1);
        let (controllers, path) = (parts.next()?, parts.next()?.trim_start_matches('/'));
        let (root, file) = match controllers {
            "" => ("/sys/fs/cgroup", "memory.max"),
            c if c.split(',').any(|c| c == "memory") => {
                ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")
            }
            _ => return None,
        };
        let ancestors = Path::new(path).ancestors();
        ancestors.filter_map(|a| read_number(&Path::new(root).join(a).join(file))).min()
    });
    limits.min()
}

fn read_number(path: &Path) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok() // "max" is no number and no limit
}

/// Raises the soft limit of open files to what so many connections need, as far as the hard limit
/// allows; says so in the log where it does not suffice.
pub(super) fn make_room_for(connections: usize) {
    let needed = connections as u64 + OTHER_DESCRIPTORS;
    let limit = getrlimit(Resource::Nofile);
    let enough = |limit: Option<u64>| limit.is_none_or(|limit| limit >= needed);
    if !enough(limit.current) {
        let current = limit.maximum.map_or(needed, |hard| needed.min(hard));
        let raised = setrlimit(Resource::Nofile, Rlimit { current: Some(current), ..limit });
        if raised.is_err() || current < needed {
            log::warn!("only {current} files may be open, for {connections} connections");
        }
    }
    // Stack and alternate signal stack, each with a guard page: mmap(2), sigaltstack(2).
    const MAPS_PER_THREAD: u64 = 4;
    if let Some(maps) = read_number(Path::new("/proc/sys/vm/max_map_count"))
        && maps / MAPS_PER_THREAD < needed
    {
        let threads = maps / MAPS_PER_THREAD;
        log::warn!(
            "vm.max_map_count {maps} allows about {threads} threads, for {connections} connections"
        );
    }
}

/// A number that no other table will have, from the system's randomness.
pub(super) fn draw_epoch() -> io::Result<u64> {
    let mut bytes = [0; 8];
    let filled = rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty())?;
    debug_assert_eq!(filled, bytes.len()); // getrandom(2): up to 256 bytes come whole
    Ok(u64::from_ne_bytes(bytes))
}
