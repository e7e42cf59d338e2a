//! The files that only one writer changes: their certain state, and the changes in doubt, which the
//! server did not answer before it was killed.

use super::book::Book;
use super::change::{Change, Files, mark_of};
use std::collections::BTreeMap;
use std::mem;
use std::time::Duration;
use telefile::Version;
use telefile::client::Snapshot;

#[derive(Default)]
pub(super) struct Owned {
    /// The acknowledged state.
    pub(super) files: Files,
    /// The changes sent after that, in order, and not answered.
    doubts: Vec<Change>,
}

impl Owned {
    pub(super) fn send(&mut self, change: Change) {
        self.doubts.push(change);
    }

    /// Returns whether this name has a file once all sent changes are made, and its version if that
    /// is known.
    pub(super) fn expected(&self, name: &str) -> Option<Option<Version>> {
        let last = self.doubts.iter().rev().find_map(|change| match change {
            Change::Write { name: n, .. } if n == name => Some(Some(None)),
            Change::Delete { name: n, .. } if n == name => Some(None),
            _ => None,
        });
        last.unwrap_or_else(|| self.files.get(name).map(|file| file.version))
    }

    /// Records that the first change in doubt was acknowledged.
    pub(super) fn settle(
        &mut self,
        version: Option<Version>,
        created: Option<&str>,
        book: &mut Book,
    ) {
        let change = self.doubts.remove(0);
        match (&change, version) {
            (Change::Write { name, body, .. }, Some(version)) => {
                book.acknowledge(version, name, Some(body.mark));
            }
            (Change::Create { body, .. }, Some(version)) => {
                book.acknowledge(version, created.expect("a name"), Some(body.mark));
            }
            (Change::Touch { version: at, .. }, Some(version)) => {
                assert_eq!(version, *at, "a touch takes no version");
                book.acknowledge_silently();
            }
            (Change::Delete { .. }, None) => book.acknowledge_silently(),
            other => panic!("{other:?}"),
        }
        change.apply(&mut self.files, version, created);
    }

    /// Compares the files with the certain state after none, some or all of the changes in doubt,
    /// in order. These are certain then, because they are not sent again. Versions that were not
    /// known are known from now on.
    pub(super) fn check(&mut self, there: &Snapshots, now: Duration, book: &mut Book) {
        let mut why = Vec::from_iter(differ(&self.files, there, now));
        for change in mem::take(&mut self.doubts) {
            if why.is_empty() {
                break;
            }
            change.apply(&mut self.files, None, created(&change, there));
            match differ(&self.files, there, now) {
                Some(difference) => why.push(difference),
                None => why.clear(),
            }
        }
        assert!(why.is_empty(), "with 0, 1, … changes in doubt: {why:#?}");
        for (name, file) in &mut self.files {
            file.version = Some(there[name].version);
            book.see(there[name].version, name, Some(file.body.mark));
        }
    }
}

/// The files in the table, by name.
pub(super) type Snapshots = BTreeMap<String, Snapshot>;

/// Returns the name that the server chose for this change, if there is such a file.
fn created<'a>(change: &Change, there: &'a Snapshots) -> Option<&'a str> {
    let Change::Create { prefix, body } = change else { return None };
    let is_it = |name: &str, file: &Snapshot| {
        name.starts_with(prefix) && mark_of(&file.contents) == body.mark
    };
    there.iter().find_map(|(name, file)| is_it(name, file).then_some(&name[..]))
}

/// Returns how the files differ from these.
fn differ(files: &Files, there: &Snapshots, now: Duration) -> Option<String> {
    if let Some(name) = there.keys().find(|name| !files.contains_key(*name)) {
        return Some(format!("{name} is there"));
    }
    files.iter().find_map(|(name, file)| match there.get(name) {
        Some(snapshot) => file.differs(snapshot, now).map(|why| format!("{name} {why}")),
        None => Some(format!("{name} does not exist")),
    })
}
