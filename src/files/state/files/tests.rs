//! The containers beside std's: values, names and ids at random, and hostile ones.

use super::directory::{Directory, Named};
use super::order::Order;
use super::slab::{Id, Slab};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::ops::Bound::{self, Excluded, Included, Unbounded};

/// A value with a name, or with an empty one.
struct Value {
    name: Vec<u8>,
    number: usize,
}

impl Named for Value {
    fn name(&self) -> &[u8] {
        &self.name
    }
}

/// Gives all names the same hash, so they are in one part and differ only in their bytes.
struct Same;

impl BuildHasher for Same {
    type Hasher = Same;
    fn build_hasher(&self) -> Same {
        Same
    }
}

impl Hasher for Same {
    fn write(&mut self, _: &[u8]) {}
    fn finish(&self) -> u64 {
        7
    }
}

/// The containers as [`Files`](super::Files) joins them, beside a map that is right.
struct Both<S> {
    directory: Directory<Value, S>,
    order: Order,
    map: BTreeMap<Vec<u8>, usize>,
    unnamed: Vec<usize>,
    numbers: usize,
}

impl<S: BuildHasher> Both<S> {
    fn new(hasher: S) -> Self {
        let directory = Directory::with_hasher(hasher);
        let (order, map, unnamed) = (Order::default(), BTreeMap::new(), Vec::new());
        Both { directory, order, map, unnamed, numbers: 0 }
    }

    fn insert(&mut self, name: &[u8]) {
        if self.directory.find(name).is_some() {
            return assert!(self.map.contains_key(name));
        }
        let value = Value { name: name.to_vec(), number: self.numbers };
        let id = self.directory.insert(value);
        self.order.insert(self.directory.slab(), id);
        assert_eq!(self.map.insert(name.to_vec(), self.numbers), None);
        self.numbers += 1;
    }

    fn unname(&mut self, name: &[u8]) -> Option<Id> {
        let found = self.directory.find(name);
        assert_eq!(found.is_some(), self.map.contains_key(name));
        let id = found?;
        self.order.remove(self.directory.slab(), id);
        self.directory.unname(id);
        self.directory[id].name.clear();
        self.unnamed.extend(self.map.remove(name));
        Some(id)
    }

    fn remove(&mut self, name: &[u8]) {
        let Some(id) = self.unname(name) else { return };
        let last = self.directory.slab().last().filter(|last| *last != id);
        if let Some(last) = last
            && !self.directory[last].name.is_empty()
        {
            self.order.replace(self.directory.slab(), last, id);
        }
        let removed = self.directory.remove(id);
        assert_eq!(self.unnamed.pop(), Some(removed.number));
    }

    fn check(&self) {
        assert_eq!(self.directory.slab().len(), self.map.len() + self.unnamed.len());
        assert_eq!(self.order.len(), self.map.len());
        self.check_from(Unbounded);
        for (name, number) in &self.map {
            let id = self.directory.find(name).unwrap();
            assert_eq!(self.directory[id].number, *number);
        }
    }

    fn check_from(&self, from: Bound<&[u8]>) {
        let found = self.order.from(self.directory.slab(), from);
        let found = found.map(|value| (&value.name[..], value.number));
        let right = self.map.range::<[u8], _>((from, Unbounded));
        assert!(found.eq(right.map(|(name, number)| (&name[..], *number))), "{from:?}");
    }
}

#[derive(Clone, Debug)]
enum Op {
    Insert(Vec<u8>),
    /// The value lives on without its name.
    Unname(Vec<u8>),
    Remove(Vec<u8>),
    /// A page of a list.
    From(Vec<u8>),
}

fn op() -> impl Strategy<Value = Op> {
    let short = || prop::collection::vec(b'a'..b'd', 1..5);
    let long = || (0..20_u8).prop_map(|last| [vec![b'x'; 400], vec![last]].concat());
    let name = move || prop_oneof![4 => short(), 1 => long()];
    prop_oneof![
        4 => name().prop_map(Op::Insert),
        1 => name().prop_map(Op::Unname),
        3 => name().prop_map(Op::Remove),
        1 => name().prop_map(Op::From),
    ]
}

fn check<S: BuildHasher>(ops: &[Op], hasher: S) {
    let mut both = Both::new(hasher);
    for op in ops {
        match op {
            Op::Insert(name) => both.insert(name),
            Op::Unname(name) => drop(both.unname(name)),
            Op::Remove(name) => both.remove(name),
            Op::From(name) => {
                both.check_from(Included(name));
                both.check_from(Excluded(name));
            }
        }
    }
    both.check();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..Default::default() })]
    #[test]
    fn a_directory_and_its_order_are_like_a_map(ops in prop::collection::vec(op(), 0..400)) {
        check(&ops, RandomState::new());
        check(&ops, Same);
    }
}

/// Enough names to split, append to and join many lists, and to add and drop many chunks.
#[test]
fn thousands_of_names_come_in_any_order_and_go_in_any_other() {
    const NAMES: usize = 5_000;
    // Ascending, descending, and steps of a number that has no factor in common with NAMES.
    for step in [1, NAMES - 1, 1_933] {
        let mut both = Both::new(RandomState::new());
        let name = |i: usize| format!("name-{:05}", i * step % NAMES).into_bytes();
        (0..NAMES).for_each(|i| both.insert(&name(i)));
        both.check();
        let (mut page, mut seen) = (Vec::new(), 0);
        for i in 0..NAMES {
            // A page of a list between the removals of other names.
            if i % 500 == 0 {
                let from = both.order.from(both.directory.slab(), Excluded(&page));
                let names: Vec<_> = from.take(100).map(|value| value.name.clone()).collect();
                assert!(names.is_sorted() && names.first().is_none_or(|first| *first > page));
                seen += names.len();
                page = names.last().cloned().unwrap_or(page);
                both.check();
            }
            both.remove(&format!("name-{:05}", i * 2_999 % NAMES).into_bytes());
        }
        both.check();
        assert!(seen > 0 && both.directory.slab().len() == 0);
    }
}

/// Whichever names are removed: memory that is counted for few files has to be theirs.
#[test]
fn what_finds_a_name_takes_no_more_after_removals() {
    const NAMES: usize = 60_000;
    for (step, until) in [(1, 4), (7_919, 4), (7_919, 2)] {
        let mut both = Both::new(RandomState::new());
        let name = |i: usize| format!("name-{:05}", i * step % NAMES).into_bytes();
        (0..NAMES).for_each(|i| both.insert(&name(i)));
        // 1 name in `until` is left, and each time it is looked at.
        for i in 0..NAMES / until * (until - 1) {
            both.remove(&format!("name-{:05}", i * 31_337 % NAMES).into_bytes());
            if i % 2_500 == 0 {
                let names = both.order.len();
                let (ordered, indexed) = (both.order.bytes(), both.directory.index_bytes());
                assert!(ordered <= 8 * names, "{ordered} bytes for {names} names in order");
                assert!(indexed <= 29 * names, "{indexed} bytes for {names} names in the index");
            }
        }
    }
}

#[test]
fn the_values_of_a_slab_are_without_gaps() {
    let mut slab = Slab::new();
    let ids: Vec<_> = (0..2_000).map(|i| slab.push(i)).collect();
    for (i, id) in ids.iter().enumerate() {
        assert_eq!((slab[*id], slab.get(*id)), (i, Some(&i)));
    }
    assert_eq!(slab.swap_remove(ids[3]), 3);
    assert_eq!((slab[ids[3]], slab.len(), slab.get(ids[1_999])), (1_999, 1_999, None));
    while let Some(last) = slab.last() {
        slab.swap_remove(if slab.len() % 2 == 0 { ids[0] } else { last });
    }
    assert_eq!(slab.push(7), ids[0]);
}
