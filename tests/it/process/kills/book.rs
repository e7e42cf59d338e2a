//! What all writers and all starts of the server must agree on: the change of each version, and the
//! names that all writers share.

use super::change::{Body, mark_of};
use std::collections::BTreeMap;
use telefile::Version;
use telefile::client::Snapshot;

#[derive(Default)]
pub(super) struct Book {
    /// The single change of each version.
    versions: BTreeMap<Version, Owner>,
    /// The contents that were sent for shared names and not refused, by mark.
    attempts: BTreeMap<u64, Attempt>,
    /// The last known version of each shared name.
    shared: BTreeMap<String, Version>,
    pub(super) acknowledged: u64,
}

#[derive(Debug)]
struct Owner {
    name: String,
    /// The mark of the contents, if it is known.
    mark: Option<u64>,
}

#[derive(Debug)]
struct Attempt {
    name: String,
    body: Body,
    /// The version, if it is known.
    version: Option<Version>,
}

impl Book {
    /// Returns the latest known version.
    pub(super) fn rev(&self) -> Version {
        self.versions.last_key_value().map_or(Version::ABSENT, |(version, _)| *version)
    }

    /// Records the version of an acknowledged change, before another client can have read it.
    pub(super) fn acknowledge(&mut self, version: Version, name: &str, mark: Option<u64>) {
        self.acknowledged += 1;
        let owner = Owner { name: name.to_string(), mark };
        let before = self.versions.insert(version, owner);
        assert!(before.is_none(), "version {version} of {name} was known before, of {before:?}");
    }

    /// Records that a change was acknowledged without a version.
    pub(super) fn acknowledge_silently(&mut self) {
        self.acknowledged += 1;
    }

    /// Records that this name was read at this version; with the mark, if the contents were read
    /// too.
    pub(super) fn see(&mut self, version: Version, name: &str, mark: Option<u64>) {
        let unknown = || Owner { name: name.to_string(), mark };
        let owner = self.versions.entry(version).or_insert_with(unknown);
        let other = owner.mark.zip(mark).is_some_and(|(known, mark)| known != mark);
        assert!(
            owner.name == name && !other,
            "version {version} is of {owner:?}, and of {name} with {mark:?}"
        );
        owner.mark = owner.mark.or(mark);
    }

    /// Records that this will be sent for a shared name.
    pub(super) fn attempt(&mut self, name: &str, body: Body) {
        let attempt = Attempt { name: name.to_string(), body, version: None };
        self.attempts.insert(body.mark, attempt);
    }

    /// Records that it was refused, so it may never be visible.
    pub(super) fn refuse(&mut self, mark: u64) {
        let refused = self.attempts.remove(&mark);
        assert!(refused.is_some_and(|attempt| attempt.version.is_none()), "it was visible");
    }

    /// Records that it was executed. Others may have read it already.
    pub(super) fn acknowledge_shared(&mut self, version: Version, mark: u64) {
        self.acknowledged += 1;
        self.see_attempt(version, mark);
    }

    /// Checks contents that were read at a shared name: a writer sent them for it, and they are
    /// whole.
    #[track_caller]
    pub(super) fn see_shared(&mut self, name: &str, there: &Snapshot) {
        let mark = mark_of(&there.contents);
        let attempt = self.attempts.get(&mark);
        let attempt = attempt.unwrap_or_else(|| panic!("{name}: {mark:x} was never sent"));
        assert_eq!(attempt.name, name);
        assert!(*there.contents == *attempt.body.bytes(), "{name}: not whole: {attempt:?}");
        self.see_attempt(there.version, mark);
    }

    fn see_attempt(&mut self, version: Version, mark: u64) {
        let attempt = self.attempts.get_mut(&mark).expect("an attempt");
        let known = *attempt.version.get_or_insert(version);
        assert_eq!(known, version, "it was done twice: {attempt:?}");
        let name = attempt.name.clone();
        self.see(version, &name, Some(mark));
        let last = self.shared.entry(name).or_default();
        *last = version.max(*last);
    }

    /// Returns the last known version of a shared name.
    pub(super) fn last(&self, name: &str) -> Version {
        self.shared.get(name).copied().unwrap_or(Version::ABSENT)
    }

    /// Checks that each shared name is at its last known version, or a later one.
    pub(super) fn check_shared(&mut self, there: &BTreeMap<String, Snapshot>) {
        for (name, last) in &self.shared {
            let now = there.get(name).map_or(Version::ABSENT, |snapshot| snapshot.version);
            assert!(now >= *last, "{name} is at {now} and was at {last}");
        }
        there.iter().for_each(|(name, snapshot)| self.see_shared(name, snapshot));
    }
}
