//! What has changed since a version. The log holds only the latest change of each name, so a
//! million writes to ten files are ten entries.

use super::cost;
use crate::budget::{Budget, Charge};
use crate::files::store::MAX_GONE;
use crate::name::{Name, NameRef};
use std::collections::{BTreeMap, HashMap};
use std::iter;
use std::ops::Bound::{Excluded, Unbounded};
use std::sync::Arc;

/// The latest change of every name that has a file, and of the names that lost theirs most
/// recently.
///
/// Each change takes a version greater than all earlier ones.
#[derive(Debug, Default)]
pub(in crate::files) struct ChangeLog {
    /// Names with a file, by the file's version.
    live: BTreeMap<u64, Name>,
    /// Names without a file, by the version of its removal: at most [`MAX_GONE`] of them.
    gone: BTreeMap<u64, Name>,
    /// The same, keyed by name.
    gone_names: HashMap<Name, u64>,
    /// The version of the latest removal that was evicted from `gone`. Earlier removals are no
    /// longer known.
    forgotten: u64,
    /// For the removals and their names.
    charge: Charge,
}

/// The latest change of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::files) struct Logged<'a> {
    pub(in crate::files) version: u64,
    pub(in crate::files) name: &'a Name,
    /// Whether the change removed the file.
    pub(in crate::files) gone: bool,
}

impl ChangeLog {
    /// Creates an empty log.
    pub(in crate::files) fn new(budget: &Arc<Budget>) -> Self {
        ChangeLog { charge: Charge::none(budget), ..ChangeLog::default() }
    }

    /// Records that a name got a file.
    pub(in crate::files) fn insert(&mut self, name: Name, version: u64) {
        if let Some(removed) = self.gone_names.remove(&name) {
            self.gone.remove(&removed);
            self.charge.shrink(removal_cost(&name));
        }
        self.live.insert(version, name);
    }

    /// Records that a file moved from one version to the next.
    pub(in crate::files) fn renew(&mut self, old: u64, new: u64) {
        if let Some(name) = self.live.remove(&old) {
            self.live.insert(new, name);
        }
    }

    /// Records that a name lost its file, which was at version `old`.
    pub(in crate::files) fn remove(&mut self, old: u64, new: u64) {
        let Some(name) = self.live.remove(&old) else { return };
        self.recall(new, name);
        if self.gone.len() > MAX_GONE
            && let Some((version, name)) = self.gone.pop_first()
        {
            self.gone_names.remove(&name);
            self.charge.shrink(removal_cost(&name));
            self.forgotten = version;
        }
    }

    /// Returns the version of this name's removal, if it is remembered.
    pub(in crate::files) fn removed(&self, name: &Name) -> Option<u64> {
        self.gone_names.get(name).copied()
    }

    /// Remembers a removal. May exceed the budget: the removed file took more memory.
    pub(in crate::files) fn recall(&mut self, version: u64, name: Name) {
        self.charge.grow_over(removal_cost(&name));
        self.gone_names.insert(name.clone(), version);
        self.gone.insert(version, name);
    }

    /// Sets the version up to which removals may be forgotten.
    pub(in crate::files) fn forget_to(&mut self, version: u64) {
        self.forgotten = version;
    }

    pub(in crate::files) fn forgotten(&self) -> u64 {
        self.forgotten
    }

    /// Returns whether no change after `version` is forgotten.
    pub(in crate::files) fn reaches(&self, version: u64) -> bool {
        version >= self.forgotten
    }

    /// Returns the changes after `version`, oldest first.
    pub(in crate::files) fn since(&self, version: u64) -> impl Iterator<Item = Logged<'_>> {
        let after = (Excluded(version), Unbounded);
        let logged =
            |gone| move |(version, name): (&u64, _)| Logged { version: *version, name, gone };
        let mut live = self.live.range(after).map(logged(false)).peekable();
        let mut gone = self.gone.range(after).map(logged(true)).peekable();
        iter::from_fn(move || match (live.peek(), gone.peek()) {
            (Some(l), Some(g)) if g.version < l.version => gone.next(),
            (Some(_), _) => live.next(),
            (None, _) => gone.next(),
        })
    }
}

fn removal_cost(name: &Name) -> u64 {
    cost::REMOVAL + cost::name(name.as_ref())
}

/// Returns whether a list or watch of `prefix` shows the name: the name starts with the prefix, and
/// if it is secret, the prefix starts with the secret.
pub(in crate::files) fn shows(prefix: &str, name: &Name) -> bool {
    name.as_str().starts_with(prefix) && hides(prefix, name.as_ref()).is_none()
}

/// Returns the secret that hides the name from a list or watch of `prefix`, if any.
pub(in crate::files) fn hides<'a>(prefix: &str, name: NameRef<'a>) -> Option<&'a str> {
    name.secret().filter(|secret| !prefix.starts_with(secret))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        NameRef::new(text).unwrap().to_name()
    }

    fn since(log: &ChangeLog, version: u64) -> Vec<(u64, &str, bool)> {
        log.since(version).map(|l| (l.version, l.name.as_str(), l.gone)).collect()
    }

    #[test]
    fn each_name_has_one_entry_the_latest() {
        let mut log = ChangeLog::default();
        log.insert(name("a"), 1);
        log.insert(name("b"), 2);
        log.renew(1, 3);
        log.remove(2, 4);
        log.insert(name("c"), 5);
        assert_eq!(since(&log, 0), [(3, "a", false), (4, "b", true), (5, "c", false)]);
        assert_eq!(since(&log, 3), [(4, "b", true), (5, "c", false)]);
        log.insert(name("b"), 6);
        log.remove(3, 7);
        assert_eq!(since(&log, 0), [(5, "c", false), (6, "b", false), (7, "a", true)]);
        assert_eq!(since(&log, 7), []);
    }

    #[test]
    fn the_oldest_removals_are_forgotten_and_a_lock_that_comes_and_goes_is_one() {
        let mut log = ChangeLog::default();
        let mut version = 0;
        let mut cycle = |log: &mut ChangeLog, text: &str| {
            log.insert(name(text), version + 1);
            log.remove(version + 1, version + 2);
            version += 2;
        };
        for _ in 0..MAX_GONE + 1 {
            cycle(&mut log, "lock");
        }
        assert_eq!(log.gone.len(), 1);
        for i in 1..MAX_GONE {
            cycle(&mut log, &i.to_string());
        }
        assert!(log.reaches(0), "the lock and the others are just as many as are remembered");
        let (first, oldest, gone) = since(&log, 0)[0];
        assert_eq!((oldest, gone), ("lock", true));

        cycle(&mut log, "another");
        assert!(!log.reaches(first - 1) && log.reaches(first));
        assert_eq!((log.gone.len(), log.gone_names.len()), (MAX_GONE, MAX_GONE));
    }
}
