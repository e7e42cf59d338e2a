//! From decided to visible: one thread at a time writes what waits to the store, then makes it visible.
//!
//! That is the thread of a request, unless another one is committing: then the committer goes on after it.

use super::fit::commit_what_fits;
use super::{Table, lost};
use crate::budget::{Budget, Charge};
use crate::contents::Contents;
use crate::files::stat::Looked;
use crate::files::state::State;
use crate::files::state::chain::Lack;
use crate::files::state::files::entry::Body;
use crate::files::state::journal::Journal;
use crate::files::state::step::{Batch, CommitStep, Effect, Step};
use crate::files::state::ticket::Ticket;
use crate::files::store::{Gather, Head, Store};
use crate::refusal::Refusal;
use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::mem;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::thread;
use std::time::{Duration, Instant};

/// How long the stored time may stand still while a file has a deadline.
const TIME_EVERY: Duration = Duration::from_secs(10);

impl Table {
    /// Commits decided changes for which no other thread does it, until
    /// [`end_commits`](Table::end_commits), then closes the store. Runs in a thread of its own, which
    /// has nothing to do in a table without a store.
    ///
    /// # Errors
    /// Those of the store, whichever thread met them. The state of the disk is unknown then, and the
    /// process should end.
    pub(crate) fn commit(&self) -> io::Result<()> {
        let done = self.commit_all();
        if let Some(store) = &self.store {
            store.close();
        }
        done
    }

    fn commit_all(&self) -> io::Result<()> {
        let mut is_time_due = false;
        loop {
            match is_time_due {
                true => self.commit_time(),
                false => {
                    self.gather();
                    self.commit_waiting();
                }
            }
            let mut state = self.lock().state;
            let has_deadline = state.ends.next().is_some();
            let Some(journal) = &mut state.journal else { return Ok(()) };
            if let Some(done) = journal.outcome() {
                journal.end();
                return done;
            }
            journal.keeps_time = has_deadline;
            if has_deadline {
                let waited = self.to_commit.wait_timeout_while(state, TIME_EVERY, |s| !is_due(s));
                let (state, waited) = waited.unwrap_or_else(|_| lost());
                is_time_due = waited.timed_out() && state.ends.next().is_some();
            } else {
                let waited = self.to_commit.wait_while(state, |state| !is_due(state));
                drop(waited.unwrap_or_else(|_| lost()));
                is_time_due = false;
            }
        }
    }

    /// Blocks until the outcome of a decided change is known, as [`Ticket::wait`] does. Commits what
    /// waits in the calling thread if no other one is committing: then nobody has to be woken.
    ///
    /// # Errors
    /// Those of [`Ticket::wait`].
    pub(crate) fn outcome(&self, ticket: &Ticket) -> Result<Option<Looked>, Refusal> {
        if !ticket.is_known() {
            self.commit_next(false, Some(ticket));
        }
        ticket.outcome()
    }

    /// Commits the waiting changes, if there are any.
    pub(in crate::files) fn commit_waiting(&self) {
        self.commit_next(false, None);
    }

    /// Commits the time alone, if no changes wait. After a kill, files with a deadline get back the
    /// time since the last commit.
    pub(in crate::files) fn commit_time(&self) {
        self.commit_next(true, None);
    }

    /// Commits what waits, or the time if `is_time_due` and nothing waits. If another thread is
    /// committing, the committer does that after it. This thread waits for the ticket.
    fn commit_next(&self, is_time_due: bool, ticket: Option<&Ticket>) {
        let mut table = self.lock();
        let time = table.now();
        let state = &mut *table.state;
        let (Some(journal), Some(store)) = (&mut state.journal, &self.store) else { return };
        if let Some(ticket) = ticket {
            journal.join(ticket);
        }
        if journal.is_empty() != is_time_due || !journal.begin() {
            return;
        }
        let batch = journal.take(&state.files, &state.changes, store.whole());
        let forgotten = state.changes.forgotten();
        let head = Head { epoch: self.epoch, version: state.taken, time, forgotten };
        drop(table);
        let _lost = LostInPanic;
        let (commit, changes) = (batch.commit.clone(), batch.steps.len());
        let done = self.write_and_show(batch, &**store, &head);
        let outcome = done.as_ref().map(drop).map_err(|_| Refusal::Internal);
        if done.is_err() {
            self.is_lost.store(true, SeqCst); // before anybody hears of it
        }
        self.end_commit(done, changes, store.gather());
        commit.publish(outcome);
    }

    /// Waits for the clients that the last commit has answered, so that one commit has the next changes of all.
    fn gather(&self) {
        let mut state = self.lock().state;
        while let Some(longest) = state.journal.as_mut().and_then(Journal::gathers) {
            let waited = self.to_commit.wait_timeout(state, longest);
            state = waited.unwrap_or_else(|_| lost()).0;
        }
    }

    /// Lets another thread commit: first of all, since the disk is idle meanwhile.
    fn end_commit(&self, done: io::Result<()>, changes: usize, gather: Option<Gather>) {
        let mut state = self.lock().state;
        let Some(journal) = &mut state.journal else { return };
        journal.end_commit(done, changes, gather);
        let is_due = is_due(&state);
        drop(state);
        if is_due {
            self.to_commit.notify_one();
        }
    }

    /// Returns whether a commit has failed. Whether its changes are on disk is unknown then, so no
    /// reply may say that they are not.
    pub(crate) fn is_lost(&self) -> bool {
        self.is_lost.load(SeqCst)
    }

    /// Ends the thread in [`commit`](Table::commit) once it has committed what waits. Nothing can
    /// be changed after that.
    pub(crate) fn end_commits(&self) {
        if let Some(journal) = &mut self.lock().state.journal {
            journal.is_ending = true;
        }
        self.to_commit.notify_all();
    }

    /// Brings a batch to the disk. Only then does it become visible.
    fn write_and_show(&self, batch: Batch, store: &dyn Store, head: &Head) -> io::Result<()> {
        let Batch { steps, unchanged, .. } = batch;
        let begun = Instant::now();
        let committed = self.write_steps(steps, store, head)?;
        let files = committed.len() as u64;
        self.show(committed, &unchanged, store.stored_from());
        self.commits.micros.record(begun.elapsed().as_micros() as u64);
        self.commits.files.record(files);
        Ok(())
    }

    /// Writes steps to the store. Returns those that are on disk, without those that found no room.
    fn write_steps(
        &self,
        mut steps: Vec<CommitStep>,
        store: &dyn Store,
        head: &Head,
    ) -> io::Result<Vec<CommitStep>> {
        let changes = steps.iter().map(CommitStep::mutations).collect();
        load_open(&mut steps, store, &self.budget)?;
        let lacks = commit_what_fits(store, changes, head)?;
        Ok(self.refuse(steps, &lacks))
    }

    /// Refuses the steps for which there is no room. Returns the steps that were committed.
    fn refuse(&self, steps: Vec<CommitStep>, lacks: &BTreeMap<usize, Lack>) -> Vec<CommitStep> {
        if lacks.is_empty() {
            return steps;
        }
        let mut table = self.lock();
        let now = table.now();
        let State { journal, files, .. } = &mut *table.state;
        let (mut committed, mut given_up) = (Vec::new(), Vec::new());
        for (number, mut change) in steps.into_iter().enumerate() {
            let Some(lack) = lacks.get(&number) else {
                committed.push(change);
                continue;
            };
            if let Some(journal) = journal {
                journal.refuse(&change.step.key, lack, files, now);
            }
            match change.instead.take().filter(|_| lack.put_only) {
                Some(step) => {
                    given_up.push(mem::replace(&mut change.step, step));
                    committed.push(change);
                }
                None => given_up.push(change.step),
            }
        }
        drop(table);
        committed.sort_by_key(|change| change.step.version());
        committed
    }
}

/// Returns whether the committer has something to do: a commit, or to look at the time from now on.
fn is_due(state: &State) -> bool {
    let Some(journal) = &state.journal else { return true };
    journal.has_work() || (!journal.keeps_time && state.ends.next().is_some())
}

/// Aborts the process on a panic. Otherwise a waiter for a commit would hang forever.
struct LostInPanic;

impl Drop for LostInPanic {
    fn drop(&mut self) {
        if thread::panicking() {
            lost()
        }
    }
}

/// Loads contents that somebody has open from the store, before they are dropped there.
fn load_open(steps: &mut [CommitStep], store: &dyn Store, budget: &Arc<Budget>) -> io::Result<()> {
    for CommitStep { step: Step { key, effect }, .. } in steps {
        let Effect::Remove { old, open: Some(body), .. } = effect else { continue };
        match store.contents(*old) {
            Ok(None) => {}
            Ok(Some(contents)) => {
                // Exceeds the budget if necessary: an end cannot be refused.
                let mut charge = Charge::none(budget);
                charge.grow_over(Contents::cost(contents.len()));
                *body = Body::Bytes(contents.with_charge(charge));
            }
            // They are damaged, and stay so for every client that has them open.
            Err(e) if e.kind() == ErrorKind::InvalidData => {
                log::error!("{key}: {e}");
            }
            Err(e) => return Err(e),
        }
    }
    Ok(())
}
