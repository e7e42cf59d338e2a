//! How recipes wait: with requests that are short enough to notice a server that is gone, until a
//! time that was given.

use crate::client::{Changes, Client, Error};
use crate::exptime::whole_seconds;
use crate::refusal::Refusal;
use std::time::{Duration, Instant};

/// One request waits no longer: its reply is a sign of life of the server.
const SLICE: Duration = Duration::from_secs(30);

/// When to give up; `None` is never.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Until(Option<Instant>);

impl Until {
    pub(crate) fn ever() -> Self {
        Until(None)
    }

    /// From now on so long, rounded up to seconds as in a watch: else a short time would be over
    /// before the first one. A time that no clock can name is for ever.
    pub(crate) fn after(time: Duration) -> Self {
        Until(Instant::now().checked_add(Duration::from_secs(whole_seconds(time))))
    }

    /// The same, but no later than this from now.
    pub(super) fn within(self, time: Duration) -> Self {
        let soon = Instant::now() + time;
        Until(Some(self.0.map_or(soon, |deadline| deadline.min(soon))))
    }

    /// How long one request may wait; `None` if the time is over.
    pub(crate) fn left(self) -> Option<Duration> {
        let Some(deadline) = self.0 else { return Some(SLICE) };
        let left = deadline.saturating_duration_since(Instant::now());
        (!left.is_zero()).then(|| left.min(SLICE))
    }

    /// Waits until something has changed after `rev` among the names that begin with `prefix`,
    /// and moves `rev` on. `None` if the time is over. What has changed is empty if that is not
    /// known any more: then look.
    pub(super) fn changes(
        self,
        client: &Client,
        prefix: &str,
        rev: &mut u64,
    ) -> Result<Option<Changes>, Error> {
        while let Some(left) = self.left() {
            match client.watch(prefix, *rev, left) {
                Ok(changes) => {
                    *rev = changes.rev;
                    if !changes.changes.is_empty() {
                        return Ok(Some(changes));
                    }
                }
                Err(Error::Refused { refusal: Refusal::Compacted(now), .. }) => {
                    *rev = now;
                    return Ok(Some(Changes { rev: now, changes: Vec::new() }));
                }
                Err(e) => return Err(e),
            }
        }
        Ok(None)
    }

    /// Waits until a file that was at `version` is not any more; false if the time is over. Only
    /// that file ends it, however busy others are whose names begin the same.
    pub(super) fn moved(self, client: &Client, name: &str, version: u64) -> Result<bool, Error> {
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
            let left = Until::after(Duration::from_millis(time)).left().unwrap();
            assert!(left <= Duration::from_secs(most), "{time}: {left:?}");
            assert!(left > Duration::from_secs(most - 1), "{time}: {left:?}");
        }
        assert_eq!(Until::after(Duration::ZERO).left(), None);
    }

    #[test]
    fn one_watch_of_a_long_time_is_short() {
        for until in [Until::ever(), Until::after(Duration::MAX), Until::after(2 * SLICE)] {
            assert_eq!(until.left(), Some(SLICE));
        }
    }
}
