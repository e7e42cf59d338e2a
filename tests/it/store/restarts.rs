//! Confirmed batches survive restarts: a comparison with a plain model.

use super::{EPOCH, Found, fill, found, head, large, name, open, put, remove};
use crate::server::Folder;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::time::Duration;
use telefile::store::{CommitError, Head, Life, MAX_GONE, Mutation, Store};

#[test]
fn a_restarted_store_has_everything() {
    let folder = Folder::new();
    let store = open(folder.path()).unwrap();
    assert_eq!(found(&store).0, Head { version: 0, time: Duration::ZERO, ..head(0) });
    fill(&store);
    let before = found(&store);
    drop(store);

    let store = open(folder.path()).unwrap();
    let (found_head, files, gone) = found(&store);
    assert_eq!((found_head, &files, &gone), (head(8), &before.1, &before.2));
    assert_eq!(gone, [(8, "old".to_string())]);
    assert_eq!(files["größe"], (1, Life::Unlimited, Some(b"small".to_vec())));
    assert_eq!(files["a/large"], (2, Life::Unlimited, Some(large(1))));
    assert_eq!(files["b/lease"].1, Life::Until(Duration::new(3, 7)));
    assert_eq!(files["c/session"].1, Life::Connection);
    assert_eq!(files["d/code"], (5, Life::Unlimited, None));
    assert_eq!(store.contents(7).unwrap().map(|c| c.len()), None, "what was removed is dropped");
}

#[test]
fn a_closed_store_releases_its_folder() {
    let folder = Folder::new();
    let store = open(folder.path()).unwrap();
    fill(&store);
    assert!(open(folder.path()).is_err(), "one at a time");
    store.close();

    let next = open(folder.path()).unwrap();
    assert_eq!(found(&next).0, head(8));
    let late = store.commit(&[put("late", 9, None, b"")], &head(9));
    assert!(matches!(late, Err(CommitError::Failed(_))), "{late:?}");
    assert!(store.contents(2).is_err());
    drop(store);
    assert!(open(folder.path()).is_err(), "the lock is the next one's");
    assert_eq!(next.contents(2).unwrap().as_deref(), Some(&large(1)[..]));
}

#[test]
fn replaced_contents_are_removed() {
    let folder = Folder::new();
    let store = open(folder.path()).unwrap();
    store.commit(&[put("f", 1, None, &large(1))], &head(1)).unwrap();
    store.commit(&[put("f", 2, Some(1), &large(2))], &head(2)).unwrap();
    store.commit(&[put("g", 3, None, &large(3))], &head(3)).unwrap();
    assert!(store.contents(1).unwrap().is_none());
    assert_eq!(&*store.contents(2).unwrap().unwrap(), &large(2)[..]);
    store.commit(&[put("f", 4, Some(2), b"small")], &head(4)).unwrap();
    assert!(store.contents(2).unwrap().is_none());
    assert_eq!(&*store.contents(3).unwrap().unwrap(), &large(3)[..]);
}

#[test]
fn a_touch_keeps_version_and_contents() {
    let folder = Folder::new();
    let store = open(folder.path()).unwrap();
    fill(&store);
    let life = Life::Until(Duration::from_secs(77));
    let touch = |file| Mutation::Touch { name: name(file), life };
    store.commit(&[touch("a/large"), touch("größe"), touch("d/code")], &head(8)).unwrap();
    let (_, files, _) = found(&store);
    assert_eq!(files["a/large"], (2, life, Some(large(1))));
    assert_eq!(files["größe"], (1, life, Some(b"small".to_vec())));
    assert_eq!(files["d/code"], (5, life, None));
}

/// A store whose state is not the one that a batch expects has to stop.
#[test]
fn a_batch_that_contradicts_the_store_ends_it() {
    let touch = Mutation::Touch { name: name("none"), life: Life::Unlimited };
    for wrong in [
        put("größe", 9, None, b"there is one"),
        put("größe", 9, Some(2), b"at 1"),
        put("none", 9, Some(1), b"there is none"),
        remove("none", 9, 1),
        remove("größe", 9, 2),
        touch,
    ] {
        let folder = Folder::new();
        let store = open(folder.path()).unwrap();
        fill(&store);
        let before = found(&store);
        let batch = [put("new", 9, None, b"not stored either"), wrong.clone()];
        let Err(CommitError::Failed(e)) = store.commit(&batch, &head(10)) else {
            panic!("{wrong:?} was committed");
        };
        assert!(e.to_string().contains("telefile.redb"), "{e}");
        let next = store.commit(&[put("new", 9, None, b"")], &head(10));
        assert!(matches!(next, Err(CommitError::Failed(_))), "nothing more is taken");
        drop(store);
        assert_eq!(found(&open(folder.path()).unwrap()), before, "{wrong:?}");
    }
}

/// Otherwise it could not be loaded again.
#[test]
fn a_batch_whose_numbers_are_too_large_is_not_stored() {
    const BOUND: u64 = 1 << 62;
    let folder = Folder::new();
    let store = open(folder.path()).unwrap();
    fill(&store);
    let before = found(&store);
    let after = Life::Until(Duration::from_secs(BOUND));
    for (change, head) in [
        (put("new", BOUND, None, b""), head(9)),
        (remove("größe", BOUND, 1), head(9)),
        (Mutation::Unnamed { version: u64::MAX }, head(9)),
        (Mutation::Touch { name: name("größe"), life: after }, head(9)),
        (put("new", 9, None, b""), head(BOUND)),
        (put("new", 9, None, b""), Head { time: Duration::from_secs(BOUND), ..head(9) }),
        (put("new", 9, None, b""), Head { forgotten: 10, ..head(9) }),
    ] {
        let committed = store.commit(std::slice::from_ref(&change), &head);
        assert!(matches!(committed, Err(CommitError::Failed(_))), "{change:?} {head:?}");
    }
    drop(store);
    assert_eq!(found(&open(folder.path()).unwrap()), before);
}

#[test]
fn old_removals_are_forgotten_as_the_head_says() {
    let folder = Folder::new();
    let store = open(folder.path()).unwrap();
    let count = MAX_GONE as u64 + 5;
    let puts: Vec<_> = (1..=count).map(|v| put(&format!("f{v}"), v, None, b"")).collect();
    store.commit(&puts, &head(count)).unwrap();
    let version = |v| count + v;
    let removes: Vec<_> = (1..=count).map(|v| remove(&format!("f{v}"), version(v), v)).collect();
    store.commit(&removes, &head(version(count))).unwrap();
    let (head_then, files, gone) = found(&store);
    assert_eq!((files.len(), gone.len()), (0, MAX_GONE));
    assert_eq!(head_then.forgotten, version(5));
    assert_eq!(gone[0], (version(6), "f6".to_string()));

    let forgotten = version(count - 2);
    store.commit(&[], &Head { forgotten, ..head_then }).unwrap();
    let (head_now, _, gone) = found(&store);
    assert_eq!((head_now.forgotten, gone.len()), (forgotten, 2));

    // A name that comes back is no removal any more.
    let back = Mutation::Put {
        name: name(&format!("f{count}")),
        version: version(count) + 1,
        old: None,
        removed: Some(version(count)),
        life: Life::Unlimited,
        contents: None,
    };
    store.commit(&[back], &Head { version: version(count) + 1, ..head_now }).unwrap();
    assert_eq!(found(&store).2.len(), 1);
}

/// What happens to one of a few names, or between batches.
#[derive(Clone, Debug)]
enum Step {
    Put { name: u8, bytes: usize, life: Life, code: bool },
    Touch { name: u8, life: Life },
    Remove { name: u8 },
    Pass { name: u8 },
    Unnamed,
    Commit,
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    let life = || {
        prop_oneof![
            Just(Life::Unlimited),
            (0..1_u64 << 62, 0..1_000_000_000_u32)
                .prop_map(|(secs, nanos)| Life::Until(Duration::new(secs, nanos))),
            Just(Life::Connection)
        ]
    };
    let bytes = prop_oneof![4 => 0..200_usize, 2 => 4000..5000_usize, 1 => 60_000..200_000_usize];
    prop_oneof![
        6 => (0..6_u8, bytes, life(), prop::bool::weighted(0.1))
            .prop_map(|(name, bytes, life, code)| Step::Put { name, bytes, life, code }),
        2 => (0..6_u8, life()).prop_map(|(name, life)| Step::Touch { name, life }),
        2 => (0..6_u8).prop_map(|name| Step::Remove { name }),
        2 => (0..6_u8).prop_map(|name| Step::Pass { name }),
        1 => Just(Step::Unnamed),
        4 => Just(Step::Commit),
        1 => Just(Step::Restart),
    ]
}

#[derive(Default)]
struct Model {
    version: u64,
    files: BTreeMap<String, Found>,
    gone: BTreeMap<u64, String>,
    batch: BTreeMap<String, Mutation>,
    unnamed: Vec<Mutation>,
}

impl Model {
    fn next(&mut self) -> u64 {
        self.version += 1;
        self.version
    }

    /// Takes the removal of this name that is remembered.
    fn recall(&mut self, text: &str) -> Option<u64> {
        let removed = self.gone.iter().find(|(_, name)| *name == text).map(|(v, _)| *v)?;
        self.gone.remove(&removed);
        Some(removed)
    }

    /// Only if the name is not in the batch yet, as a table does it.
    fn take(&mut self, step: Step) {
        let (Step::Put { name: number, .. }
        | Step::Touch { name: number, .. }
        | Step::Remove { name: number }
        | Step::Pass { name: number }) = step
        else {
            let version = self.next();
            self.unnamed.push(Mutation::Unnamed { version });
            return;
        };
        let text = format!("name/{number}");
        let old = self.files.get(&text).map(|file| file.0);
        if self.batch.contains_key(&text) {
            return;
        }
        let change = match (step, old) {
            (Step::Put { bytes, life, code, .. }, old) => {
                let version = self.next();
                let contents = (!code).then(|| vec![version as u8; bytes]);
                let removed = self.recall(&text);
                self.files.insert(text.clone(), (version, life, contents.clone()));
                let contents = contents.map(Into::into);
                Mutation::Put { name: name(&text), version, old, removed, life, contents }
            }
            (Step::Touch { life, .. }, Some(_)) => {
                self.files.get_mut(&text).unwrap().1 = life;
                Mutation::Touch { name: name(&text), life }
            }
            (Step::Remove { .. }, Some(old)) => {
                let version = self.next();
                self.files.remove(&text);
                self.gone.insert(version, text.clone());
                Mutation::Remove { name: name(&text), version, old }
            }
            (Step::Pass { .. }, None) => {
                let (version, removed) = (self.next(), self.recall(&text));
                self.gone.insert(version, text.clone());
                Mutation::Pass { name: name(&text), version, removed }
            }
            _ => return,
        };
        self.batch.insert(text, change);
    }

    fn commit(&mut self, store: &impl Store) {
        let batch = std::mem::take(&mut self.batch).into_values();
        let mut batch: Vec<_> = batch.chain(self.unnamed.drain(..)).collect();
        batch.sort_by_key(|change| match change {
            Mutation::Put { version, .. }
            | Mutation::Remove { version, .. }
            | Mutation::Pass { version, .. }
            | Mutation::Unnamed { version } => *version,
            Mutation::Touch { .. } => 0,
        });
        store.commit(&batch, &head(self.version)).unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn a_store_is_like_a_plain_map(steps in prop::collection::vec(step(), 1..60)) {
        let folder = Folder::new();
        let mut store = open(folder.path()).unwrap();
        let mut model = Model::default();
        for step in steps.into_iter().chain([Step::Restart]) {
            match step {
                Step::Commit => model.commit(&store),
                Step::Restart => {
                    model.commit(&store);
                    drop(store);
                    store = open(folder.path()).unwrap();
                    let (head, files, gone) = found(&store);
                    prop_assert_eq!((head.epoch, head.version), (EPOCH, model.version));
                    prop_assert_eq!(files, model.files.clone());
                    prop_assert_eq!(gone, model.gone.clone().into_iter().collect::<Vec<_>>());
                }
                step => model.take(step),
            }
        }
    }
}
