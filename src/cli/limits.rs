//! Limits of the system that end a process which does not look after them.

use super::signals;
use signal_hook::consts::SIGXFSZ;

/// Makes a write fail that would make a file larger than `ulimit -f` allows (EFBIG). Otherwise it ends
/// the process by SIGXFSZ, and with a server all its clients. Programs that this one starts have the
/// signal as it was.
pub(super) fn refuse_large_files() {
    if let Err(e) = signals::survive(SIGXFSZ) {
        log::warn!("a file over the limit of `ulimit -f` will end this process: {e}");
    }
}
