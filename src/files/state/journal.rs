//! What is decided and not seen yet, for a table that is kept: each change is on disk before
//! anybody sees it.

use super::asked::Asked;
use super::chain::{Chain, Done, Draft, Lack};
use super::changes::ChangeLog;
use super::entry::{Body, Entry};
use super::step::Step;
use super::ticket::{Commit, Ticket};
use crate::budget::Charge;
use crate::files::stat::Fd;
use crate::files::store::Change;
use crate::name::Name;
use crate::refusal::Refusal;
use std::collections::HashMap;
use std::mem;
use std::sync::Arc;
use std::time::Duration;

/// The changes that wait for the next commit, and those that are being committed.
///
/// Requests are [decided](Journal::decide) one upon the other, as if all before them were seen, and
/// each is answered when that is so; of a name's requests the commit gets the result. Where there
/// is no room for a result, those that were decided upon it are judged again. Who needs a file as
/// it is seen waits, and lets nothing more be decided on it meanwhile.
#[derive(Debug)]
pub(in crate::files) struct Journal {
    /// The names on which something is decided.
    names: HashMap<Name, Staged>,
    /// Those of them that are in the next commit.
    next: Vec<Name>,
    /// The files without a name.
    unnamed: HashMap<Fd, Ticket>,
    next_unnamed: Vec<Step>,
    /// What the next commit will be, and the one that runs.
    commit: Arc<Commit>,
    running: Arc<Commit>,
    /// The next request's place in its commit; none is given twice.
    place: usize,
    /// The least size of contents that will not be in memory.
    stored_from: usize,
    /// When nothing waits, it ends.
    pub(in crate::files) is_ending: bool,
    /// Nothing will be committed any more.
    ended: bool,
}

/// What is decided on a name.
#[derive(Debug, Default)]
struct Staged {
    running: Option<Chain>,
    next: Option<Chain>,
    /// For the file that `next` makes, if it makes one.
    charge: Option<Charge>,
    /// Somebody has the file open.
    is_open: bool,
    /// Contents may be in the store alone.
    is_large: bool,
    /// Somebody waits until it is seen, and would wait for ever if more were decided.
    awaited: bool,
}

/// What is committed at once.
#[derive(Debug)]
pub(in crate::files) struct Batch {
    /// In the order of their versions.
    pub(in crate::files) steps: Vec<Staging>,
    /// Names that stay as they are.
    pub(in crate::files) unchanged: Vec<Name>,
    pub(in crate::files) commit: Arc<Commit>,
}

/// What a commit shall do to a file, and what instead if there is no room for its contents.
#[derive(Debug)]
pub(in crate::files) struct Staging {
    pub(in crate::files) step: Step,
    pub(in crate::files) instead: Option<Step>,
    /// The first version of which this brings the result.
    pub(in crate::files) first: Option<u64>,
}

impl Staging {
    /// As a store keeps it.
    pub(in crate::files) fn kept(&self) -> (Change, Option<Change>) {
        (self.step.kept(), self.instead.as_ref().map(Step::kept))
    }
}

impl Journal {
    /// For a store that does not keep contents of `stored_from` bytes and more in memory.
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

    /// Takes a request on a name, and what it does. If nothing is staged on the name, it is decided
    /// upon what is seen; the ticket, and contents that are not wanted any more.
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
            // It waits for no more than it was judged by.
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

    /// Takes a change to a file without a name, on which nothing is staged.
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

    /// The file of this name as it is decided, if something is staged on it and this may be decided
    /// upon that. `by_name` says whether it was not asked for by its descriptor.
    pub(in crate::files) fn decided(
        &self,
        name: &str,
        asked: Asked,
        by_name: bool,
    ) -> Option<(&Name, Option<&Draft>)> {
        let (name, staged) = self.names.get_key_value(name)?;
        staged.takes(asked, by_name).then(|| (name, staged.file()))
    }

    /// Whether contents that are put on this name now make a file that nothing is counted for yet.
    pub(in crate::files) fn makes_file(&self, name: &Name, is_seen: bool) -> bool {
        let Some(staged) = self.names.get(name) else { return !is_seen };
        let before = staged.running.as_ref().map_or(is_seen, |chain| chain.file().is_some());
        !before && staged.file().is_none() && staged.charge.is_none()
    }

    /// What has to be waited for before the file of this name can be judged by what is seen.
    pub(super) fn staged(&mut self, name: &str) -> Option<Ticket> {
        let place = self.next_place();
        let staged = self.names.get_mut(name)?;
        staged.awaited = true;
        let commit = if staged.next.is_some() { &self.commit } else { &self.running };
        Some(Ticket::of(commit, place))
    }

    /// What has to be waited for before a file without a name can be judged by what is seen.
    pub(super) fn staged_unnamed(&self, fd: Fd) -> Option<Ticket> {
        self.unnamed.get(&fd).cloned()
    }

    pub(in crate::files) fn has(&self, name: &str) -> bool {
        self.names.contains_key(name)
    }

    /// Whether nothing waits.
    pub(in crate::files) fn is_empty(&self) -> bool {
        self.next.is_empty() && self.next_unnamed.is_empty()
    }

    /// All that waits, to be committed now; nothing is being committed.
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

    /// What was committed of a file is seen by all now; what is left to be dropped.
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

    /// There is no room for a step of the commit that runs, or not for its contents.
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

    /// Commits nothing any more: what waits and what comes is told that it will not be.
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
    /// The file as it is decided.
    fn file(&self) -> Option<&Draft> {
        self.next.as_ref().or(self.running.as_ref()).and_then(Chain::file)
    }

    /// Whether more may be decided upon this.
    fn takes(&self, asked: Asked, by_name: bool) -> bool {
        // A read of what is refused gets what is there instead, which has to be in memory.
        if self.awaited || (asked == Asked::Read && self.is_large) {
            return false;
        }
        match self.file() {
            Some(Draft { body: Body::Code(..), .. }) => false,
            // Who has it open keeps what it is by then.
            Some(_) => !(self.is_open && matches!(asked, Asked::Remove(_) | Asked::End)),
            None => by_name && !self.is_open,
        }
    }
}
