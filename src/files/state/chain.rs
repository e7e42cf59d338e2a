//! The requests decided on one file for one commit, each upon the one before. The store and the
//! table get only the result.

use super::asked::Asked;
use super::expiry::End;
use super::files::entry::{Body, Entry};
use super::key::Key;
use super::step::{Draft, Effect, Step};
use super::ticket::{Commit, Instead};
use crate::budget::Charge;
use crate::refusal::Refusal;
use std::time::Duration;

/// The effect of a request on the file that it is decided upon.
#[derive(Debug)]
pub(in crate::files) enum Done {
    /// None: the request reads, or is refused.
    Nothing,
    Put(Draft),
    Touched(Option<End>),
    /// Takes this version.
    Removed(u64),
}

/// The requests decided on one name or open file for one commit, and their result.
#[derive(Debug)]
pub(in crate::files) struct Chain {
    links: Vec<Link>,
    combined: Combined,
    /// The index of the first put that contributes to the resulting contents, if any.
    put_from: Option<usize>,
    /// The result of the links before `put_from`, if it is a change.
    before_put: Option<Combined>,
}

/// The result of a chain.
#[derive(Clone, Debug)]
struct Combined {
    /// `None` if there is no file.
    file: Option<Draft>,
    /// The latest version that was taken.
    version: Option<u64>,
    touched: bool,
}

#[derive(Debug)]
struct Link {
    /// The request's place in its commit.
    place: usize,
    asked: Asked,
    /// `Some` if it had an effect, with the version that it took, if any.
    did: Option<Option<u64>>,
}

/// Which changes of a chain found no room.
#[derive(Debug)]
pub(in crate::files) struct Lack {
    pub(in crate::files) why: Refusal,
    /// Whether the contents put last found no room, and the changes before them found some.
    pub(in crate::files) put_only: bool,
}

impl Chain {
    /// Creates an empty chain upon this file.
    pub(in crate::files) fn upon(file: Option<Draft>) -> Self {
        Chain {
            links: Vec::new(),
            combined: Combined::seen(file),
            put_from: None,
            before_put: None,
        }
    }

    /// Returns the resulting file.
    pub(in crate::files) fn file(&self) -> Option<&Draft> {
        self.combined.file.as_ref()
    }

    /// Returns the first version that was taken.
    pub(in crate::files) fn first_version(&self) -> Option<u64> {
        self.links.iter().find_map(|link| link.did?)
    }

    /// Adds a request and its effect on the file. Returns the body that is no longer needed.
    pub(in crate::files) fn add(&mut self, place: usize, asked: Asked, done: Done) -> Option<Body> {
        let at = self.links.len();
        let (mut did, mut replaced) = (Some(None), None);
        let combined = &mut self.combined;
        match done {
            Done::Nothing => did = None,
            Done::Put(draft) => {
                if self.put_from.is_none() {
                    self.put_from = Some(at);
                    self.before_put = combined.is_change().then(|| combined.clone());
                }
                combined.version = Some(draft.version);
                did = Some(combined.version);
                replaced = combined.file.replace(draft);
            }
            Done::Touched(end) => {
                combined.touched = true;
                combined.file.iter_mut().for_each(|file| file.end = end);
            }
            Done::Removed(version) => {
                combined.version = Some(version);
                did = Some(combined.version);
                replaced = combined.file.take();
                (self.put_from, self.before_put) = (None, None);
            }
        }
        self.links.push(Link { place, asked, did });
        replaced.map(|draft| draft.body)
    }

    /// Returns the chain's change to the visible file, if any, and its change without the contents
    /// put last, if that leaves one.
    pub(in crate::files) fn steps(
        &self,
        key: &Key,
        seen: Option<&Entry>,
        removed: Option<u64>,
        charge: Charge,
    ) -> (Option<Step>, Option<Step>) {
        let before = self.before_put.as_ref();
        let instead = before.and_then(|before| before.step(key, seen, removed, Charge::default()));
        (self.combined.step(key, seen, removed, charge), instead)
    }

    /// Refuses the chain, or a part of it, for lack of room. The requests of that part are answered
    /// by the file that remains: the visible one (`seen`), or the state before the refused
    /// contents. Returns that file.
    pub(in crate::files) fn refuse(
        &mut self,
        lack: &Lack,
        seen: Option<Draft>,
        now: Duration,
        commit: &Commit,
    ) -> Option<Draft> {
        let before = self.before_put.take().filter(|_| lack.put_only);
        let from = self.put_from.take().filter(|_| before.is_some()).unwrap_or(0);
        self.combined = before.unwrap_or_else(|| Combined::seen(seen));
        let file = &self.combined.file;
        self.links[from..].iter().for_each(|link| link.judge_again(file, now, &lack.why, commit));
        file.clone()
    }

    /// Moves the chain onto `file`, because the state that it was decided upon found no room. The
    /// first unconditional change has the same result on any file; requests before it are judged
    /// again.
    pub(in crate::files) fn move_upon(
        &mut self,
        file: Option<Draft>,
        now: Duration,
        why: &Refusal,
        commit: &Commit,
    ) {
        let is_same = |link: &Link| link.did.is_some() && link.asked.is_unconditional();
        let same = self.links.iter().position(is_same);
        let until = same.unwrap_or(self.links.len());
        self.links[..until].iter().for_each(|link| link.judge_again(&file, now, why, commit));
        let Some(same) = same else {
            (self.combined, self.put_from, self.before_put) = (Combined::seen(file), None, None);
            return;
        };
        if self.put_from.is_some_and(|from| from <= same) {
            (self.put_from, self.before_put) = (Some(same), None);
        }
        let link = &self.links[same];
        if link.asked == Asked::Remove(None) && living(&file, now).is_none() {
            link.judge_again(&file, now, why, commit);
            let is_it = |combined: &Combined| combined.version == link.did.flatten();
            if file.is_none() && is_it(&self.combined) {
                self.combined.version = None;
            }
            self.before_put.take_if(|combined| file.is_none() && is_it(combined));
        }
    }
}

impl Combined {
    fn seen(file: Option<Draft>) -> Self {
        Combined { file, version: None, touched: false }
    }

    fn is_change(&self) -> bool {
        self.version.is_some() || self.touched
    }

    fn step(
        &self,
        key: &Key,
        seen: Option<&Entry>,
        removed: Option<u64>,
        charge: Charge,
    ) -> Option<Step> {
        let effect = match (seen, &self.file, self.version) {
            (_, None, None) => return None,
            (None, None, Some(version)) => Effect::Pass { version, removed },
            (None, Some(draft), _) => Effect::Insert { draft: draft.clone(), charge, removed },
            (Some(entry), None, Some(version)) => {
                let stored = matches!(entry.body, Body::Stored(_)) && entry.fd().is_some();
                let open = stored.then(|| entry.body.clone());
                Effect::Remove { version, old: entry.version, open }
            }
            (Some(_), Some(file), None) if self.touched => Effect::Touch { end: file.end },
            (Some(_), Some(_), None) => return None,
            (Some(entry), Some(draft), Some(_)) => {
                Effect::Change { draft: draft.clone(), old: entry.version }
            }
        };
        Some(Step { key: key.clone(), effect })
    }
}

impl Link {
    /// Answers the request by `file` instead of the file that it was decided upon. A request that
    /// would change `file` is refused all the same.
    fn judge_again(&self, file: &Option<Draft>, now: Duration, why: &Refusal, commit: &Commit) {
        let file = living(file, now);
        let instead = match (self.asked.judge(file.map(|file| file.version)), file) {
            (Err(refusal), _) => Instead::Refused(refusal),
            (Ok(()), Some(file)) if self.asked == Asked::Read => match file.look(now) {
                Some(looked) => Instead::Read(looked),
                None => Instead::Refused(Refusal::Internal), // such a read is never decided
            },
            (Ok(()), _) => Instead::Refused(why.clone()),
        };
        commit.answer_instead(self.place, instead);
    }
}

fn living(file: &Option<Draft>, now: Duration) -> Option<&Draft> {
    file.as_ref().filter(|file| !file.is_over(now))
}
