//! Decided changes that are not visible yet, for a table with a store: each change is on disk
//! before it becomes visible.

use super::asked::Asked;
use super::chain::{Chain, Done, Lack};
use super::changes::ChangeLog;
use super::files::Files;
use super::files::entry::Body;
use super::gathering::Gathering;
use super::key::Key;
use super::pending::Pending;
use super::step::{Batch, CommitStep, Draft};
use super::ticket::{Commit, Ticket};
use crate::budget::Charge;
use crate::files::store::{Gather, Whole};
use crate::name::FileRef;
use crate::refusal::Refusal;
use hashbrown::HashMap;
use std::hash::RandomState;
use std::sync::{Arc, Condvar};
use std::time::Duration;
use std::{io, mem};

/// The changes that wait for the next commit, and those that are being committed.
///
/// Each request is [decided](Journal::decide) as if all earlier ones were visible, and answered
/// once they are. The commit gets only the combined result of a name's requests. If there is no
/// room for a result, the requests decided upon it are judged again. A request that needs the
/// visible state of a file waits, and blocks further decisions on that file meanwhile.
#[derive(Debug)]
pub(in crate::files) struct Journal {
    /// The files that have decided changes.
    files: HashMap<Key, Pending, RandomState>,
    /// The files among them that are in the next commit.
    next: Vec<Key>,
    /// The size of all contents that were put for it.
    next_numbytes: u64,
    /// How large a commit is that is written as a whole in any case.
    whole: Whole,
    /// The next commit, and the running one.
    commit: Arc<Commit>,
    running: Arc<Commit>,
    /// The last place given to a request in its commit. No place is given twice.
    place: usize,
    pub(in crate::files) gathering: Gathering,
    /// The smallest size, in bytes, of contents that stay on disk.
    stored_from: usize,
    /// Wakes the committer.
    to_commit: Arc<Condvar>,
    /// Whether the committer commits the time now and then. Otherwise the first deadline wakes it.
    pub(in crate::files) keeps_time: bool,
    /// Whether some thread is committing.
    is_committing: bool,
    /// Why a commit has failed. Nothing is committed after it.
    failure: Option<io::Error>,
    /// Whether the journal ends once no change is waiting.
    pub(in crate::files) is_ending: bool,
    /// Whether nothing is committed any more.
    ended: bool,
}

/// Room for more files is given back when few are left in it: each takes about 400 bytes.
const KEPT_FILES: usize = 1024;

impl Journal {
    /// Creates the journal of a store that keeps contents of `stored_from` bytes or more out of
    /// memory, and writes batches up to `whole` as a whole. The committer waits on `to_commit`.
    pub(in crate::files) fn new(
        stored_from: usize,
        whole: Whole,
        to_commit: &Arc<Condvar>,
    ) -> Self {
        Journal {
            files: HashMap::default(),
            next: Vec::new(),
            next_numbytes: 0,
            whole,
            commit: Commit::new(to_commit),
            running: Commit::new(to_commit),
            place: 0,
            gathering: Gathering::default(),
            stored_from,
            to_commit: to_commit.clone(),
            keeps_time: false,
            is_committing: false,
            failure: None,
            is_ending: false,
            ended: false,
        }
    }

    /// Records a request on a file and its effect. If nothing is pending on the file, the request
    /// is decided upon the visible state. Returns the ticket, and the body that is no longer needed.
    pub(in crate::files) fn decide(
        &mut self,
        key: &Key,
        visible: &Files,
        asked: Asked,
        done: Done,
        charge: Option<Charge>,
    ) -> (Ticket, Option<Body>) {
        let place = self.next_place();
        if self.ended {
            return (Ticket::of(&self.commit, place), None);
        }
        let pending = self.files.entry_ref(key).or_insert_with(|| {
            let (is_open, is_large) = match visible.entry(key.as_ref()) {
                Some(entry) => (entry.fd().is_some(), matches!(entry.body, Body::Stored(_))),
                None => (false, false),
            };
            Pending { is_open, is_large, ..Pending::default() }
        });
        if let Done::Put(draft) = &done {
            self.next_numbytes = self.next_numbytes.saturating_add(draft.body.numbytes());
            pending.is_large |= draft.body.numbytes() >= self.stored_from as u64;
            pending.charge = charge.or(pending.charge.take());
        }
        let (chain, commit) = match (&mut pending.next, &mut pending.running, &done) {
            // It only waits for the changes that it was judged by.
            (None, Some(running), Done::Nothing) => (running, &self.running),
            (next, running, _) => {
                let begin = || {
                    self.next.push(key.clone());
                    Chain::upon(match running {
                        Some(running) => running.file().cloned(),
                        None => visible.entry(key.as_ref()).map(Draft::of),
                    })
                };
                (next.get_or_insert_with(begin), &self.commit)
            }
        };
        (Ticket::of(commit, place), chain.add(place, asked, done))
    }

    fn next_place(&mut self) -> usize {
        self.place += 1;
        self.place
    }

    /// Returns the decided state of a file, if something is pending on it and the request may be
    /// decided upon that. `by_name` is false if the request names the file by its descriptor.
    pub(in crate::files) fn decided(
        &self,
        file: FileRef<'_>,
        asked: Asked,
        by_name: bool,
    ) -> Option<Option<&Draft>> {
        let pending = self.files.get(&file)?;
        // In a commit that is written in parts, the last change of a name may come long after the first
        // one: no part would be the table at one of its versions.
        let Whole { mutations, numbytes } = self.whole;
        let is_whole = self.next.len() <= mutations && self.next_numbytes <= numbytes;
        let joins = is_whole || pending.next.is_none() || asked == Asked::Read;
        (joins && pending.takes(asked, by_name)).then(|| pending.file())
    }

    /// Returns whether a put on this file now creates one that has no charge yet.
    pub(in crate::files) fn makes_file(&self, file: FileRef<'_>, is_visible: bool) -> bool {
        let Some(pending) = self.files.get(&file) else { return !is_visible };
        let before = pending.running.as_ref().map_or(is_visible, |chain| chain.file().is_some());
        !before && pending.file().is_none() && pending.charge.is_none()
    }

    /// Returns the ticket of what is pending on a file, to be waited for before the file is judged by
    /// its visible state. Nothing more is decided on it until then.
    pub(super) fn ticket(&mut self, file: FileRef<'_>) -> Option<Ticket> {
        let place = self.next_place();
        let pending = self.files.get_mut(&file)?;
        pending.awaited = true;
        let commit = if pending.next.is_some() { &self.commit } else { &self.running };
        Some(Ticket::of(commit, place))
    }

    pub(in crate::files) fn has(&self, file: FileRef<'_>) -> bool {
        self.files.contains_key(&file)
    }

    /// Returns whether no change waits for the next commit.
    pub(in crate::files) fn is_empty(&self) -> bool {
        self.next.is_empty()
    }

    /// A thread waits for this ticket. Perhaps its commit is no longer the next one.
    pub(in crate::files) fn join(&mut self, ticket: &Ticket) {
        if ticket.is_of(&self.commit) {
            self.gathering.join();
        }
    }

    /// Begins a commit, unless another one is running or has failed, or this one has to wait for more
    /// changes: then the committer begins it.
    pub(in crate::files) fn begin(&mut self) -> bool {
        if self.is_committing || self.failure.is_some() || self.ended {
            return false;
        }
        self.is_committing = !self.gathering.is_held();
        if !self.is_committing && self.gathering.is_unseen() {
            self.to_commit.notify_one();
        }
        self.is_committing
    }

    /// Ends the running commit, which had this many changes. The next one may wait for further changes of
    /// the clients that are answered now.
    pub(in crate::files) fn end_commit(
        &mut self,
        done: io::Result<()>,
        changes: usize,
        gather: Option<Gather>,
    ) {
        self.is_committing = false;
        self.failure = done.err();
        let expected = self.next.len() + changes;
        if let Some(gather) = gather.filter(|gather| expected <= gather.changes) {
            self.gathering.hold(gather.longest);
        }
    }

    /// Returns how long the committer waits before it asks again; `None` if it may commit.
    pub(in crate::files) fn gathers(&mut self) -> Option<Duration> {
        if self.failure.is_some() || self.is_ending {
            self.gathering.release();
        }
        self.gathering.look()
    }

    /// Returns whether the committer has something to do now.
    pub(in crate::files) fn has_work(&self) -> bool {
        !self.is_committing && (!self.is_empty() || self.is_ending || self.failure.is_some())
    }

    /// Returns how all commits have ended, once nothing more is to be committed.
    pub(in crate::files) fn outcome(&mut self) -> Option<io::Result<()>> {
        match self.failure.take() {
            Some(failure) => Some(Err(failure)),
            None => (self.is_ending && !self.is_committing && self.is_empty()).then_some(Ok(())),
        }
    }

    /// Takes all waiting changes, for the commit that has [begun](Journal::begin). The next one is
    /// written as a whole up to `whole`.
    pub(in crate::files) fn take(
        &mut self,
        visible: &Files,
        changes: &ChangeLog,
        whole: Whole,
    ) -> Batch {
        (self.next_numbytes, self.whole) = (0, whole);
        self.running = mem::replace(&mut self.commit, Commit::new(&self.to_commit));
        self.gathering.depart();
        let (mut steps, mut unchanged) = (Vec::new(), Vec::new());
        for key in mem::take(&mut self.next) {
            let Some(pending) = self.files.get_mut(&key) else { continue };
            let (next, charge) = (pending.next.take(), pending.charge.take());
            let Some(chain) = next else { continue };
            let removed = match &key {
                Key::Name(name) => changes.removed(name),
                Key::Open(_) => None,
            };
            let seen = visible.entry(key.as_ref());
            let (step, instead) = chain.steps(&key, seen, removed, charge.unwrap_or_default());
            let first = chain.first_version();
            pending.running = Some(chain);
            match step {
                Some(step) => steps.push(CommitStep { step, instead, first }),
                None => unchanged.push(key),
            }
        }
        steps.sort_by_key(|staging| staging.step.version());
        Batch { steps, unchanged, commit: self.running.clone() }
    }

    /// Records that the running commit is finished for a file. Returns the chain to be dropped.
    pub(in crate::files) fn finish(&mut self, key: &Key) -> Option<Chain> {
        let pending = self.files.get_mut(key)?;
        let chain = pending.running.take();
        if pending.next.is_none() {
            self.files.remove(key);
            if self.files.capacity() > KEPT_FILES && self.files.len() < self.files.capacity() / 8 {
                self.files.shrink_to(self.files.len() * 2);
            }
        }
        chain
    }

    /// Refuses a step of the running commit, or only its contents, for lack of room.
    pub(in crate::files) fn refuse(
        &mut self,
        key: &Key,
        lack: &Lack,
        visible: &Files,
        now: Duration,
    ) {
        let Some(pending) = self.files.get_mut(key) else { return };
        let Some(running) = &mut pending.running else { return };
        let seen = visible.entry(key.as_ref()).map(Draft::of);
        let left = running.refuse(lack, seen, now, &self.running);
        if let Some(next) = &mut pending.next {
            next.move_upon(left, now, &lack.why, &self.commit);
        }
        if !lack.put_only {
            self.finish(key);
        }
    }

    /// Returns for how many files there is room.
    #[cfg(test)]
    pub(in crate::files) fn room(&self) -> usize {
        self.files.capacity()
    }

    /// Stops committing. Pending and later changes are refused.
    pub(in crate::files) fn end(&mut self) {
        self.ended = true;
        self.files.clear();
        self.next.clear();
        self.commit.publish(Err(Refusal::Internal));
    }
}
