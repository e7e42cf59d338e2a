//! Which signals to this process go to its command: all but those that it already has.

use super::child::Child;
use crate::cli::signals::INTENTION;
use nix::unistd::{Pid, getpgid, getpgrp, getppid, getsid};
use rustix::process::Signal;
use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGUSR1, SIGUSR2};
use signal_hook::low_level;
use std::collections::HashMap;
use std::fs;
use std::time::Instant;

/// The signals that are meant for the command.
pub(super) const PASSED_ON: [i32; 8] =
    [SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGTSTP, SIGCONT];

/// The signals that arrived, and what to do about them.
pub(super) struct Relay {
    /// Whether signals to the process group are visible.
    is_witnessed: bool,
    /// When a signal arrived that began an intention.
    came: HashMap<i32, Instant>,
    /// When the process group got a signal, and with it the command.
    seen: HashMap<i32, Instant>,
    /// The last signal of job control, if it was passed on.
    passed: Option<i32>,
    /// Signals that arrived, and when to pass each on if the group does not get it too.
    waiting: Vec<(i32, Instant)>,
}

/// What to do about a signal.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Decision {
    signal: i32,
    /// Whether the command has yet to get it.
    passes: bool,
}

impl Relay {
    pub(super) fn new(is_witnessed: bool) -> Self {
        let (came, seen) = Default::default();
        Relay { is_witnessed, came, seen, passed: None, waiting: Vec::new() }
    }

    /// Handles a signal to this process. `in_group`: if the group got it too, so did the command.
    pub(super) fn take(&mut self, signal: i32, in_group: bool, now: Instant) -> Option<Decision> {
        let opposite = opposite(signal);
        // A job can be stopped and continued any number of times, and repeats are harmless.
        if opposite.is_none() && is_recent(&self.came, signal, now) {
            return None;
        }
        // Only the last of them counts, as in the kernel.
        self.waiting.retain(|(waiting, _)| opposite != Some(*waiting));
        self.came.insert(signal, now);
        if !in_group {
            return Some(self.decide(signal, true));
        }
        if !self.is_witnessed {
            // Probably from a terminal, so the command has them.
            return Some(self.decide(signal, ![SIGINT, SIGQUIT, SIGTSTP].contains(&signal)));
        }
        if opposite.is_some() && self.passed == opposite {
            // The command may have got that one after this one. No time says otherwise: this
            // process may wait for a processor between any two steps.
            return Some(self.decide(signal, true));
        }
        if is_recent(&self.seen, signal, now) {
            return Some(self.decide(signal, false));
        }
        self.waiting.push((signal, now + INTENTION));
        None
    }

    /// Records that the process group got a signal.
    pub(super) fn see(&mut self, signal: i32, now: Instant) -> Option<Decision> {
        self.seen.insert(signal, now);
        let at = self.waiting.iter().position(|(waiting, _)| *waiting == signal)?;
        self.waiting.swap_remove(at);
        Some(self.decide(signal, false))
    }

    /// Records that signals to the group are no longer visible.
    pub(super) fn unwitnessed(&mut self) {
        self.is_witnessed = false;
    }

    /// Returns when [`take_due`](Relay::take_due) has something to return.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.waiting.iter().map(|(_, due)| *due).min()
    }

    /// Takes the signals that the group did not get in time.
    pub(super) fn take_due(&mut self, now: Instant) -> Vec<Decision> {
        let due: Vec<_> = self.waiting.extract_if(.., |(_, due)| *due <= now).collect();
        due.into_iter().map(|(signal, _)| self.decide(signal, true)).collect()
    }

    fn decide(&mut self, signal: i32, passes: bool) -> Decision {
        if opposite(signal).is_some() {
            self.passed = passes.then_some(signal);
        }
        Decision { signal, passes }
    }
}

impl Decision {
    pub(super) fn act(self, child: &Child) {
        if self.passes
            && let Some(signal) = Signal::from_named_raw(self.signal)
        {
            match signal {
                // timeout(1), for one, does not pass them on.
                Signal::TSTP | Signal::CONT => child.signal_group(signal),
                signal => child.signal(signal),
            }
        }
        // The user who stops this job expects it to stop; an orphan could never be continued.
        if self.signal == SIGTSTP && has_job_control() {
            let _ = low_level::emulate_default_handler(SIGTSTP);
        }
    }
}

/// Returns the signal of job control that undoes another.
fn opposite(signal: i32) -> Option<i32> {
    match signal {
        SIGTSTP => Some(SIGCONT),
        SIGCONT => Some(SIGTSTP),
        _ => None,
    }
}

/// Returns whether a signal belongs to an intention in `times`.
fn is_recent(times: &HashMap<i32, Instant>, signal: i32, now: Instant) -> bool {
    times.get(&signal).is_some_and(|time| now.saturating_duration_since(*time) < INTENTION)
}

/// Returns whether a process above this one can continue it. The kernel does not stop a process
/// group without one (POSIX calls it orphaned) at SIGTSTP, because nobody would ever continue it.
///
/// A session or group that was made outside this process's PID namespace has the number 0 here.
fn has_job_control() -> bool {
    let (group, session) = (getpgrp(), getsid(None));
    let mut above = getppid();
    while above.as_raw() != 0 && getsid(Some(above)) == session {
        match getpgid(Some(above)) {
            Ok(its_group) if its_group != group => return true,
            Ok(_) => {}
            Err(_) => return false,
        }
        let Some(parent) = parent(above) else { return false };
        above = parent;
    }
    false
}

/// Returns the parent of another process; unknown outside Linux.
fn parent(pid: Pid) -> Option<Pid> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is a name in parentheses, which may contain anything.
    let (_, fields) = stat.rsplit_once(") ")?;
    Some(Pid::from_raw(fields.split(' ').nth(1)?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decision(signal: i32, passes: bool) -> Option<Decision> {
        Some(Decision { signal, passes })
    }

    #[test]
    fn a_signal_that_the_group_gets_is_not_passed_on() {
        let (mut relay, now) = (Relay::new(true), Instant::now());
        assert_eq!(relay.take(SIGTERM, true, now), None);
        assert_eq!(relay.see(SIGTERM, now), decision(SIGTERM, false));
        assert_eq!(relay.next_due(), None);
        // The other way round, and a second time.
        let later = now + INTENTION;
        assert_eq!(relay.see(SIGTERM, later), None);
        assert_eq!(relay.take(SIGTERM, true, later), decision(SIGTERM, false));
        assert_eq!(relay.take(SIGTERM, true, later), None);
    }

    #[test]
    fn a_signal_that_the_group_does_not_get_is_passed_on_when_it_is_due() {
        let (mut relay, now) = (Relay::new(true), Instant::now());
        assert_eq!(relay.take(SIGTERM, true, now), None);
        assert_eq!(relay.next_due(), Some(now + INTENTION));
        assert_eq!(relay.take_due(now), []);
        assert_eq!(Some(relay.take_due(now + INTENTION).remove(0)), decision(SIGTERM, true));
    }

    #[test]
    fn a_stop_is_not_undone_by_an_earlier_continue() {
        let (mut relay, now) = (Relay::new(true), Instant::now());
        assert_eq!(relay.see(SIGTSTP, now), None);
        assert_eq!(relay.take(SIGTSTP, true, now), decision(SIGTSTP, false));
        // The witness never reports the SIGCONT: the next stop has cancelled it.
        assert_eq!(relay.take(SIGCONT, true, now), None);
        assert_eq!(relay.take(SIGTSTP, true, now), decision(SIGTSTP, false));
        assert_eq!(relay.next_due(), None);
    }

    #[test]
    fn a_stop_that_a_late_continue_has_undone_is_passed_on() {
        let (mut relay, now) = (Relay::new(true), Instant::now());
        assert_eq!(relay.take(SIGCONT, true, now), None);
        assert_eq!(relay.see(SIGTSTP, now), None);
        let due = now + INTENTION;
        assert_eq!(relay.see(SIGTSTP, due), None);
        assert_eq!(Some(relay.take_due(due).remove(0)), decision(SIGCONT, true));
        // However much later that is.
        let later = due + 100 * INTENTION;
        assert_eq!(relay.take(SIGTSTP, true, later), decision(SIGTSTP, true));
    }
}
