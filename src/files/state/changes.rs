//! What has changed since a version. The log holds only the latest change of each name, so a
//! million writes to ten files are ten entries.

use super::cost;
use super::files::directory::{Directory, Named};
use super::files::slab::Id;
use crate::budget::{Budget, Charge};
use crate::files::store::MAX_GONE;
use crate::name::{Name, NameRef};
use std::collections::BTreeMap;
use std::iter;
use std::ops::Bound::{Excluded, Unbounded};
use std::sync::Arc;

/// The latest change of every name that has a file, and of the names that lost theirs most
/// recently.
///
/// Each change takes a version greater than all earlier ones.
#[derive(Debug)]
pub(in crate::files) struct ChangeLog {
    /// The files that have a name, by their versions.
    live: BTreeMap<u64, Id>,
    /// Names without a file, by the version of its removal: at most [`MAX_GONE`] of them.
    gone: BTreeMap<u64, Id>,
    removals: Directory<Removal>,
    /// The version of the latest removal that was evicted from `gone`. Earlier removals are no
    /// longer known.
    forgotten: u64,
    /// For the removals and their names.
    charge: Charge,
}

/// A name that has lost its file.
#[derive(Debug)]
struct Removal {
    name: Name,
    version: u64,
}

impl Named for Removal {
    fn name(&self) -> &[u8] {
        self.name.as_bytes()
    }
}

/// The latest change of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::files) enum Logged<'a> {
    /// The file has changed, or is new.
    File(Id),
    /// The name has lost its file.
    Gone(&'a Name),
}

/// The cost of a file with a name.
pub(in crate::files) const LIVE_COST: u64 = cost::in_map::<u64, Id>();

impl ChangeLog {
    /// Creates an empty log.
    pub(in crate::files) fn new(budget: &Arc<Budget>) -> Self {
        let (live, gone) = (BTreeMap::new(), BTreeMap::new());
        let (removals, charge) = (Directory::new(), Charge::none(budget));
        ChangeLog { live, gone, removals, forgotten: 0, charge }
    }

    /// Records that a name got a file.
    pub(in crate::files) fn insert(&mut self, name: &Name, version: u64, id: Id) {
        self.forget_name(name);
        self.live.insert(version, id);
    }

    /// Records all files that a table begins with, each with its version, in any order.
    pub(in crate::files) fn begin(&mut self, mut files: Vec<(u64, Id)>) {
        // A map of what is in order is built in one go: a third of the time of a start otherwise.
        files.sort_unstable_by_key(|(version, _)| *version);
        self.live = files.into_iter().collect();
    }

    /// Records that a file moved from one version to the next.
    pub(in crate::files) fn renew(&mut self, old: u64, new: u64) {
        if let Some(id) = self.live.remove(&old) {
            self.live.insert(new, id);
        }
    }

    /// Sets the new id of a file.
    pub(in crate::files) fn set_id(&mut self, version: u64, id: Id) {
        self.live.insert(version, id);
    }

    /// Records that a name lost its file, which was at version `old`.
    pub(in crate::files) fn remove(&mut self, old: u64, new: u64, name: Name) {
        self.live.remove(&old);
        self.recall(new, name);
        // More than one only after a start: the store forgets a removal with the next commit.
        while self.gone.len() > MAX_GONE
            && let Some((version, removal)) = self.gone.pop_first()
        {
            self.forget(removal);
            self.forgotten = version;
        }
    }

    /// Records that a name got a file and lost it again.
    pub(in crate::files) fn pass(&mut self, version: u64, name: Name) {
        self.forget_name(&name);
        self.remove(version, version, name);
    }

    /// Returns the version of this name's removal, if it is remembered.
    pub(in crate::files) fn removed(&self, name: &Name) -> Option<u64> {
        Some(self.removals[self.removals.find(name.as_bytes())?].version)
    }

    /// Remembers a removal. May exceed the budget: the removed file took more memory.
    pub(in crate::files) fn recall(&mut self, version: u64, name: Name) {
        self.charge.grow_over(removal_cost(&name));
        let removal = self.removals.insert(Removal { name, version });
        self.gone.insert(version, removal);
    }

    /// Forgets the removal of an earlier file of this name.
    fn forget_name(&mut self, name: &Name) {
        if let Some(removal) = self.removals.find(name.as_bytes()) {
            self.forget(removal);
        }
    }

    fn forget(&mut self, removal: Id) {
        let Removal { name, version } = self.removals.remove(removal);
        self.gone.remove(&version);
        self.charge.shrink(removal_cost(&name));
        if let Some(moved) = self.removals.slab().get(removal) {
            self.gone.insert(moved.version, removal);
        }
    }

    /// Sets the version up to which removals may be forgotten.
    pub(in crate::files) fn forget_to(&mut self, version: u64) {
        self.forgotten = version;
    }

    pub(in crate::files) fn forgotten(&self) -> u64 {
        self.forgotten
    }

    /// Returns whether each of `files` files and each removal has a version of its own, and none is
    /// after `version`.
    pub(in crate::files) fn is_sound(&self, files: usize, version: u64) -> bool {
        let are_different = self.live.len() == files
            && self.gone.len() == self.removals.slab().len()
            && self.gone.keys().all(|version| !self.live.contains_key(version));
        are_different && self.since(version).next().is_none()
    }

    /// Returns whether no change after `version` is forgotten.
    pub(in crate::files) fn reaches(&self, version: u64) -> bool {
        version >= self.forgotten
    }

    /// Returns the changes after `version`, oldest first, with their versions.
    pub(in crate::files) fn since(&self, version: u64) -> impl Iterator<Item = (u64, Logged<'_>)> {
        let after = (Excluded(version), Unbounded);
        let live = self.live.range(after).map(|(version, id)| (*version, Logged::File(*id)));
        let gone = self.gone.range(after);
        let gone = gone.map(|(version, id)| (*version, Logged::Gone(&self.removals[*id].name)));
        let (mut live, mut gone) = (live.peekable(), gone.peekable());
        iter::from_fn(move || match (live.peek(), gone.peek()) {
            (Some((l, _)), Some((g, _))) if g < l => gone.next(),
            (Some(_), _) => live.next(),
            (None, _) => gone.next(),
        })
    }
}

/// The cost of a remembered removal of this name.
pub(in crate::files) fn removal_cost(name: &Name) -> u64 {
    const COST: u64 =
        size_of::<Removal>() as u64 + cost::in_map::<u64, Id>() + Directory::<Removal>::NAME_COST;
    COST + cost::name(name.as_name_ref())
}

/// Returns whether a list or watch of `prefix` shows the name: the name starts with the prefix, and
/// if it is secret, the prefix starts with the secret.
pub(in crate::files) fn shows(prefix: &str, name: &Name) -> bool {
    name.as_bytes().starts_with(prefix.as_bytes()) && hides(prefix, name.as_name_ref()).is_none()
}

/// Returns the secret that hides the name from a list or watch of `prefix`, if any.
pub(in crate::files) fn hides<'a>(prefix: &str, name: NameRef<'a>) -> Option<&'a str> {
    name.secret().filter(|secret| !prefix.starts_with(secret))
}

#[cfg(test)]
mod tests {
    use super::super::files::slab::Slab;
    use super::*;

    fn name(text: &str) -> Name {
        NameRef::new(text).unwrap().to_name()
    }

    fn log() -> ChangeLog {
        ChangeLog::new(&Budget::new(u64::MAX))
    }

    /// What has changed: the number of the file, or the name that lost its file.
    fn since(log: &ChangeLog, version: u64) -> Vec<(u64, Result<Id, &str>)> {
        let shown = |(version, logged)| match logged {
            Logged::File(id) => (version, Ok(id)),
            Logged::Gone(name) => (version, Err(name.as_str())),
        };
        log.since(version).map(shown).collect()
    }

    #[test]
    fn each_name_has_one_entry_the_latest() {
        let mut slab = Slab::new();
        let [a, b, c] = [(); 3].map(|()| slab.push(()));
        let mut log = log();
        log.insert(&name("a"), 1, a);
        log.insert(&name("b"), 2, b);
        log.renew(1, 3);
        log.remove(2, 4, name("b"));
        log.insert(&name("c"), 5, c);
        assert_eq!(since(&log, 0), [(3, Ok(a)), (4, Err("b")), (5, Ok(c))]);
        assert_eq!(since(&log, 3), [(4, Err("b")), (5, Ok(c))]);
        log.insert(&name("b"), 6, b);
        log.remove(3, 7, name("a"));
        assert_eq!(since(&log, 0), [(5, Ok(c)), (6, Ok(b)), (7, Err("a"))]);
        assert_eq!(since(&log, 7), []);
        log.pass(8, name("a"));
        assert_eq!(since(&log, 5), [(6, Ok(b)), (8, Err("a"))]);
    }

    #[test]
    fn the_oldest_removals_are_forgotten_and_a_lock_that_comes_and_goes_is_one() {
        let file = Slab::new().push(());
        let mut log = log();
        let mut version = 0;
        let mut cycle = |log: &mut ChangeLog, text: &str| {
            log.insert(&name(text), version + 1, file);
            log.remove(version + 1, version + 2, name(text));
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
        let (first, oldest) = since(&log, 0)[0];
        assert_eq!(oldest, Err("lock"));

        cycle(&mut log, "another");
        assert!(!log.reaches(first - 1) && log.reaches(first));
        assert_eq!((log.gone.len(), log.removals.slab().len()), (MAX_GONE, MAX_GONE));
        let all: Vec<_> = since(&log, 0)
            .into_iter()
            .map(|(version, gone)| (gone.unwrap_err().to_string(), version))
            .collect();
        assert!(all.iter().all(|(text, version)| log.removed(&name(text)) == Some(*version)));
    }
}
