//! From committed to visible: what is on disk is applied to the state, and others are let in between.

use super::Table;
use crate::contents::Contents;
use crate::files::state::State;
use crate::files::state::chain::Done;
use crate::files::state::files::entry::{Body, Entry};
use crate::files::state::key::Key;
use crate::files::state::step::{CommitStep, Effect, Step};

/// How many steps become visible before others are let in. Steps that belong together may be more.
const SHOWN_STEPS: usize = 256;
const MAX_SHOWN_STEPS: usize = 4096;

impl Table {
    /// Makes the committed steps visible.
    pub(super) fn show(&self, steps: Vec<CommitStep>, unchanged: &[Key], stored_from: usize) {
        let ends = ends(&steps);
        let mut steps = steps.into_iter();
        let mut shown = 0;
        for end in ends {
            let mut table = self.lock();
            let mut dropped = Vec::new();
            for CommitStep { step, .. } in steps.by_ref().take(end - shown) {
                let journal = table.state.journal.as_mut();
                let chain = journal.and_then(|journal| journal.finish(&step.key));
                dropped.push((chain, table.state.show(step, stored_from)));
            }
            shown = end;
            drop(table);
        }
        if !unchanged.is_empty()
            && let Some(journal) = &mut self.lock().state.journal
        {
            unchanged.iter().for_each(|key| drop(journal.finish(key)));
        }
    }
}

/// Returns where others are let in while these steps become visible. A step brings the results of
/// requests since its first version: nobody sees a later request's effect without those.
fn ends(steps: &[CommitStep]) -> Vec<usize> {
    let mut first = u64::MAX;
    let mut firsts: Vec<_> = steps
        .iter()
        .rev()
        .map(|change| {
            first = first.min(change.first.unwrap_or(u64::MAX));
            first
        })
        .collect();
    firsts.reverse();
    let (mut ends, mut begin) = (Vec::new(), 0);
    for at in 1..=steps.len() {
        let together =
            firsts.get(at).is_some_and(|first| Some(*first) < steps[at - 1].step.version());
        let many = at - begin;
        if at == steps.len() || many >= MAX_SHOWN_STEPS || (many >= SHOWN_STEPS && !together) {
            ends.push(at);
            begin = at;
        }
    }
    ends
}

impl State {
    /// Applies a step. Returns what is left of the replaced file, to be dropped.
    fn show(&mut self, Step { key, effect }: Step, stored_from: usize) -> Leftover {
        let mut leftover = Leftover::default();
        let id = self.files.find(key.as_ref());
        match (effect, key, id) {
            (Effect::Insert { draft, charge, .. }, Key::Name(name), _) => {
                let (body, contents) = draft.body.in_store(stored_from);
                leftover._contents = contents;
                self.insert(Entry::new(name, draft.version, body, draft.end), charge);
            }
            (Effect::Pass { version, .. }, Key::Name(name), _) => self.pass(name, version),
            (Effect::Change { mut draft, .. }, _, Some(id)) => {
                // The store keeps nothing of a file without a name.
                if self.files[id].name.is_some() {
                    (draft.body, leftover._contents) = draft.body.in_store(stored_from);
                }
                leftover._body = self.apply(id, Done::Put(draft));
            }
            (Effect::Touch { end }, _, Some(id)) => drop(self.apply(id, Done::Touched(end))),
            (Effect::Remove { version, open, .. }, _, Some(id)) => {
                let is_open = self.files[id].fd().is_some();
                leftover._body = self.apply(id, Done::Removed(version));
                if let (Some(body), true) = (open, is_open) {
                    self.files[id].body = body;
                }
            }
            _ => {} // there is no such file
        }
        leftover
    }
}

/// What a step leaves behind, to be dropped when the lock is no longer held.
#[derive(Default)]
struct Leftover {
    _body: Option<Body>,
    _contents: Option<Contents>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::NameRef;

    fn change((first, version): (u64, u64)) -> CommitStep {
        let name = NameRef::new(&version.to_string()).unwrap().to_name();
        let step = Step { key: Key::Name(name), effect: Effect::Pass { version, removed: None } };
        CommitStep { step, instead: None, first: Some(first) }
    }

    #[test]
    fn others_are_let_in_where_nothing_is_seen_before_what_was_done_before_it() {
        let steps: Vec<_> = (1..=600).map(|version| change((version, version))).collect();
        assert_eq!(ends(&steps), [SHOWN_STEPS, 2 * SHOWN_STEPS, 600]);
        // A name that was written first, and again after 299 others.
        let mut steps: Vec<_> = (2..=300).map(|version| change((version, version))).collect();
        steps.push(change((1, 301)));
        steps.extend((302..=900).map(|version| change((version, version))));
        assert_eq!(ends(&steps), [300, 300 + SHOWN_STEPS, 300 + 2 * SHOWN_STEPS, 899]);
        let steps: Vec<_> = (1..=5000).map(|version| change((1, version))).collect();
        assert_eq!(ends(&steps), [MAX_SHOWN_STEPS, 5000]);
        assert!(ends(&[]).is_empty());
    }
}
