//! `telefile::Server` in this process, and clients that know it by its sockets.

mod buffers;
mod client;
mod concurrency;
pub(crate) mod cost;
mod counters;
mod ephemeral;
mod fatal;
#[cfg(all(feature = "etcd", feature = "cli"))]
mod in_etcd;
mod limits;
mod list;
mod memory;
mod metrics;
mod mirror;
mod shutdown;
mod soak;
#[cfg(all(feature = "etcd", feature = "cli"))]
mod standby;
mod tables;
mod time_outs;
mod token;
mod waits;
mod watch;

pub(crate) use client::Client;
pub(crate) use tables::Tables;

use crate::pace::Pace;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};
use tables::Started;
use telefile::net::Address;
use telefile::server::{Builder, Handle};

/// How long anything may take that is waited for, on a machine that is busy.
pub(crate) const PATIENCE: Duration = Duration::from_secs(300);

/// `Server::run` returns within 1.5 s after a stop; the rest is for the work, and [`Pace`] takes off
/// what a busy machine adds.
pub(crate) const STOP_TIME: Duration = Duration::from_millis(1900);

/// A server on a thread of its own: on a TCP port and on a Unix socket. Stopped when dropped.
pub(crate) struct Running {
    tcp: Address,
    unix: Address,
    handle: Handle,
    /// `None` once it is stopped.
    started: Option<Started>,
    _folder: Folder,
}

impl Running {
    pub(crate) fn start(builder: Builder) -> Running {
        Running::start_in(Folder::new(), Tables::asked(), builder)
    }

    /// Starts one with a folder that is its own, and a table of this kind.
    pub(crate) fn start_in(folder: Folder, tables: Tables, builder: Builder) -> Running {
        let unix = Address::Unix(folder.path().join("socket"));
        let listen = ["127.0.0.1:0".parse().unwrap(), unix.clone()];
        let started = tables.start(builder, listen, folder.path());
        let server = started.server();
        let (tcp, handle) = (server.addresses()[0].clone(), server.handle());
        Running { tcp, unix, handle, started: Some(started), _folder: folder }
    }

    /// One address of each kind.
    pub(crate) fn addresses(&self) -> [&Address; 2] {
        [&self.tcp, &self.unix]
    }

    /// A client over TCP.
    pub(crate) fn client(&self) -> Client {
        Client::connect(&self.tcp)
    }

    /// Stops the server; how long that took.
    pub(crate) fn stop(&mut self) -> Duration {
        let pace = Pace::start();
        self.handle.stop();
        if let Some(started) = self.started.take() {
            started.stop();
        }
        pace.took()
    }
}

/// Returns whether changes are committed to a store before anyone sees them.
pub(crate) fn kept() -> bool {
    Tables::asked() != Tables::Memory
}

/// Returns the size of a file, and how often a client reads it to receive this many bytes: more than
/// sockets hold, where they are many.
pub(crate) fn portions(numbytes: usize) -> (usize, usize) {
    let size = numbytes.min(Tables::asked().max_contents());
    (size, numbytes.div_ceil(size))
}

/// Returns how often to repeat what a test repeats very often: in etcd each turn waits for
/// a transaction.
pub(crate) fn turns(often: usize) -> usize {
    if Tables::asked().are_in_etcd() { often / 10 } else { often }
}

/// How much memory contents take that are written: large ones none, if they are in a store.
pub(crate) fn in_memory(numbytes: usize) -> u64 {
    const STORED_FROM: usize = 4096;
    if kept() && numbytes >= STORED_FROM { 0 } else { cost::contents(numbytes) }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !thread::panicking() {
            self.stop();
        }
    }
}

/// A new empty folder, removed on drop.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Folder {
        Folder::new_in(&std::env::temp_dir())
    }

    pub(crate) fn new_in(parent: &Path) -> Folder {
        static LAST: AtomicU32 = AtomicU32::new(0);
        let name = format!("telefile-it-{}-{}", std::process::id(), LAST.fetch_add(1, Relaxed));
        let path = parent.join(name);
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir(&path).unwrap();
        Folder(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Waits until `seen`; panics with `what` if that takes longer than everything may.
#[track_caller]
pub(crate) fn eventually(what: &str, seen: impl FnMut() -> bool) {
    eventually_within(PATIENCE, what, seen);
}

#[track_caller]
pub(crate) fn eventually_within(time: Duration, what: &str, mut seen: impl FnMut() -> bool) {
    let deadline = Instant::now() + time;
    while !seen() {
        assert!(Instant::now() < deadline, "not within {time:?}: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}
