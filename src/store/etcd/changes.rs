//! What a batch does to the keys, and how much of it one transaction takes.

use super::election::Etcd;
use super::gateway::Txn;
use super::keys::Keys;
use crate::contents::Contents;
use crate::files::store::{Life, Mutation, Whole};
use crate::name::Name;
use crate::store::error::{Result, damaged};
use crate::store::format::{Body, Record, encode_removal, part_end};
use crate::store::tree::tables::STORED_FROM;
use std::collections::{BTreeMap, HashSet};

/// An operation on keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Op {
    Put(Vec<u8>, Vec<u8>),
    Delete(Vec<u8>),
}

/// What a mutation does to the keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) ops: Vec<Op>,
    /// The version that it took.
    pub(super) version: Option<u64>,
    /// The version whose large contents it writes.
    pub(super) large: Option<u64>,
    /// The version whose large contents end with it.
    pub(super) replaced: Option<u64>,
}

/// How much etcd takes in one transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Limits {
    pub(super) ops: usize,
    pub(super) bytes: usize,
}

/// Those of an etcd without options of its own: 128 operations, and requests of 1.5 MiB.
impl Default for Limits {
    fn default() -> Self {
        Limits { ops: 128, bytes: 1408 << 10 }
    }
}

/// What a transaction does besides the changes: it puts the head, and forgets removals.
const OPS_OF_HEAD: usize = 2;

/// The most operations of a change: a file is put, with large contents, in place of others and of a
/// removal.
const MAX_OPS_OF_CHANGE: usize = 4;

/// The most bytes of a change besides its contents: the keys, with the longest prefix and name.
const MAX_KEY_BYTES: usize = 2048;

impl Limits {
    /// The least operations that a transaction must have.
    pub(super) const LEAST_OPS: usize = OPS_OF_HEAD + MAX_OPS_OF_CHANGE;

    /// Returns how large a batch one transaction takes in any case.
    pub(super) fn whole(self) -> Whole {
        let mutations = self.ops.saturating_sub(OPS_OF_HEAD) / MAX_OPS_OF_CHANGE;
        let keys = mutations * MAX_KEY_BYTES;
        let numbytes = (self.bytes as u64).saturating_sub(Etcd::MAX_CONTENTS + keys as u64);
        Whole { mutations, numbytes }
    }

    /// Returns how many of the changes, from the first on, one transaction takes: at least one.
    pub(super) fn take(self, changes: &[Change]) -> usize {
        let (mut ops, mut bytes) = (OPS_OF_HEAD, 0);
        let fits = |change: &&Change| {
            ops += change.ops.len();
            bytes += change.bytes();
            ops <= self.ops && bytes <= self.bytes
        };
        changes.iter().take_while(fits).count().max(1).min(changes.len())
    }
}

impl Op {
    pub(super) fn add_to(&self, txn: &mut Txn) {
        match self {
            Op::Put(key, value) => txn.put(key, value),
            Op::Delete(key) => txn.delete(key),
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Op::Put(key, value) => key.len() + value.len(),
            Op::Delete(key) => key.len(),
        }
    }
}

impl Change {
    pub(super) fn bytes(&self) -> usize {
        self.ops.iter().map(Op::bytes).sum()
    }

    /// Returns what a mutation does to the keys. `large` has the versions with large contents,
    /// `touched` the values of the files that are touched. Removals up to `forgotten` are not
    /// remembered.
    pub(super) fn of(
        mutation: &Mutation,
        keys: &Keys,
        large: &HashSet<u64>,
        touched: &BTreeMap<&Name, Vec<u8>>,
        forgotten: u64,
    ) -> Result<Self> {
        let mut change = Change::default();
        match mutation {
            Mutation::Put { name, version, old, removed, life, contents } => {
                change.version = Some(*version);
                change.put(keys, name, *version, *life, contents.as_ref());
                change.replace(keys, *old, large);
                change.forget(keys, *removed);
            }
            Mutation::Touch { name, life } => {
                let Some(value) = touched.get(name) else {
                    let name = name.as_name_ref().for_log();
                    return Err(damaged(format!("{name} does not exist and cannot be touched")));
                };
                let record = Record { life: *life, ..Record::decode(name.as_bytes(), value)? };
                let value = record.encode(name.as_bytes());
                change.ops.push(Op::Put(keys.file(name.as_bytes()), value));
            }
            Mutation::Remove { name, version, old } => {
                change.version = Some(*version);
                change.ops.push(Op::Delete(keys.file(name.as_bytes())));
                change.replace(keys, Some(*old), large);
                change.remember(keys, *version, name, forgotten);
            }
            Mutation::Pass { name, version, removed } => {
                change.version = Some(*version);
                change.forget(keys, *removed);
                change.remember(keys, *version, name, forgotten);
            }
            Mutation::Unnamed { version } => change.version = Some(*version),
        }
        Ok(change)
    }

    /// Adds what stores a file.
    pub(super) fn put(
        &mut self,
        keys: &Keys,
        name: &Name,
        version: u64,
        life: Life,
        contents: Option<&Contents>,
    ) {
        let body = match contents {
            None => Body::Code,
            Some(contents) if contents.len() < STORED_FROM => Body::Inline(contents),
            Some(contents) => {
                let end = part_end(contents, (version, 0), 0);
                let value = [&contents[..], &end].concat();
                self.ops.push(Op::Put(keys.contents(version), value));
                self.large = Some(version);
                Body::Stored(contents.len() as u64)
            }
        };
        let value = Record { version, life, body }.encode(name.as_bytes());
        self.ops.push(Op::Put(keys.file(name.as_bytes()), value));
    }

    /// Adds what remembers a removal.
    pub(super) fn remember(&mut self, keys: &Keys, version: u64, name: &Name, forgotten: u64) {
        if version > forgotten {
            self.ops.push(Op::Put(keys.removal(version), encode_removal(version, name)));
        }
    }

    fn forget(&mut self, keys: &Keys, removed: Option<u64>) {
        self.ops.extend(removed.map(|removed| Op::Delete(keys.removal(removed))));
    }

    fn replace(&mut self, keys: &Keys, old: Option<u64>, large: &HashSet<u64>) {
        self.replaced = old.filter(|old| large.contains(old));
        self.ops.extend(self.replaced.map(|old| Op::Delete(keys.contents(old))));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::NameRef;

    fn name(text: &str) -> Name {
        NameRef::new(text).unwrap().to_name()
    }

    fn of(mutation: &Mutation, large: &[u64]) -> Change {
        let large = large.iter().copied().collect();
        Change::of(mutation, &Keys::new("t/"), &large, &BTreeMap::new(), 3).unwrap()
    }

    fn keys_of(change: &Change) -> Vec<String> {
        let keys = change.ops.iter().map(|op| match op {
            Op::Put(key, _) => format!("+{}", str::from_utf8(key).unwrap()),
            Op::Delete(key) => format!("-{}", str::from_utf8(key).unwrap()),
        });
        keys.collect()
    }

    fn put(old: Option<u64>, removed: Option<u64>, numbytes: usize) -> Mutation {
        let contents = Some(vec![b'x'; numbytes].into());
        let life = Life::Unlimited;
        Mutation::Put { name: name("a"), version: 7, old, removed, life, contents }
    }

    #[test]
    fn a_change_puts_and_deletes_the_keys_of_what_it_makes_and_ends() {
        let number = |n: u64| format!("{n:019}");
        for (mutation, large, expected) in [
            (put(None, None, 3), &[][..], vec!["+t/f/a".to_string()]),
            (put(Some(6), None, 3), &[], vec!["+t/f/a".into()]),
            (put(Some(6), None, 4095), &[6], vec!["+t/f/a".into(), format!("-t/c/{}", number(6))]),
            (
                put(None, Some(5), 4096),
                &[6],
                vec![format!("+t/c/{}", number(7)), "+t/f/a".into(), format!("-t/d/{}", number(5))],
            ),
            (
                Mutation::Remove { name: name("a"), version: 8, old: 6 },
                &[6],
                vec!["-t/f/a".into(), format!("-t/c/{}", number(6)), format!("+t/d/{}", number(8))],
            ),
            // It is forgotten by the same batch.
            (Mutation::Remove { name: name("a"), version: 3, old: 2 }, &[], vec!["-t/f/a".into()]),
            (
                Mutation::Pass { name: name("a"), version: 8, removed: Some(4) },
                &[],
                vec![format!("-t/d/{}", number(4)), format!("+t/d/{}", number(8))],
            ),
            (Mutation::Unnamed { version: 9 }, &[], vec![]),
        ] {
            assert_eq!(keys_of(&of(&mutation, large)), expected, "{mutation:?}");
        }
        let large = of(&put(Some(6), None, 5000), &[6]);
        assert_eq!((large.large, large.replaced, large.version), (Some(7), Some(6), Some(7)));
    }

    #[test]
    fn a_touch_changes_the_life_alone() {
        let (keys, name) = (Keys::new("t/"), name("a"));
        let before = Record { version: 4, life: Life::Connection, body: Body::Inline(b"x") };
        let touched = BTreeMap::from([(&name, before.encode(b"a"))]);
        let mutation = Mutation::Touch { name: name.clone(), life: Life::Unlimited };
        let change = Change::of(&mutation, &keys, &HashSet::new(), &touched, 0).unwrap();
        let after = Record { life: Life::Unlimited, ..before };
        assert_eq!(change.ops, [Op::Put(b"t/f/a".to_vec(), after.encode(b"a"))]);
        let missing = Change::of(&mutation, &keys, &HashSet::new(), &BTreeMap::new(), 0);
        assert!(missing.is_err());
    }

    #[test]
    fn a_transaction_takes_what_fits_and_at_least_one_change() {
        let change = |ops: usize, bytes: usize| Change {
            ops: vec![Op::Delete(vec![0; bytes]); ops],
            ..Change::default()
        };
        let limits = Limits { ops: 10, bytes: 100 };
        for (changes, expected) in [
            (vec![], 0),
            (vec![change(1, 1); 8], 8),
            (vec![change(1, 1); 9], 8),
            (vec![change(4, 1); 3], 2),
            (vec![change(3, 1); 3], 2),
            (vec![change(1, 50); 3], 2),
            (vec![change(1, 51); 3], 1),
            (vec![change(1, 500); 3], 1),
            (vec![change(1, 1), change(1, 500)], 1),
            // What changes no key costs nothing.
            (vec![change(0, 0); 50], 50),
        ] {
            assert_eq!(limits.take(&changes), expected, "{changes:?}");
        }
        assert!(Limits::default().take(&vec![change(1, 1); 1000]) == 126);
        // What counts as a whole fits, with the largest contents at its end.
        let Whole { mutations, numbytes } = Limits::default().whole();
        assert!(mutations > 1 && numbytes > 100_000);
        let mut changes = vec![change(MAX_OPS_OF_CHANGE, MAX_KEY_BYTES / 4); mutations];
        let put = |numbytes: u64| Op::Put(Vec::new(), vec![0; numbytes as usize]);
        changes[0].ops[0] = put(numbytes);
        changes[mutations - 1].ops[0] = put(Etcd::MAX_CONTENTS);
        assert_eq!(Limits::default().take(&changes), mutations);
    }
}
