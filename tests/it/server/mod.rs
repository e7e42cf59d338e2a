//! `telefile::Server` in this process, and clients that know it by its sockets.

mod buffers;
mod client;
mod concurrency;
pub(crate) mod cost;
mod counters;
mod ephemeral;
mod fatal;
mod limits;
mod list;
mod memory;
mod metrics;
mod mirror;
mod shutdown;
mod soak;
mod time_outs;
mod token;
mod waits;
mod watch;

pub(crate) use client::Client;

use crate::pace::Pace;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};
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
    running: Option<telefile::server::Running>,
    _folder: Folder,
}

impl Running {
    pub(crate) fn start(builder: Builder) -> Running {
        let folder = Folder::new();
        let unix = Address::Unix(folder.path().join("socket"));
        let builder = builder.listen("127.0.0.1:0".parse().unwrap()).listen(unix.clone());
        let builder = kept_if_asked(builder, &folder.path().join("data"));
        let running = builder.bind().unwrap().spawn().unwrap();
        let tcp = running.addresses()[0].clone();
        Running { tcp, unix, handle: running.handle(), running: Some(running), _folder: folder }
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
        if let Some(running) = self.running.take() {
            running.stop().expect("the server ends well");
        }
        pace.took()
    }
}

/// With TELEFILE_TEST_KEPT=1 the servers of all tests keep their tables on disk, so that the suite
/// is run against both kinds.
pub(crate) fn kept() -> bool {
    std::env::var("TELEFILE_TEST_KEPT").is_ok_and(|kept| kept == "1")
}

pub(crate) fn kept_if_asked(builder: Builder, folder: &Path) -> Builder {
    if kept() { kept_in(builder, folder) } else { builder }
}

#[cfg(feature = "durable")]
pub(crate) fn kept_in(builder: Builder, folder: &Path) -> Builder {
    builder.data(folder.to_path_buf())
}

#[cfg(not(feature = "durable"))]
pub(crate) fn kept_in(_: Builder, _: &Path) -> Builder {
    panic!("this build has no tables on disk")
}

/// How much memory contents take that are written: large ones none in a table on disk.
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
