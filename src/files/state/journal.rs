//! Decided changes that are not visible yet, for a table with a store: each change is on disk
//! before it becomes visible.

use super::asked::Asked;
use super::chain::{Chain, Done, Draft, Lack};
use super::changes::ChangeLog;
use super::entry::{Body, Entry};
use super::step::Step;
use super::ticket::{Commit, Ticket};
use crate::budget::Charge;
use crate::files::stat::Fd;
use crate::files::store::Mutation;
use crate::name::Name;
use crate::refusal::Refusal;
use std::collections::HashMap;
use std::mem;
use std::sync::Arc;
use std::time::Duration;

/// The changes that wait for the next commit, and those that are being committed.
///
/// Each request is [decided](Journal::decide) as if all earlier ones were visible, and answered
/// once they are. The commit gets only the combined result of a name's requests. If there is no
/// room for a result, the requests decided upon it are judged again. A request that needs the
/// visible state of a file waits, and blocks further decisions on that file meanwhile.
#[derive(Debug)]
pub(in crate::files) struct Journal {
    /// The names that have decided changes.
    names: HashMap<Name, Staged>,
    /// The names among them that are in the next commit.
    next: Vec<Name>,
    /// The same for files without a name.
    unnamed: HashMap<Fd, Ticket>,
    next_unnamed: Vec<Step>,
    /// The next commit, and the running one.
    commit: Arc<Commit>,
    running: Arc<Commit>,
    /// The last place given to a request in its commit. No place is given twice.
    place: usize,
    /// The smallest size, in bytes, of contents that stay on disk.
    stored_from: usize,
    /// Whether the journal ends once no change is waiting.
    pub(in crate::files) is_ending: bool,
    /// Whether nothing is committed any more.
    ended: bool,
}

/// The decided changes of a name.
#[derive(Debug, Default)]
struct Staged {
    running: Option<Chain>,
    next: Option<Chain>,
    /// For the file that `next` creates, if it creates one.
    charge: Option<Charge>,
    /// Whether the file is open.
    is_open: bool,
    /// Whether contents may be only in the store.
    is_large: bool,
    /// Whether a request waits for the visible state. It would hang forever if more were decided.
    awaited: bool,
}

/// The changes of one commit.
#[derive(Debug)]
pub(in crate::files) struct Batch {
    /// In the order of their versions.
    pub(in crate::files) steps: Vec<Staging>,
    /// Names whose requests leave them unchanged.
    pub(in crate::files) unchanged: Vec<Name>,
    pub(in crate::files) commit: Arc<Commit>,
}

/// A commit's change to a file, and its replacement if there is no room for the contents.
#[derive(Debug)]
pub(in crate::files) struct Staging {
    pub(in crate::files) step: Step,
    pub(in crate::files) instead: Option<Step>,
    /// The first of the versions that this change combines.
    pub(in crate::files) first: Option<u64>,
}

impl Staging {
    /// Returns both for the store.
    pub(in crate::files) fn mutations(&self) -> (Mutation, Option<Mutation>) {
        (self.step.mutation(), self.instead.as_ref().map(Step::mutation))
    }
}

impl Journal {
    /// Creates the journal of a store that keeps contents of `stored_from` bytes or more out of
    /// memory.
    pub(in crate::files) fn new(stored_from: usize) -> Self {
        Journal {
            names: HashMap::new(),
            next: Vec::new(),
            unnamed: HashMap::new(),
            next_unnamed: Vec::new(),
            commit: Arc::default(),
            running: Arc::default(),
            place: 0,
            stored_from,
            is_ending: false,
            ended: false,
        }
    }

    /// Records a request on a name and its effect. If nothing is staged on the name, the request is
    /// decided upon the visible state. Returns the ticket, and the body that is no longer needed.
    pub(in crate::files) fn decide(
        &mut self,
        name: &Name,
        files: &HashMap<Name, Box<Entry>>,
        asked: Asked,
        done: Done,
        charge: Option<Charge>,
    ) -> (Ticket, Option<Body>) {
        let place = self.next_place();
        if self.ended {
            return (Ticket::of(&self.commit, place), None);
        }
        if !self.names.contains_key(name) {
            let (is_open, is_large) = match files.get(name) {
                Some(entry) => (entry.fd.is_some(), matches!(entry.body, Body::Stored(_))),
                None => (false, false),
            };
            self.names.insert(name.clone(), Staged { is_open, is_large, ..Staged::default() });
        }
        let Some(staged) = self.names.get_mut(name) else { return (Ticket::DONE, None) };
        if let Done::Put(draft) = &done {
            staged.is_large |= draft.body.numbytes() >= self.stored_from as u64;
            staged.charge = charge.or(staged.charge.take());
        }
        let (chain, commit) = match (&mut staged.next, &mut staged.running, &done) {
            // It only waits for the changes that it was judged by.
            (None, Some(running), Done::Nothing) => (running, &self.running),
            (next, running, _) => {
                let begin = || {
                    self.next.push(name.clone());
                    Chain::upon(match running {
                        Some(running) => running.file().cloned(),
                        None => files.get(name).map(|entry| Draft::of(entry)),
                    })
                };
                (next.get_or_insert_with(begin), &self.commit)
            }
        };
        (Ticket::of(commit, place), chain.add(place, asked, done))
    }

    /// Records a change to a file without a name, on which nothing is staged.
    pub(in crate::files) fn change_unnamed(&mut self, fd: Fd, version: u64, body: Body) -> Ticket {
        let place = self.next_place();
        let ticket = Ticket::of(&self.commit, place);
        if !self.ended {
            self.unnamed.insert(fd, ticket.clone());
            self.next_unnamed.push(Step::ChangeUnnamed { fd, version, body });
        }
        ticket
    }

    fn next_place(&mut self) -> usize {
        self.place += 1;
        self.place
    }

    /// Returns the decided state of the name's file, if something is staged on it and the request
    /// may be decided upon that. `by_name` is false if the request names the file by its
    /// descriptor.
    pub(in crate::files) fn decided(
        &self,
        name: &str,
        asked: Asked,
        by_name: bool,
    ) -> Option<(&Name, Option<&Draft>)> {
        let (name, staged) = self.names.get_key_value(name)?;
        staged.takes(asked, by_name).then(|| (name, staged.file()))
    }

    /// Returns whether a put on this name now creates a file that has no charge yet.
    pub(in crate::files) fn makes_file(&self, name: &Name, is_seen: bool) -> bool {
        let Some(staged) = self.names.get(name) else { return !is_seen };
        let before = staged.running.as_ref().map_or(is_seen, |chain| chain.file().is_some());
        !before && staged.file().is_none() && staged.charge.is_none()
    }

    /// Returns what to wait for before the file of this name can be judged by its visible state.
    pub(super) fn staged(&mut self, name: &str) -> Option<Ticket> {
        let place = self.next_place();
        let staged = self.names.get_mut(name)?;
        staged.awaited = true;
        let commit = if staged.next.is_some() { &self.commit } else { &self.running };
        Some(Ticket::of(commit, place))
    }

    /// Returns what to wait for before a file without a name can be judged by its visible state.
    pub(super) fn staged_unnamed(&self, fd: Fd) -> Option<Ticket> {
        self.unnamed.get(&fd).cloned()
    }

    pub(in crate::files) fn has(&self, name: &str) -> bool {
        self.names.contains_key(name)
    }

    /// Returns whether no change waits for the next commit.
    pub(in crate::files) fn is_empty(&self) -> bool {
        self.next.is_empty() && self.next_unnamed.is_empty()
    }

    /// Takes all waiting changes, to be committed now. No other commit is running.
    pub(in crate::files) fn take(
        &mut self,
        files: &HashMap<Name, Box<Entry>>,
        changes: &ChangeLog,
        charge: impl Fn(&Name) -> Charge,
    ) -> Batch {
        self.running = mem::take(&mut self.commit);
        let unnamed = mem::take(&mut self.next_unnamed).into_iter();
        let mut steps: Vec<_> =
            unnamed.map(|step| Staging { first: step.version(), step, instead: None }).collect();
        let mut unchanged = Vec::new();
        for name in mem::take(&mut self.next) {
            let Some(staged) = self.names.get_mut(&name) else { continue };
            let (next, counted) = (staged.next.take(), staged.charge.take());
            let Some(chain) = next else { continue };
            let seen = files.get(&name).map(|entry| &**entry);
            let removed = changes.removed(&name);
            let (step, instead) =
                chain.steps(&name, seen, removed, || counted.unwrap_or_else(|| charge(&name)));
            let first = chain.first_version();
            staged.running = Some(chain);
            match step {
                Some(step) => steps.push(Staging { step, instead, first }),
                None => unchanged.push(name),
            }
        }
        steps.sort_by_key(|staging| staging.step.version());
        Batch { steps, unchanged, commit: self.running.clone() }
    }

    /// Records that the running commit is finished for a file. Returns the chain to be dropped.
    pub(in crate::files) fn settle(&mut self, file: Result<&Name, Fd>) -> Option<Chain> {
        match file {
            Ok(name) => {
                let staged = self.names.get_mut(name)?;
                let chain = staged.running.take();
                if staged.next.is_none() {
                    self.names.remove(name);
                }
                chain
            }
            Err(fd) => {
                self.unnamed.remove(&fd);
                None
            }
        }
    }

    /// Refuses a step of the running commit, or only its contents, for lack of room.
    pub(in crate::files) fn refuse(
        &mut self,
        file: Result<&Name, Fd>,
        lack: &Lack,
        files: &HashMap<Name, Box<Entry>>,
        now: Duration,
    ) {
        let name = match file {
            Ok(name) => name,
            Err(fd) => {
                self.unnamed.get(&fd).inspect(|ticket| ticket.refuse(lack.why.clone()));
                return drop(self.settle(Err(fd)));
            }
        };
        let Some(staged) = self.names.get_mut(name) else { return };
        let Some(running) = &mut staged.running else { return };
        let seen = files.get(name).map(|entry| Draft::of(entry));
        let left = running.refuse(lack, seen, now, &self.running);
        if let Some(next) = &mut staged.next {
            next.move_upon(left, now, &lack.why, &self.commit);
        }
        if !lack.put_only {
            self.settle(Ok(name));
        }
    }

    /// Stops committing. Pending and later changes are refused.
    pub(in crate::files) fn end(&mut self) {
        self.ended = true;
        self.names.clear();
        self.next.clear();
        self.unnamed.clear();
        self.next_unnamed.clear();
        self.commit.tell(Err(Refusal::Internal));
    }
}

impl Staged {
    /// Returns the decided state of the file.
    fn file(&self) -> Option<&Draft> {
        self.next.as_ref().or(self.running.as_ref()).and_then(Chain::file)
    }

    /// Returns whether a further request may be decided upon this.
    fn takes(&self, asked: Asked, by_name: bool) -> bool {
        // A read of a refused change gets the state without it, which has to be in memory.
        if self.awaited || (asked == Asked::Read && self.is_large) {
            return false;
        }
        match self.file() {
            Some(Draft { body: Body::Code(..), .. }) => false,
            // Its openers keep the state that it has by then.
            Some(_) => !(self.is_open && matches!(asked, Asked::Remove(_) | Asked::End)),
            None => by_name && !self.is_open,
        }
    }
}
