//! How many threads wait for a commit, and the wait for more of them before the next one begins.

use std::time::{Duration, Instant};

/// The threads that wait.
#[derive(Debug, Default)]
pub(in crate::files) struct Gathering {
    /// How many wait for the next commit.
    next: usize,
    /// How many waited for the latest one when it began.
    latest: usize,
    hold: Option<Hold>,
}

/// The next commit does not begin as long as this lasts.
#[derive(Debug)]
struct Hold {
    /// The number of waiting threads at which the commit begins.
    full: usize,
    end: Instant,
    /// If no thread comes for this long, the commit begins.
    quiet: Duration,
    /// How many waited when the committer looked last. `None` if it does not look.
    seen: Option<usize>,
}

impl Gathering {
    /// One more waits.
    pub(super) fn join(&mut self) {
        self.next += 1;
    }

    /// A commit begins, for all threads that wait.
    pub(super) fn depart(&mut self) {
        (self.latest, self.next, self.hold) = (self.next, 0, None);
    }

    /// Holds the next commit up until as many more have come as the latest one answers now.
    pub(super) fn hold(&mut self, longest: Duration) {
        let (full, end) = (self.next + self.latest, Instant::now() + longest);
        self.hold = Some(Hold { full, end, quiet: longest / 2, seen: None });
    }

    /// Returns whether the next commit has to wait.
    pub(super) fn is_held(&self) -> bool {
        let hold = self.hold.as_ref();
        hold.is_some_and(|hold| self.next < hold.full && Instant::now() < hold.end)
    }

    /// Returns whether the committer does not know yet that it has to look.
    pub(super) fn is_unseen(&self) -> bool {
        self.hold.as_ref().is_some_and(|hold| hold.seen.is_none())
    }

    /// Returns how long the committer waits before it looks again; `None` if the commit may begin.
    pub(super) fn look(&mut self) -> Option<Duration> {
        let (is_held, next) = (self.is_held(), self.next);
        let hold = self.hold.as_mut()?;
        let is_quiet = hold.seen.replace(next) == Some(next);
        if !is_held || is_quiet {
            self.hold = None;
            return None;
        }
        Some(hold.quiet.min(hold.end.saturating_duration_since(Instant::now())))
    }

    #[cfg(test)]
    pub(in crate::files) fn waiting(&self) -> usize {
        self.next
    }

    /// Lets the next commit begin.
    pub(super) fn release(&mut self) {
        self.hold = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    /// Two are answered, and one waits already.
    fn answered(longest: Duration) -> Gathering {
        let mut gathering = Gathering::default();
        (0..2).for_each(|_| gathering.join());
        gathering.depart();
        gathering.join();
        gathering.hold(longest);
        gathering
    }

    #[test]
    fn as_many_are_waited_for_as_were_answered() {
        let mut gathering = answered(HOUR);
        assert!(gathering.is_held() && gathering.is_unseen());
        assert!(gathering.look().is_some_and(|longest| longest <= HOUR / 2));
        gathering.join();
        assert!(gathering.is_held() && !gathering.is_unseen() && gathering.look().is_some());
        gathering.join();
        assert!(!gathering.is_held() && gathering.look().is_none());
        gathering.depart();
        assert!(!gathering.is_held());
    }

    #[test]
    fn nobody_is_waited_for_who_does_not_come() {
        let mut gathering = answered(HOUR);
        assert!(gathering.look().is_some() && gathering.look().is_none() && !gathering.is_held());
        assert!(!answered(Duration::ZERO).is_held());
        assert!(!answered(Duration::from_nanos(1)).is_held());
        let mut gathering = answered(HOUR);
        gathering.release();
        assert!(!gathering.is_held() && gathering.look().is_none());
    }
}
