//! Signals, for every command: signals ignored at the start of the process stay ignored, those
//! blocked at its start still reach the thread that waits for them, and the first process of a
//! container ends like any other.

use nix::sys::signal::{SigSet, Signal};
use rustix::process::{WaitOptions, wait};
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::flag;
use signal_hook::iterator::Signals;
use std::fs;
use std::io;
use std::iter;
use std::process;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// How long signals count as one intention.
///
/// timeout(1) signals its child and then the child's group, systemd signals every process of a unit
/// and may add a SIGHUP, and a closed terminal makes both the kernel and the shell send SIGHUP.
/// Those are microseconds apart, or a few tens of milliseconds on a busy machine. People who press
/// a key twice mean it twice, and take longer.
pub(super) const INTENTION: Duration = Duration::from_millis(200);

/// The usual signals, and whether each ends the first process of a container, until [`each`] takes
/// it.
static ENDS: [(i32, AtomicBool); 4] = [
    (SIGHUP, AtomicBool::new(true)),
    (SIGINT, AtomicBool::new(true)),
    (SIGQUIT, AtomicBool::new(true)),
    (SIGTERM, AtomicBool::new(true)),
];

/// Starts a thread that calls `take` with each of `signals` that arrives from now on, except those
/// that were ignored when this process started: nohup(1) ignores SIGHUP, and a script's shell
/// ignores SIGINT for its background jobs.
///
/// # Errors
/// The thread cannot be started, or a handler is refused. Each signal then acts as before.
pub(super) fn each(signals: &[i32], take: impl FnMut(i32) + Send + 'static) -> io::Result<()> {
    let ignored = ignored();
    let signals = signals.iter().copied().filter(|signal| !is_in(ignored, *signal));
    let signals: Vec<_> = signals.collect();
    let blocked = signals.iter().filter_map(|signal| Signal::try_from(*signal).ok());
    let blocked = SigSet::from_iter(blocked);
    let (hand_over, handled) = mpsc::channel::<Signals>();
    let thread = thread::Builder::new().name("signals".to_string());
    thread.spawn(move || {
        let Ok(mut coming) = handled.recv() else { return };
        // Only in this thread: a program started by another thread inherits the blocked signals.
        let _ = blocked.thread_unblock();
        coming.forever().for_each(take);
    })?;
    let coming = Signals::new(&signals)?;
    let taken = ENDS.iter().filter(|(signal, _)| signals.contains(signal));
    taken.for_each(|(_, ends)| ends.store(false, SeqCst));
    let _ = hand_over.send(coming); // the thread waits for it
    Ok(())
}

/// Returns the signals that were ignored when this process started, bit n - 1 for signal n. Unknown
/// outside Linux: none.
fn ignored() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}

/// Returns whether this process has a controlling terminal: its end is then a SIGHUP. To be asked
/// before that comes, because a terminal that is closed cannot be opened.
pub(super) fn has_terminal() -> bool {
    fs::File::open("/dev/tty").is_ok()
}

fn is_in(mask: u64, signal: i32) -> bool {
    mask >> (signal - 1) & 1 == 1
}

/// Makes the usual signals end this process if it is the first one of a container: the kernel drops
/// every signal without a handler for it (pid_namespaces(7)).
pub(super) fn end_first_process() {
    if process::id() != 1 {
        return;
    }
    let ignored = ignored();
    for (signal, ends) in &ENDS {
        if !is_in(ignored, *signal)
            && let Err(e) = flag::register_conditional_shutdown(*signal, 128 + signal, ends)
        {
            log::warn!("signal {signal} will not end this process: {e}");
        }
    }
}

/// Reaps orphans if this is the first process of a container: they become its children. Not for a
/// program that starts processes, which would never see them end.
pub(super) fn reap_orphans() {
    if process::id() != 1 {
        return;
    }
    let reaping = Signals::new([SIGCHLD]).and_then(|mut ended| {
        let thread = thread::Builder::new().name("reap".to_string());
        thread.spawn(move || {
            // Some may have ended already.
            for _ in iter::once(SIGCHLD).chain(ended.forever()) {
                while let Ok(Some(_)) = wait(WaitOptions::NOHANG) {}
            }
        })
    });
    if let Err(e) = reaping {
        log::warn!("ended processes will stay as zombies: {e}");
    }
}

/// Makes the ends of children visible even if this process was started with SIGCHLD ignored.
pub(super) fn see_children() -> io::Result<()> {
    flag::register(SIGCHLD, &CAME).map(drop)
}

/// Keeps a signal from ending this process, without making the programs that it starts ignore it.
/// The call that caused the signal fails with an error.
pub(super) fn survive(signal: i32) -> io::Result<()> {
    if is_in(ignored(), signal) { Ok(()) } else { flag::register(signal, &CAME).map(drop) }
}

/// The flag of a handler that has nothing to do.
static CAME: AtomicBool = AtomicBool::new(false);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_has_a_bit_for_each_signal() {
        assert!(is_in(1 << (SIGHUP - 1), SIGHUP));
        assert!(is_in(0x4000, SIGTERM));
        assert!(!is_in(0x4000, SIGINT));
        assert!(is_in(1 << 63, 64));
    }
}
