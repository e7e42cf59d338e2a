//! The machine's resources: memory, file descriptors, threads.

use super::SPARE_SLOTS;
use crate::files::TEXT_FILE_DESCRIPTORS;
use crate::net::MAX_LINGERING;
use crate::waker::Waker;
use rustix::process::{Resource, Rlimit, geteuid, getrlimit, setrlimit};
use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;

/// Clients without a slot that still have a descriptor and a thread: those that are refused, and
/// those that are being disconnected.
const LINGERING: u64 = (SPARE_SLOTS + MAX_LINGERING) as u64;

/// Descriptors beside those of clients, listeners and text files: standard streams, the store, one
/// just accepted, those that libraries open.
const OTHER_DESCRIPTORS: u64 = 16;

/// A connection, and its waker while it waits.
const DESCRIPTORS_PER_CONNECTION: u64 = 1 + Waker::DESCRIPTORS;

/// A thread's stack and alternate signal stack, each with a guard page: mmap(2), sigaltstack(2).
const MAPS_PER_THREAD: u64 = 4;

/// What the program, its allocator and large files may use beside the threads.
const OTHER_MAPS: u64 = 2000;

/// Threads beside those of clients and listeners: those of the table, the signals, the log.
const OTHER_THREADS: u64 = 8;

/// The memory of a connection: 38 KB while it is idle, 26 of them the kernel's for its thread and
/// its socket (measured as the growth of a cgroup with 1000 of them), and small buffers. Larger
/// buffers are taken from the budget.
const CONNECTION_BYTES: u64 = 64 << 10;

/// The resources that a server wants.
pub(super) struct Wanted {
    pub(super) connections: usize,
    pub(super) listeners: usize,
    /// Address space of each thread.
    pub(super) stack_bytes: usize,
    /// The memory of all files; `None` for the default.
    pub(super) max_memory: Option<u64>,
}

/// Returns half of the memory that the process may use, in bytes: the least of the machine's, its
/// cgroup's limit and its resource limits. A quarter is for connections, and the rest for the
/// program, a growing table, and what the allocator cannot use.
pub fn default_max_memory() -> u64 {
    memory().min(address_space()) / 2
}

/// Returns the smaller of the machine's memory and the limit of the process's cgroup.
fn memory() -> u64 {
    let info = rustix::system::sysinfo();
    #[allow(clippy::useless_conversion, reason = "32 bits wide on a system of 32 bits")]
    let machine = u64::from(info.totalram) * u64::from(info.mem_unit);
    cgroup_least("memory", ["memory.max", "memory.limit_in_bytes"]).unwrap_or(machine).min(machine)
}

/// Returns the limits of address space and of writable mappings (`ulimit -v`, `ulimit -d`), less
/// what the allocator reserves of the first.
fn address_space() -> u64 {
    let limit = |resource| getrlimit(resource).current;
    let all = limit(Resource::As).map(|all| all.saturating_sub(arenas_bytes()));
    all.unwrap_or(u64::MAX).min(limit(Resource::Data).unwrap_or(u64::MAX))
}

/// Returns what glibc reserves of the address space, used or not: 64 MiB for each arena, with eight
/// arenas for each processor, or MALLOC_ARENA_MAX; see mallopt(3).
fn arenas_bytes() -> u64 {
    const ARENA_BYTES: u64 = 64 << 20;
    if cfg!(not(target_env = "gnu")) {
        return 0;
    }
    let set = std::env::var("MALLOC_ARENA_MAX").ok().and_then(|max| max.parse().ok());
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    ARENA_BYTES.saturating_mul(set.filter(|max| *max > 0).unwrap_or(8 * processors as u64))
}

/// Returns the least number in a file of the process's cgroups, from its own up to the root, of
/// version 2 (`0::PATH`) or version 1 (`N:...,CONTROLLER,...:PATH`); see cgroups(7).
fn cgroup_least(controller: &str, [file_2, file_1]: [&str; 2]) -> Option<u64> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    let limits = groups.lines().filter_map(|line| {
        let mut parts = line.splitn(3, ':').skip(1);
        let (controllers, path) = (parts.next()?, parts.next()?.trim_start_matches('/'));
        let (root, file) = match controllers {
            "" => ("/sys/fs/cgroup".to_string(), file_2),
            c if c.split(',').any(|c| c == controller) => {
                (format!("/sys/fs/cgroup/{controller}"), file_1)
            }
            _ => return None,
        };
        let ancestors = Path::new(path).ancestors();
        ancestors.filter_map(|a| read_number(&Path::new(&root).join(a).join(file))).min()
    });
    limits.min()
}

fn read_number(path: &Path) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok() // "max" is no number and no limit
}

/// Returns how many connections the system supports, at most those that are wanted and at least
/// one.
///
/// Raises the soft limit of open files as far as the hard limit allows. Counts all that a
/// connection may need from the start: it is better to refuse a client at once than in the middle of
/// its work, and a thread that cannot have its memory maps ends the whole process, as does an
/// allocation without address space.
///
/// # Errors
/// [`ErrorKind::OutOfMemory`] if there is too little address space for anything.
pub(super) fn make_room(wanted: &Wanted) -> io::Result<usize> {
    const LEAST_BYTES: u64 = 32 << 20;
    if address_space() < LEAST_BYTES {
        let arenas = arenas_bytes();
        let why = format!(
            "`ulimit -v` or `-d` leaves less than {LEAST_BYTES} bytes beside the {arenas} that the \
             allocator may reserve: raise it, or set MALLOC_ARENA_MAX=1"
        );
        return Err(io::Error::new(ErrorKind::OutOfMemory, why));
    }
    let connections = wanted.connections as u64;
    let supported = limits(wanted).into_iter().min_by_key(|(supported, _)| *supported);
    match supported {
        Some((supported, why)) if supported < connections => {
            let supported = supported.max(1);
            log::warn!("{why}: that is enough for {supported} connections, not for {connections}");
            Ok(usize::try_from(supported).unwrap_or(wanted.connections))
        }
        _ => Ok(wanted.connections),
    }
}

/// Returns for each limit how many connections it allows, and a description.
fn limits(wanted: &Wanted) -> Vec<(u64, String)> {
    let listeners = wanted.listeners as u64;
    let fixed = TEXT_FILE_DESCRIPTORS + LINGERING + listeners + OTHER_DESCRIPTORS;
    let files = raise_open_files(
        (wanted.connections as u64)
            .saturating_mul(DESCRIPTORS_PER_CONNECTION)
            .saturating_add(fixed),
    );
    let mut limits = vec![(
        files.saturating_sub(fixed) / DESCRIPTORS_PER_CONNECTION,
        format!("only {files} files may be open"),
    )];
    if let Some(maps) = read_number(Path::new("/proc/sys/vm/max_map_count")) {
        let supported = maps.saturating_sub(OTHER_MAPS) / MAPS_PER_THREAD;
        limits.push((supported, format!("vm.max_map_count is {maps}")));
    }
    // It does not bind the superuser: setrlimit(2).
    let processes = (!geteuid().is_root()).then(|| getrlimit(Resource::Nproc).current).flatten();
    let threads = [
        (processes, "ulimit -u"),
        (cgroup_least("pids", ["pids.max"; 2]), "pids.max of the cgroup"),
    ];
    for (max, name) in threads {
        let Some(max) = max else { continue };
        let supported = max.saturating_sub(OTHER_THREADS + LINGERING + listeners);
        limits.push((supported, format!("{name} is {max}")));
    }
    let stack = wanted.stack_bytes as u64;
    let memory = [
        (memory(), CONNECTION_BYTES, "the machine or its cgroup"),
        (address_space(), CONNECTION_BYTES + stack, "what `ulimit -v` or `-d` leaves"),
    ];
    for (max, each, name) in memory {
        // A quarter, or half of what the files leave if that is more.
        let left = wanted.max_memory.map_or(0, |files| max.saturating_sub(files) / 2);
        let supported = (max / 4).max(left) / each;
        limits.push((supported, format!("{name} has {max} bytes")));
    }
    limits
}

/// Raises the soft limit of open files to what is needed, as far as the hard limit allows. Returns
/// how many files may then be open.
fn raise_open_files(needed: u64) -> u64 {
    let limit = getrlimit(Resource::Nofile);
    match limit.current {
        Some(current) if current < needed => {
            let raised = limit.maximum.map_or(needed, |hard| needed.min(hard));
            let set = setrlimit(Resource::Nofile, Rlimit { current: Some(raised), ..limit });
            if set.is_ok() { raised } else { current }
        }
        current => current.unwrap_or(u64::MAX),
    }
}

/// Returns how large a file may become (`ulimit -f`), in bytes.
#[cfg(feature = "durable")]
pub(super) fn max_file_size() -> Option<u64> {
    getrlimit(Resource::Fsize).current
}
