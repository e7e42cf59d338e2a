//! What the log has about a time in which etcd does not answer: a few lines, however long it is.

use std::io;
use std::time::{Duration, Instant};

/// The least time until a line with another cause.
const OTHER_CAUSE: Duration = Duration::from_mins(1);

/// The least time until the same line again.
const SAME_CAUSE: Duration = Duration::from_mins(10);

/// A time in which etcd does not answer; or one in which it does.
#[derive(Debug, Default)]
pub(crate) struct Outage {
    since: Option<Instant>,
    /// What the log has last, and when it got that.
    last: Option<(Instant, String)>,
}

impl Outage {
    /// Logs why an attempt has failed, unless the log has that.
    pub(crate) fn goes_on(&mut self, error: &io::Error) {
        if let Some(line) = self.line(&error.to_string(), Instant::now()) {
            log::warn!("{line}; trying again");
        }
    }

    /// Logs that etcd answers, unless it has done so before.
    pub(crate) fn ends(&mut self) {
        if let Some(since) = self.since.take() {
            self.last = None;
            log::info!("etcd answers again, after {} s", since.elapsed().as_secs());
        }
    }

    fn line(&mut self, cause: &str, now: Instant) -> Option<String> {
        let since = *self.since.get_or_insert(now);
        let for_now = match &self.last {
            None => String::new(),
            Some((at, last)) => {
                let least = if last == cause { SAME_CAUSE } else { OTHER_CAUSE };
                if now < *at + least {
                    return None;
                }
                format!(", for {} s now", (now - since).as_secs())
            }
        };
        self.last = Some((now, cause.to_string()));
        Some(format!("{cause}{for_now}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_is_a_few_lines() {
        let (mut outage, start) = (Outage::default(), Instant::now());
        let mut lines = Vec::new();
        for attempt in 0..5 * 3600 {
            let now = start + Duration::from_millis(200) * attempt;
            // The cause is another one in the second half hour, and then changes each time.
            let cause = match attempt {
                ..9000 => "refused",
                9000..17_000 => "silent",
                n if n % 2 == 0 => "silent",
                _ => "expired",
            };
            lines.extend(outage.line(cause, now));
        }
        assert_eq!(lines[..3], ["refused", "refused, for 600 s now", "refused, for 1200 s now"]);
        assert_eq!(lines[3], "silent, for 1800 s now");
        assert!(lines.len() < 12, "{lines:?}");
        outage.ends();
        assert_eq!(outage.line("refused", start).as_deref(), Some("refused"));
    }
}
