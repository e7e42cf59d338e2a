//! What is decided and not seen yet, for a table that is kept: each change is on disk before
//! anybody sees it.

use super::step::Step;
use super::ticket::{Commit, Ticket};
use crate::files::descriptors::Fd;
use crate::files::entry::Body;
use crate::files::expiry::End;
use crate::files::state::State;
use crate::name::{FileRef, Name};
use crate::refusal::Refusal;
use std::collections::{BTreeMap, HashMap};
use std::mem;
use std::sync::Arc;

/// The changes that wait for the next commit, and those that are being committed.
///
/// A name is once at most in each of the two: contents may be [decided upon](Journal::put) by
/// others that are decided and not seen, and share their fate. Who wants anything else of such a
/// file waits, so that nothing is refused, and nothing removed, for what may still fail.
#[derive(Debug, Default)]
pub(in crate::files) struct Journal {
    /// For the next commit, by their places in it.
    steps: BTreeMap<usize, Step>,
    /// The next place; none is given twice, for one that was refused stays so.
    place: usize,
    /// What the next commit will be.
    commit: Arc<Commit>,
    /// The names that are changed by these, and by those that are being committed.
    names: HashMap<Name, Staged>,
    /// The files without a name.
    unnamed: HashMap<Fd, Ticket>,
    /// When nothing waits, it ends.
    pub(in crate::files) is_ending: bool,
    /// Nothing will be committed any more.
    ended: bool,
}

/// The last that is decided on a name.
#[derive(Debug)]
struct Staged {
    ticket: Ticket,
    /// The version of contents, on which others may be put.
    put: Option<u64>,
    /// Somebody waits until it is seen.
    awaited: bool,
}

/// What is committed at once.
#[derive(Debug)]
pub(in crate::files) struct Batch {
    /// In the order of their versions, with their places.
    pub(in crate::files) steps: Vec<(usize, Step)>,
    pub(in crate::files) commit: Arc<Commit>,
}

impl Journal {
    /// Takes a step into the next commit. Nothing but contents that it is put upon is staged on its
    /// file.
    pub(in crate::files) fn stage(&mut self, step: Step) -> Ticket {
        let place = self.place;
        self.place += 1;
        let ticket = Ticket::of(&self.commit, place);
        if self.ended {
            ticket.refuse(Refusal::Internal);
            return ticket;
        }
        match step.file() {
            Ok(name) => {
                let staged = Staged { ticket: ticket.clone(), put: step.put(), awaited: false };
                self.names.insert(name.clone(), staged);
            }
            Err(fd) => drop(self.unnamed.insert(fd, ticket.clone())),
        }
        self.steps.insert(place, step);
        ticket
    }

    /// The version of contents that are decided for this name and may be replaced before they are
    /// seen.
    pub(in crate::files) fn put_on(&self, name: &str) -> Option<u64> {
        // Else those who wait could wait for ever.
        self.names.get(name).filter(|staged| !staged.awaited)?.put
    }

    /// Decides contents upon those at version `old`, which are [staged](Journal::put_on); what is
    /// not wanted any more.
    pub(in crate::files) fn put(
        &mut self,
        name: Name,
        old: u64,
        version: u64,
        body: Body,
        end: Option<End>,
    ) -> (Ticket, Option<Body>) {
        if let Some(staged) = self.names.get_mut(&name)
            && let Some(place) = staged.ticket.place_in(&self.commit)
            && let Some(step) = self.steps.get_mut(&place)
        {
            staged.put = Some(version);
            return (staged.ticket.clone(), step.put_instead(version, body, end));
        }
        (self.stage(Step::Change { name, version, old, body, end }), None)
    }

    /// What has to be waited for before the file of this name can be judged.
    fn staged(&mut self, name: &str) -> Option<Ticket> {
        let staged = self.names.get_mut(name)?;
        staged.awaited = true;
        Some(staged.ticket.clone())
    }

    pub(in crate::files) fn has(&self, name: &str) -> bool {
        self.names.contains_key(name)
    }

    /// Whether nothing waits.
    pub(in crate::files) fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// All that waits, to be committed now.
    pub(in crate::files) fn take(&mut self) -> Batch {
        let mut steps: Vec<_> = mem::take(&mut self.steps).into_iter().collect();
        // What was put instead of others is at their place.
        steps.sort_by_key(|(_, step)| step.version());
        Batch { steps, commit: mem::take(&mut self.commit) }
    }

    /// A step of a commit is seen by all now.
    pub(in crate::files) fn settle(&mut self, step: &Step, commit: &Arc<Commit>) {
        match step.file() {
            Ok(name) => {
                let staged = self.names.get(name);
                if staged.is_some_and(|staged| staged.ticket.place_in(commit).is_some()) {
                    self.names.remove(name);
                }
            }
            Err(fd) => drop(self.unnamed.remove(&fd)),
        }
    }

    /// There is no room for a step of a commit, which was at this place; nor for what was decided
    /// upon that.
    pub(in crate::files) fn refuse(
        &mut self,
        (place, step): (usize, &Step),
        commit: &Arc<Commit>,
        why: &Refusal,
    ) -> Option<Step> {
        Ticket::of(commit, place).refuse(why.clone());
        let name = match step.file() {
            Ok(name) => name,
            Err(fd) => {
                self.unnamed.remove(&fd);
                return None;
            }
        };
        let latest = self.names.remove(name)?.ticket;
        let place = latest.place_in(&self.commit)?;
        latest.refuse(why.clone());
        self.steps.remove(&place)
    }

    /// Commits nothing any more: what waits and what comes is told that it will not be.
    pub(in crate::files) fn end(&mut self) {
        self.ended = true;
        let batch = self.take();
        self.names.clear();
        self.unnamed.clear();
        batch.commit.tell(Err(Refusal::Internal));
    }
}

impl State {
    /// What has to be waited for before the file can be judged.
    pub(in crate::files) fn staged(&mut self, file: FileRef<'_>) -> Option<Ticket> {
        self.journal.as_ref()?;
        match file {
            FileRef::Name(name) => self.journal.as_mut()?.staged(name.as_str()),
            FileRef::Descriptor(fd) => match self.name_of(file) {
                Some(name) => self.journal.as_mut()?.staged(name.as_str()),
                None => self.journal.as_ref()?.unnamed.get(&fd).cloned(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contents::Contents;
    use crate::name::NameRef;

    fn name(text: &str) -> Name {
        NameRef::new(text).unwrap().to_name()
    }

    fn body() -> Body {
        Body::Bytes(Contents::from(""))
    }

    fn change(text: &str, version: u64) -> Step {
        Step::Change { name: name(text), version, old: 0, body: body(), end: None }
    }

    #[test]
    fn what_is_refused_gives_its_place_to_nobody() {
        let mut journal = Journal::default();
        let refused = journal.stage(change("a", 1));
        let Batch { steps, commit } = journal.take();
        let (upon, _) = journal.put(name("a"), 1, 2, body(), None);
        let (place, step) = &steps[0];
        let why = Refusal::Internal;
        assert!(journal.refuse((*place, step), &commit, &why).is_some());
        let other = journal.stage(change("b", 3));
        let next = journal.take();
        assert_eq!(next.steps.len(), 1);
        next.commit.tell(Ok(()));
        assert_eq!([refused.wait(), upon.wait()], [Err(why.clone()), Err(why)]);
        assert_eq!(other.wait(), Ok(()));
    }
}
