//! How long the folders of the trash have been there. No clock of the day is asked, as one that is wrong
//! and then set right moves by years: a folder is old once it has been seen to be there for long.

use crate::sync::time::{SECONDS_A_DAY, Utc};
use std::collections::BTreeMap;
use std::fmt;
use std::fs;

/// How long a file stays in the trash.
pub(in crate::sync) const TRASH_DAYS: u64 = 7;

/// The moment of a look at the trash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::sync) struct Look {
    /// Differs each time that the machine starts.
    pub(in crate::sync) boot: String,
    /// Seconds since then, also those that it slept.
    pub(in crate::sync) up: u64,
    pub(in crate::sync) day: Utc,
}

impl Look {
    pub(in crate::sync) fn now() -> Self {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        let up = read("/proc/uptime");
        Look {
            boot: read("/proc/sys/kernel/random/boot_id").trim().to_string(),
            up: up.split('.').next().and_then(|up| up.parse().ok()).unwrap_or(0),
            day: Utc::now(),
        }
    }

    /// Returns how many seconds have passed since an earlier look, or fewer. The clock of the day is
    /// believed for one day at most, and only if the machine was started in between.
    fn seconds_since(&self, earlier: &Look) -> u64 {
        match !self.boot.is_empty() && self.boot == earlier.boot {
            true => self.up.saturating_sub(earlier.up),
            false => self.day.seconds_since(earlier.day).min(SECONDS_A_DAY),
        }
    }

    fn parse(line: &str) -> Option<Self> {
        let mut fields = line.split(' ');
        let boot = fields.next()?.to_string();
        Some(Look { boot, up: fields.next()?.parse().ok()?, day: Utc::parse(fields.next()?)? })
    }
}

/// For how many seconds each folder has been seen in the trash, as of the last look.
#[derive(Debug, Default)]
pub(in crate::sync) struct Ages {
    last: Option<Look>,
    of: BTreeMap<String, u64>,
}

impl Ages {
    /// Parses what `Display` prints. Whatever is damaged is as if it was never seen.
    pub(in crate::sync) fn parse(text: &str) -> Self {
        let mut lines = text.lines();
        let last = lines.next().and_then(Look::parse);
        let age = |line: &str| {
            let (name, age) = line.split_once(' ')?;
            Some((name.to_string(), age.parse().ok()?))
        };
        Ages { last, of: lines.filter_map(age).collect() }
    }

    /// Returns the ages of the folders that are there now. A folder that was not there before is new,
    /// whatever its name says.
    pub(in crate::sync) fn look(&self, names: impl Iterator<Item = String>, now: Look) -> Self {
        let passed = self.last.as_ref().map_or(0, |last| now.seconds_since(last));
        let age = |name: &String| self.of.get(name).map_or(0, |age| age.saturating_add(passed));
        let of = names.map(|name| (name.clone(), age(&name))).collect();
        Ages { last: Some(now), of }
    }

    /// Takes out the folders whose time is over.
    pub(in crate::sync) fn take_old(&mut self) -> impl Iterator<Item = String> {
        let old = |_: &String, age: &mut u64| *age >= TRASH_DAYS * SECONDS_A_DAY;
        self.of.extract_if(.., old).map(|(name, _)| name)
    }
}

impl fmt::Display for Ages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(Look { boot, up, day }) = &self.last else { return Ok(()) };
        writeln!(f, "{boot} {up} {day}")?;
        self.of.iter().try_for_each(|(name, age)| writeln!(f, "{name} {age}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: u64 = SECONDS_A_DAY;

    /// Looks at each moment: boot, seconds since then, seconds since 1970. Returns at which one the
    /// folder goes.
    fn goes_at(looks: &[(&str, u64, u64)]) -> Option<usize> {
        let mut ages = Ages::default();
        looks.iter().position(|(boot, up, day)| {
            let day = Utc::parse("19700101T000000Z").unwrap().seconds_after(*day);
            let look = Look { boot: boot.to_string(), up: *up, day };
            ages = Ages::parse(&ages.to_string())
                .look(["20261128T000000Z".to_string()].into_iter(), look);
            ages.take_old().count() > 0
        })
    }

    #[test]
    fn no_jump_of_the_clock_makes_anything_old() {
        let now = 20_000 * DAY;
        for jumped in [0, now - 30 * DAY, now + 100 * DAY, now + 40_000 * DAY] {
            assert_eq!(goes_at(&[("a", 1, now), ("a", 2, jumped), ("a", 3, now)]), None);
            assert_eq!(goes_at(&[("a", 1, now), ("b", 1, jumped), ("b", 2, now)]), None);
            assert_eq!(goes_at(&[("a", 1, jumped), ("b", 1, now), ("b", 2, now)]), None);
            assert_eq!(goes_at(&[("", 0, now), ("", 0, jumped), ("", 0, now)]), None);
        }
    }

    #[test]
    fn a_machine_that_goes_on_or_starts_each_day_empties_its_trash() {
        let hours: Vec<_> = (0..400).map(|hour| ("a", hour * 3600, 0)).collect();
        assert_eq!(goes_at(&hours), Some(7 * 24));
        let names: Vec<_> = (0..20).map(|day| format!("boot-{day}")).collect();
        let days: Vec<_> =
            names.iter().zip(0..).map(|(name, day)| (&**name, 60, day * DAY)).collect();
        assert_eq!(goes_at(&days), Some(7));
        // The clock of a machine without a battery stands still between two starts.
        let days: Vec<_> =
            names.iter().flat_map(|name| [(&**name, 1, 0), (name, DAY, DAY)]).collect();
        assert_eq!(goes_at(&days), Some(15));
    }

    #[test]
    fn damage_makes_a_folder_new() {
        let whole = "boot 5 20261128T000000Z\n20261101T000000Z 604000\n";
        assert_eq!(Ages::parse(whole).to_string(), whole);
        for length in 0..whole.len() - 1 {
            let day = Utc::parse("20261128T000000Z").unwrap().seconds_after(9000);
            let look = Look { boot: "boot".to_string(), up: 9000, day };
            let names = ["20261101T000000Z".to_string()].into_iter();
            let mut ages = Ages::parse(&whole[..length]).look(names, look);
            assert_eq!(ages.take_old().count(), 0, "{length}");
        }
    }
}
