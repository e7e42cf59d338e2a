//! A store that can be held up and can fail.

use super::STORED_FROM;
use crate::contents::Contents;
use crate::files::store::{
    CommitError, Gather, Head, Life, Mutation, Row, RowContents, Store, Whole,
};
use crate::name::Name;
use std::collections::BTreeMap;
use std::io;
use std::sync::{Condvar, Mutex};
use std::thread::{self, ThreadId};
use std::time::Duration;

/// A disk in memory.
#[derive(Debug, Default)]
pub(super) struct Disk {
    inner: Mutex<Inner>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Inner {
    files: BTreeMap<Name, (u64, Life, Option<Contents>)>,
    gone: BTreeMap<u64, Name>,
    head: Option<Head>,
    /// Commits wait as long as it is so.
    held: bool,
    /// Those that put this file wait until its version is passed.
    gate: Option<(Name, u64)>,
    waiting: bool,
    at_gate: Option<u64>,
    /// Which thread did the last commit, and how many there were.
    last_by: Option<ThreadId>,
    commits: u64,
    /// What the next commit fails with.
    failure: Option<CommitError>,
    full: Option<Full>,
    gather: Option<Gather>,
    whole: Option<Whole>,
}

/// What there is room for: at most `left` bytes a commit, or not even a removal.
#[derive(Debug)]
pub(super) struct Full {
    pub(super) max: u64,
    pub(super) left: Option<usize>,
}

impl Full {
    fn refuses(&self, batch: &[Mutation]) -> Option<u64> {
        let needs: u64 = batch.iter().filter_map(Mutation::adds).sum();
        self.left.is_none_or(|left| needs > left as u64).then_some(self.max)
    }
}

impl Inner {
    /// The version of the gate's file that holds up this batch.
    fn gated(&self, batch: &[Mutation]) -> Option<u64> {
        let (gate, passed) = self.gate.as_ref()?;
        batch.iter().find_map(|change| match change {
            Mutation::Put { name, version, .. } if name == gate && version > passed => {
                Some(*version)
            }
            _ => None,
        })
    }
}

impl Disk {
    pub(super) fn hold(&self, held: bool) {
        self.inner.lock().unwrap().held = held;
        self.changed.notify_all();
    }

    /// Waits until a commit is held up.
    pub(super) fn wait_held(&self) {
        let inner = self.inner.lock().unwrap();
        drop(self.changed.wait_while(inner, |inner| !inner.waiting).unwrap());
    }

    /// Holds up each commit that puts this file, until it is let [pass](Disk::pass).
    pub(super) fn gate(&self, name: Name) {
        self.inner.lock().unwrap().gate = Some((name, 0));
    }

    /// Lets versions up to this pass the gate.
    pub(super) fn pass(&self, up_to: u64) {
        if let Some((_, passed)) = &mut self.inner.lock().unwrap().gate {
            *passed = up_to;
        }
        self.changed.notify_all();
    }

    /// Waits until this version is held up at the gate.
    pub(super) fn wait_gated(&self, version: u64) {
        let inner = self.inner.lock().unwrap();
        drop(self.changed.wait_while(inner, |inner| inner.at_gate != Some(version)).unwrap());
    }

    pub(super) fn fail_next(&self, failure: io::Error) {
        self.inner.lock().unwrap().failure = Some(CommitError::Failed(failure));
    }

    /// From the next commit on, not for one that is held up already.
    pub(super) fn fill(&self, full: Option<Full>) {
        self.inner.lock().unwrap().full = full;
    }

    /// From the next commit on.
    pub(super) fn write_in_parts_over(&self, whole: Whole) {
        self.inner.lock().unwrap().whole = Some(whole);
    }

    /// Has the next commits wait.
    pub(super) fn set_gather(&self, longest: Duration, changes: usize) {
        self.inner.lock().unwrap().gather = Some(Gather { longest, changes });
    }

    pub(super) fn last_by(&self) -> Option<ThreadId> {
        self.inner.lock().unwrap().last_by
    }

    pub(super) fn commits(&self) -> u64 {
        self.inner.lock().unwrap().commits
    }
}

impl Store for Disk {
    fn load(
        &self,
        file: &mut dyn FnMut(Row),
        removal: &mut dyn FnMut(u64, Name),
    ) -> io::Result<Head> {
        let inner = self.inner.lock().unwrap();
        for (name, (version, life, contents)) in &inner.files {
            let contents = match contents {
                None => RowContents::Code,
                Some(contents) if contents.len() >= STORED_FROM => {
                    RowContents::Stored(contents.len() as u64)
                }
                Some(contents) => RowContents::Inline(contents.clone()),
            };
            file(Row { name: name.clone(), version: *version, life: *life, contents });
        }
        inner.gone.iter().for_each(|(version, name)| removal(*version, name.clone()));
        let fresh = Head { epoch: 0xe90c, version: 0, time: Duration::ZERO, forgotten: 0 };
        Ok(inner.head.unwrap_or(fresh))
    }

    fn commit(&self, batch: &[Mutation], head: &Head) -> Result<(), CommitError> {
        let mut inner = self.inner.lock().unwrap();
        let full = inner.full.as_ref().and_then(|full| full.refuses(batch));
        inner.waiting = true;
        self.changed.notify_all();
        inner.at_gate = inner.gated(batch);
        inner = self.changed.wait_while(inner, |i| i.held || i.gated(batch).is_some()).unwrap();
        (inner.waiting, inner.at_gate) = (false, None);
        inner.commits += 1;
        inner.last_by = Some(thread::current().id());
        if let Some(failure) = inner.failure.take() {
            return Err(failure);
        }
        if let Some(max) = full {
            return Err(CommitError::Full(max));
        }
        for change in batch {
            match change.clone() {
                Mutation::Put { name, version, old, removed, life, contents } => {
                    assert_eq!(inner.files.get(&name).map(|file| file.0), old);
                    removed.map(|removed| inner.gone.remove(&removed));
                    inner.files.insert(name, (version, life, contents));
                }
                Mutation::Touch { name, life } => inner.files.get_mut(&name).unwrap().1 = life,
                Mutation::Remove { name, version, old } => {
                    assert_eq!(inner.files.remove(&name).unwrap().0, old);
                    inner.gone.insert(version, name);
                }
                Mutation::Pass { name, version, removed } => {
                    assert!(!inner.files.contains_key(&name));
                    removed.map(|removed| inner.gone.remove(&removed));
                    inner.gone.insert(version, name);
                }
                Mutation::Unnamed { .. } => {}
            }
        }
        inner.head = Some(*head);
        Ok(())
    }

    fn contents(&self, version: u64) -> io::Result<Option<Contents>> {
        let inner = self.inner.lock().unwrap();
        let found = inner.files.values().find(|(of, ..)| *of == version);
        Ok(found.and_then(|(.., contents)| contents.clone()))
    }

    fn size(&self) -> (u64, Option<u64>) {
        (0, None)
    }

    fn whole(&self) -> Whole {
        self.inner.lock().unwrap().whole.unwrap_or(Whole::ANY)
    }

    fn gather(&self) -> Option<Gather> {
        self.inner.lock().unwrap().gather
    }

    fn stored_from(&self) -> usize {
        STORED_FROM
    }
}
