//! Sockets that a service manager listens on for this process: sd_listen_fds(3).

use crate::cli::failure::Failure;
use crate::net::Listener;
use listenfd::ListenFd;
use std::env;
use std::io::{self, ErrorKind};
use std::process;

/// The descriptor of the first socket.
const FIRST: usize = 3;

/// The most sockets.
const MAX: usize = 1000;

/// Returns the sockets that this process has inherited, if LISTEN_PID says that they are for it. To
/// be called before anything else opens a descriptor, which could be taken for one of them.
///
/// # Errors
/// The environment promises what is not there.
pub(super) fn listeners() -> Result<Vec<Listener>, Failure> {
    let variable = |name: &str| env::var(name).unwrap_or_default();
    if variable("LISTEN_PID").parse() != Ok(process::id()) {
        return Ok(Vec::new());
    }
    // listenfd adds to it without a check. systemd does not know it.
    if !variable("LISTEN_FDS_FIRST_FD").is_empty() {
        let why = format!("LISTEN_FDS_FIRST_FD: the first socket is always descriptor {FIRST}");
        return Err(Failure::failed(why));
    }
    let text = variable("LISTEN_FDS");
    let count: usize = text.parse().ok().filter(|count| *count <= MAX).ok_or_else(|| {
        Failure::failed(format!("LISTEN_FDS={text}: not a number of sockets, at most {MAX}"))
    })?;
    let mut inherited = ListenFd::from_env();
    let listeners = (0..count).map(|at| {
        let fd = FIRST + at;
        take(&mut inherited, at).map_err(|e| Failure::failed(format!("descriptor {fd}: {e}")))
    });
    listeners.collect()
}

fn take(inherited: &mut ListenFd, at: usize) -> io::Result<Listener> {
    let neither = || io::Error::new(ErrorKind::InvalidInput, "neither a TCP nor a Unix socket");
    // An error of the first is that it is another socket.
    if let Ok(Some(listener)) = inherited.take_tcp_listener(at) {
        return Listener::from_tcp(listener);
    }
    match inherited.take_unix_listener(at) {
        Ok(Some(listener)) => Listener::from_unix(listener),
        _ => Err(neither()),
    }
}
