//! A command as the first process of a container.

use super::{Failure, Outcome};
use nix::sys::signal::{SigSet, Signal};
use std::process;
use std::thread;

/// Has the signals that end a program end this one, also as process 1.
///
/// The kernel drops a signal to the init process of a PID namespace unless that does something
/// about it (pid_namespaces(7)), so `docker stop` of a waiting command took its ten seconds, and
/// its files stayed open for them. To any other process the system does what is right.
pub(super) fn end_on_signals() -> Outcome {
    if process::id() != 1 {
        return Ok(());
    }
    let signals = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT];
    let signals: SigSet = signals.into_iter().collect();
    // Before there is a thread, for each inherits it.
    signals.thread_block().map_err(Failure::failed)?;
    let started = thread::Builder::new().spawn(move || {
        if let Ok(signal) = signals.wait() {
            process::exit(128 + signal as i32); // as a shell shows it
        }
    });
    started.map(drop).map_err(Failure::failed)
}
