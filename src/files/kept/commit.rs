//! From decided to seen: one thread writes what waits to the store, and then shows it.

use super::fit::commit_what_fits;
use super::journal::Batch;
use super::step::Step;
use super::store::{Change, Head, Store};
use super::ticket::Commit;
use crate::budget::{Budget, Charge};
use crate::contents::Contents;
use crate::files::entry::{Body, Entry};
use crate::files::state::State;
use crate::files::table::{Table, lost};
use crate::refusal::{Limit, Refusal};
use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::thread;

/// So many steps are shown before others are let in.
const SHOWN_STEPS: usize = 256;

impl Table {
    /// Commits what is decided, until [`end_commits`](Table::end_commits). For a thread of its own;
    /// it has nothing to do in a table without a store.
    ///
    /// # Errors
    /// Those of the store. What is on disk is not known then, and the process should end.
    pub fn commit(&self) -> io::Result<()> {
        let _lost = LostInPanic;
        loop {
            let done = self.commit_waiting();
            let mut state = self.lock().state;
            let Some(journal) = &mut state.journal else { return Ok(()) };
            if done.is_err() || (journal.is_ending && journal.is_empty()) {
                journal.end();
                return done;
            }
            let waits = |state: &mut State| {
                let journal = state.journal.as_ref();
                journal.is_some_and(|journal| journal.is_empty() && !journal.is_ending)
            };
            drop(self.staged.wait_while(state, waits).unwrap_or_else(|_| lost()));
        }
    }

    /// Ends the thread in [`commit`](Table::commit), when it has done what waits. Nothing can be
    /// changed after that.
    pub fn end_commits(&self) {
        if let Some(journal) = &mut self.lock().state.journal {
            journal.is_ending = true;
        }
        self.staged.notify_all();
    }

    /// Commits what waits.
    pub(super) fn commit_waiting(&self) -> io::Result<()> {
        let mut table = self.lock();
        let time = table.now();
        let state = &mut *table.state;
        let (Some(journal), Some(store)) = (&mut state.journal, &self.store) else {
            return Ok(());
        };
        if journal.is_empty() {
            return Ok(());
        }
        let Batch { mut steps, commit } = journal.take();
        let forgotten = state.changes.forgotten();
        let head = Head { epoch: self.epoch, version: state.taken, time, forgotten };
        let changes: Vec<Change> = steps.iter().map(|(_, step)| step.kept(state)).collect();
        drop(table);
        let refused = load_open(&mut steps, &**store, &self.budget)
            .and_then(|()| commit_what_fits(&**store, changes, &head));
        match refused {
            Ok(refused) => {
                let steps = self.refuse(steps, &refused, &commit);
                self.show(steps, &commit, store.stored_from());
                commit.tell(Ok(()));
                Ok(())
            }
            Err(e) => {
                commit.tell(Err(Refusal::Internal));
                Err(e)
            }
        }
    }

    /// Refuses the steps for which there is no room; the others.
    fn refuse(
        &self,
        mut steps: Vec<(usize, Step)>,
        refused: &BTreeMap<usize, u64>,
        commit: &Arc<Commit>,
    ) -> Vec<(usize, Step)> {
        if refused.is_empty() {
            return steps;
        }
        let mut table = self.lock();
        let Some(journal) = &mut table.state.journal else { return steps };
        let (mut number, mut upon) = (0, Vec::new());
        let given_up: Vec<_> = steps
            .extract_if(.., |(place, step)| {
                let max = refused.get(&number);
                number += 1;
                if let Some(max) = max {
                    let why = Refusal::Limit(Limit::Data, *max);
                    upon.extend(journal.refuse((*place, step), commit, &why));
                }
                max.is_some()
            })
            .collect();
        drop(table);
        drop((given_up, upon));
        steps
    }

    /// What is on disk is seen from now on.
    fn show(&self, steps: Vec<(usize, Step)>, commit: &Arc<Commit>, stored_from: usize) {
        let mut steps = steps.into_iter().map(|(_, step)| step).peekable();
        while steps.peek().is_some() {
            let mut table = self.lock();
            let mut dropped = Vec::new();
            for step in steps.by_ref().take(SHOWN_STEPS) {
                if let Some(journal) = &mut table.state.journal {
                    journal.settle(&step, commit);
                }
                dropped.push(table.state.show(step, stored_from));
            }
            drop(table);
            drop(dropped);
        }
    }
}

impl State {
    /// Takes a step; what is left of the file that was there, to be dropped.
    fn show(&mut self, step: Step, stored_from: usize) -> Left {
        let mut left = Left::default();
        match step {
            Step::Insert { name, mut entry } => {
                (entry.body, left._contents) = entry.body.in_store(stored_from);
                self.insert(name, entry);
            }
            Step::Change { name, version, body, end, .. } => {
                let (body, contents) = body.in_store(stored_from);
                left._contents = contents;
                left._body = self.change(name.as_ref(), version, body, end);
            }
            Step::ChangeUnnamed { fd, version, body } => {
                left._body = self.change_unnamed(fd, version, body);
            }
            Step::Touch { name, end } => self.touch(name.as_ref(), end),
            Step::Remove { name, version, open, .. } => {
                let fd = self.files.get(&name).and_then(|entry| entry.fd);
                left._entry = self.remove(name.as_ref(), version);
                if let (Some(body), Some(fd)) = (open, fd) {
                    self.keep_unnamed(fd, body);
                }
            }
        }
        left
    }
}

/// Who waits for a commit would wait for ever.
struct LostInPanic;

impl Drop for LostInPanic {
    fn drop(&mut self) {
        if thread::panicking() {
            lost()
        }
    }
}

/// What a step leaves: it is dropped when the lock is not held any more.
#[derive(Default)]
struct Left {
    _entry: Option<Box<Entry>>,
    _body: Option<Body>,
    _contents: Option<Contents>,
}

/// Takes what somebody has open from the store, before it is dropped there.
fn load_open(
    steps: &mut [(usize, Step)],
    store: &dyn Store,
    budget: &Arc<Budget>,
) -> io::Result<()> {
    for (_, step) in steps {
        let Step::Remove { name, old, open: Some(body), .. } = step else { continue };
        match store.contents(*old) {
            Ok(None) => {}
            Ok(Some(contents)) => {
                // Over the budget if need be: nobody refuses an end.
                let mut charge = Charge::none(budget);
                charge.grow_over(Contents::cost(contents.len()));
                *body = Body::Bytes(contents.with_charge(charge));
            }
            // They are damaged, and so they stay for whoever has them open.
            Err(e) if e.kind() == ErrorKind::InvalidData => {
                log::error!("{}: {e}", name.as_ref());
            }
            Err(e) => return Err(e),
        }
    }
    Ok(())
}
