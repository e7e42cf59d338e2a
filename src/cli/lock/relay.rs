//! Which signals to `telefile lock` go to its command: all but those that it already has.

use super::child::Child;
use crate::cli::signals::INTENTION;
use rustix::process::{Pid, Signal, getpgid, getpgrp, getppid, getsid};
use signal_hook::consts::{SIGCONT, SIGINT, SIGQUIT, SIGTSTP};
use signal_hook::low_level;
use std::collections::HashMap;
use std::fs;
use std::sync::Arc;
use std::time::Instant;

/// The signals that arrived, and what to do about them.
pub(super) struct Relay {
    child: Arc<Child>,
    /// Whether signals to the process group are visible.
    is_witnessed: bool,
    /// When a signal arrived that began an intention.
    came: HashMap<i32, Instant>,
    /// When the process group got a signal, and with it the command.
    seen: HashMap<i32, Instant>,
    /// Signals that arrived, and when to pass each on if the group does not get it too.
    waiting: Vec<(i32, Instant)>,
}

impl Relay {
    pub(super) fn new(child: Arc<Child>, is_witnessed: bool) -> Self {
        let (came, seen) = (HashMap::new(), HashMap::new());
        Relay { child, is_witnessed, came, seen, waiting: Vec::new() }
    }

    /// Handles a signal to this process.
    pub(super) fn take(&mut self, signal: i32, now: Instant) {
        // A job can be stopped and continued any number of times, and repeats are harmless.
        let is_job_control = [SIGTSTP, SIGCONT].contains(&signal);
        if !is_job_control && is_recent(&self.came, signal, now) {
            return;
        }
        self.came.insert(signal, now);
        if !self.child.is_in_own_group() {
            self.decide(signal, true);
        } else if !self.is_witnessed {
            // Probably from a terminal, so the command has them.
            self.decide(signal, ![SIGINT, SIGQUIT, SIGTSTP].contains(&signal));
        } else if is_recent(&self.seen, signal, now) {
            self.decide(signal, false);
        } else {
            self.waiting.push((signal, now + INTENTION));
        }
    }

    /// Records that the process group got a signal.
    pub(super) fn see(&mut self, signal: i32, now: Instant) {
        self.seen.insert(signal, now);
        if let Some(at) = self.waiting.iter().position(|(waiting, _)| *waiting == signal) {
            self.waiting.swap_remove(at);
            self.decide(signal, false);
        }
    }

    /// Records that signals to the group are no longer visible.
    pub(super) fn unwitnessed(&mut self) {
        self.is_witnessed = false;
    }

    /// Returns when [`pass_due`](Relay::pass_due) has something to do.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.waiting.iter().map(|(_, due)| *due).min()
    }

    /// Passes on the signals that the group has not got in time.
    pub(super) fn pass_due(&mut self, now: Instant) {
        let due = |(_, due): &mut (i32, Instant)| *due <= now;
        let due: Vec<_> = self.waiting.extract_if(.., due).collect();
        due.into_iter().for_each(|(signal, _)| self.decide(signal, true));
    }

    fn decide(&self, signal: i32, passes: bool) {
        if passes && let Some(signal) = Signal::from_named_raw(signal) {
            match signal {
                // timeout(1), for one, does not pass them on.
                Signal::TSTP | Signal::CONT => self.child.signal_group(signal),
                signal => self.child.signal(signal),
            }
        }
        // The user who stops this job expects it to stop; an orphan could never be continued.
        if signal == SIGTSTP && has_job_control() {
            let _ = low_level::emulate_default_handler(SIGTSTP);
        }
    }
}

/// Returns whether a signal belongs to an intention in `times`.
fn is_recent(times: &HashMap<i32, Instant>, signal: i32, now: Instant) -> bool {
    times.get(&signal).is_some_and(|time| now.saturating_duration_since(*time) < INTENTION)
}

/// Returns whether a process above this one can continue it. The kernel does not stop a process
/// group without one (POSIX calls it orphaned) at SIGTSTP, because nobody would ever continue it.
fn has_job_control() -> bool {
    let (group, session) = (getpgrp(), getsid(None).ok());
    let mut above = getppid();
    while let Some(pid) = above {
        match (getsid(Some(pid)).ok(), getpgid(Some(pid))) {
            (its_session, Ok(its_group)) if its_session == session => {
                if its_group != group {
                    return true;
                }
            }
            _ => return false,
        }
        above = parent(pid);
    }
    false
}

/// Returns the parent of another process; unknown outside Linux.
fn parent(pid: Pid) -> Option<Pid> {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?;
    // The second field is a name in parentheses, which may contain anything.
    let (_, fields) = stat.rsplit_once(") ")?;
    Pid::from_raw(fields.split(' ').nth(1)?.parse().ok()?)
}
