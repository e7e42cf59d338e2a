//! Limits of the system that end a process which does not handle them.

use super::signals;
use signal_hook::consts::SIGXFSZ;

/// Makes a write fail that would make a file larger than `ulimit -f` allows (EFBIG). Otherwise
/// SIGXFSZ ends the process, and a server takes all its clients with it. Programs that this one
/// starts get the signal unchanged.
pub(super) fn refuse_large_files() {
    if let Err(e) = signals::survive(SIGXFSZ) {
        log::warn!("a file over the limit of `ulimit -f` will end this process: {e}");
    }
}
