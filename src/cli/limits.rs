//! Limits of the system that end a process which does not look after them.

use nix::sys::signal::{SigSet, Signal};

/// Makes a write fail that would make a file larger than `ulimit -f` allows (EFBIG). Otherwise it ends
/// the process by SIGXFSZ, and with a server all its clients.
///
/// The signal is blocked in this thread and in those that it starts from now on, and so in programs
/// that they start without a mask of their own.
pub(super) fn refuse_large_files() {
    // Fails for a bad argument alone: sigprocmask(2).
    let _ = SigSet::from(Signal::SIGXFSZ).thread_block();
}
