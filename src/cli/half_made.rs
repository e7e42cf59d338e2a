//! What `telefile backup` and `telefile restore` leave when a signal ends them: nothing.

use super::signals;
use crate::store::remove_half_made;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use std::process;

/// Makes SIGINT, SIGTERM and SIGHUP leave nothing half-made behind. What a signal that cannot be
/// handled leaves is removed by the next backup to this file or restore into this folder.
pub(super) fn remove_half_made_on_signals() {
    let _ = signals::each(&[SIGHUP, SIGINT, SIGTERM], |_| {
        remove_half_made();
        process::exit(130); // 128 + SIGINT, as a shell shows it
    });
}
