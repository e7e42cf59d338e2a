//! What the machine grants: memory, file descriptors, randomness.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::fs;
use std::io::{self, Read};
use std::path::Path;

/// Beside connections: listeners, standard streams, what libraries open.
const OTHER_DESCRIPTORS: u64 = 64;

/// A thread's stack and alternate signal stack, each with a guard page: mmap(2), sigaltstack(2).
const MAPS_PER_THREAD: u64 = 4;

/// What the program, its allocator and large files may have beside the threads.
const OTHER_MAPS: u64 = 2000;

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

/// Makes room for so many connections, and tells how many the system carries.
///
/// Raises the soft limit of open files as far as the hard limit allows; where that is too little,
/// no more connections are let in than can be open. A thread that cannot have
/// its memory maps ends the whole process, so their limit is kept from the start.
pub(super) fn make_room_for(connections: usize) -> usize {
    let needed = (connections as u64).saturating_add(OTHER_DESCRIPTORS);
    // A connection that watches has another one to be woken by, or shares it.
    let wanted = needed.saturating_add(connections as u64);
    let limit = getrlimit(Resource::Nofile);
    let mut connections = connections;
    if limit.current.is_some_and(|limit| limit < wanted) {
        let current = limit.maximum.map_or(wanted, |hard| wanted.min(hard));
        let raised = setrlimit(Resource::Nofile, Rlimit { current: Some(current), ..limit });
        if raised.is_err() || current < needed {
            log::warn!("only {current} files may be open, for {connections} connections");
            // Better told that there is no room than left in the kernel's queue.
            let files = usize::try_from(current.saturating_sub(OTHER_DESCRIPTORS));
            let carried = files.unwrap_or(usize::MAX);
            connections = if carried > 0 { connections.min(carried) } else { connections };
        }
    }
    let maps = read_number(Path::new("/proc/sys/vm/max_map_count")).unwrap_or(u64::MAX);
    let threads = usize::try_from(maps.saturating_sub(OTHER_MAPS) / MAPS_PER_THREAD);
    let carried = connections.min(threads.unwrap_or(usize::MAX));
    if carried < connections {
        log::warn!("vm.max_map_count {maps} carries {carried} connections, not {connections}");
    }
    carried
}

/// A number that no other table will have, from the system's randomness.
pub(crate) fn draw_epoch() -> io::Result<u64> {
    const DEVICE: &str = "/dev/urandom";
    let mut bytes = [0; 8];
    match rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty()) {
        Ok(filled) => debug_assert_eq!(filled, bytes.len()), // up to 256 bytes come whole
        // A system or a container that does not know the call has the device.
        Err(_) => {
            let read = fs::File::open(DEVICE).and_then(|mut file| file.read_exact(&mut bytes));
            read.map_err(|e| io::Error::new(e.kind(), format!("{DEVICE}: {e}")))?;
        }
    }
    Ok(u64::from_ne_bytes(bytes))
}
