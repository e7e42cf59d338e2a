//! How recipes wait: up to a deadline, with requests short enough to notice a lost
//! server.

use crate::client::{Changes, Client, Error};
use crate::exptime::whole_seconds;
use crate::refusal::Refusal;
use crate::version::Version;
use std::time::{Duration, Instant};

/// The longest wait of one request: its reply is a sign of life from the server.
const SLICE: Duration = Duration::from_secs(30);

/// A deadline; `None` is never.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline(Option<Instant>);

impl Deadline {
    pub(crate) fn never() -> Self {
        Deadline(None)
    }

    /// Returns the deadline `time` from now, rounded up to seconds as in a watch: otherwise a short
    /// time would be over before the first one. A time beyond the clock's range is forever.
    pub(crate) fn after(time: Duration) -> Self {
        Deadline(Instant::now().checked_add(Duration::from_secs(whole_seconds(time))))
    }

    /// Returns this deadline, or `time` from now if that is earlier.
    pub(super) fn within(self, time: Duration) -> Self {
        let soon = Instant::now() + time;
        Deadline(Some(self.0.map_or(soon, |deadline| deadline.min(soon))))
    }

    /// Returns how long one request may wait; `None` if the time is over.
    pub(crate) fn left(self) -> Option<Duration> {
        let Some(deadline) = self.0 else { return Some(SLICE) };
        let left = deadline.saturating_duration_since(Instant::now());
        (!left.is_zero()).then(|| left.min(SLICE))
    }

    /// Waits for a change after `since` among the names that begin with `prefix`, and advances `since`.
    /// Returns `None` if the time is over. The changes are empty if they are no longer known: list
    /// then.
    pub(super) fn watch(
        self,
        client: &Client,
        prefix: &str,
        since: &mut Version,
    ) -> Result<Option<Changes>, Error> {
        while let Some(left) = self.left() {
            match client.watch(prefix, *since, left) {
                Ok(changes) => {
                    *since = changes.version;
                    if !changes.changes.is_empty() {
                        return Ok(Some(changes));
                    }
                }
                Err(Error::Refused { refusal: Refusal::Compacted(now), .. }) => {
                    *since = now;
                    return Ok(Some(Changes { version: now, changes: Vec::new() }));
                }
                Err(e) => return Err(e),
            }
        }
        Ok(None)
    }

    /// Waits until a file is no longer at `version`; returns false if the time is over. Only that
    /// file ends the wait, however busy other files are whose names begin the same.
    pub(super) fn wait(self, client: &Client, name: &str, version: Version) -> Result<bool, Error> {
        while let Some(left) = self.left() {
            if client.wait(name, version, left)? != version {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_rounded_up_to_seconds() {
        for (time, most) in [(1, 1), (999, 1), (1001, 2), (3000, 3)] {
            let left = Deadline::after(Duration::from_millis(time)).left().unwrap();
            assert!(left <= Duration::from_secs(most), "{time}: {left:?}");
            assert!(left > Duration::from_secs(most - 1), "{time}: {left:?}");
        }
        assert_eq!(Deadline::after(Duration::ZERO).left(), None);
    }

    #[test]
    fn one_watch_of_a_long_time_is_short() {
        for deadline in
            [Deadline::never(), Deadline::after(Duration::MAX), Deadline::after(2 * SLICE)]
        {
            assert_eq!(deadline.left(), Some(SLICE));
        }
    }
}
