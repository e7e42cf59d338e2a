//! What a store has to contain, in plain maps, and batches drawn at random.

use super::Random;
use crate::contents::Contents;
use crate::files::store::{Head, Life, Mutation, RowContents, Store};
use crate::name::{Name, NameRef};
use std::collections::{BTreeMap, HashSet};
use std::io;
use std::time::Duration;

#[derive(Clone, Debug, PartialEq)]
pub(in crate::store) struct Model {
    pub(in crate::store) head: Head,
    pub(in crate::store) files: BTreeMap<Name, File>,
    pub(in crate::store) gone: BTreeMap<u64, Name>,
}

#[derive(Clone, PartialEq)]
pub(in crate::store) struct File {
    pub(in crate::store) version: u64,
    pub(in crate::store) life: Life,
    /// `None` for a code file.
    pub(in crate::store) bytes: Option<Vec<u8>>,
}

impl std::fmt::Debug for File {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let length = self.bytes.as_ref().map(Vec::len);
        write!(f, "{} {:?} {length:?}", self.version, self.life)
    }
}

pub(in crate::store) fn name(text: &str) -> Name {
    NameRef::new(text).unwrap().to_name()
}

impl Model {
    pub(in crate::store) fn empty(epoch: u64) -> Model {
        let head = Head { epoch, version: 0, time: Duration::ZERO, forgotten: 0 };
        Model { head, files: BTreeMap::new(), gone: BTreeMap::new() }
    }

    /// Returns everything in a store, with large contents.
    pub(in crate::store) fn of(store: &(impl Store + ?Sized)) -> io::Result<Model> {
        let (mut rows, mut gone) = (Vec::new(), BTreeMap::new());
        let head = store.load(&mut |row| rows.push(row), &mut |version, name| {
            assert_eq!(gone.insert(version, name), None);
        })?;
        assert!(rows.is_sorted_by(|a, b| a.name < b.name), "in the order of the names");
        let mut files = BTreeMap::new();
        for row in rows {
            let bytes = match row.contents {
                RowContents::Code => None,
                RowContents::Inline(contents) => Some(contents.to_vec()),
                RowContents::Stored(numbytes) => {
                    let missing = || io::Error::other(format!("no contents of {:?}", row.name));
                    let contents = store.contents(row.version)?.ok_or_else(missing)?;
                    assert_eq!(contents.len() as u64, numbytes);
                    assert!(contents.len() >= store.stored_from());
                    Some(contents.to_vec())
                }
            };
            files.insert(row.name, File { version: row.version, life: row.life, bytes });
        }
        Ok(Model { head, files, gone })
    }

    /// Applies a batch.
    pub(in crate::store) fn apply(&mut self, batch: &[Mutation], head: Head) {
        for change in batch {
            match change.clone() {
                Mutation::Put { name, version, life, contents, .. } => {
                    self.gone.retain(|_, gone| *gone != name);
                    let bytes = contents.map(|contents| contents.to_vec());
                    self.files.insert(name, File { version, life, bytes });
                }
                Mutation::Touch { name, life } => self.files.get_mut(&name).unwrap().life = life,
                Mutation::Remove { name, version, .. } => {
                    self.files.remove(&name);
                    self.gone.insert(version, name);
                }
                Mutation::Pass { name, version, .. } => {
                    self.gone.retain(|_, gone| *gone != name);
                    self.gone.insert(version, name);
                }
                Mutation::Unnamed { .. } => {}
            }
        }
        self.gone.retain(|version, _| *version > head.forgotten);
        self.head = head;
    }

    /// Returns the put that a table would commit for this file.
    pub(in crate::store) fn put(&self, file: &str, bytes: Vec<u8>) -> Mutation {
        let name = name(file);
        Mutation::Put {
            version: self.head.version + 1,
            old: self.files.get(&name).map(|file| file.version),
            removed: self.removal(&name),
            name,
            life: Life::Unlimited,
            contents: Some(bytes.into()),
        }
    }

    pub(in crate::store) fn remove(&self, file: &str) -> Mutation {
        let name = name(file);
        let old = self.files[&name].version;
        Mutation::Remove { name, version: self.head.version + 1, old }
    }

    /// Returns the head after a batch of one.
    pub(in crate::store) fn next(&self) -> Head {
        Head { version: self.head.version + 1, ..self.head }
    }

    fn removal(&self, name: &Name) -> Option<u64> {
        self.gone.iter().find(|(_, gone)| *gone == name).map(|(version, _)| *version)
    }

    pub(in crate::store) fn draw(&self, random: &mut Random) -> (Vec<Mutation>, Head) {
        let mut head = self.head;
        head.time += Duration::from_nanos(random.below(5_000_000_000));
        let (mut batch, mut named) = (Vec::new(), HashSet::new());
        for _ in 0..random.below(8) {
            let name = name(["a", "b", "c/d", "é", "zz"][random.below(5) as usize]);
            if !named.insert(name.clone()) {
                continue;
            }
            let old = self.files.get(&name).map(|file| file.version);
            batch.push(match (random.below(7), old) {
                (0, Some(_)) => Mutation::Touch { name, life: life(random) },
                (1, Some(old)) => {
                    head.version += 1;
                    Mutation::Remove { name, version: head.version, old }
                }
                (2, _) => {
                    head.version += 1;
                    Mutation::Unnamed { version: head.version }
                }
                (3, None) => {
                    head.version += 1;
                    let removed = self.removal(&name);
                    Mutation::Pass { name, version: head.version, removed }
                }
                _ => {
                    head.version += 1;
                    let removed = self.removal(&name);
                    let (life, contents) = (life(random), contents(random));
                    Mutation::Put { name, version: head.version, old, removed, life, contents }
                }
            });
        }
        if let Some((version, _)) = self.gone.first_key_value()
            && random.one_in(4)
        {
            head.forgotten = *version;
        }
        (batch, head)
    }
}

fn life(random: &mut Random) -> Life {
    match random.below(3) {
        0 => Life::Unlimited,
        1 => Life::Until(Duration::from_nanos(random.next())),
        _ => Life::Connection,
    }
}

/// Draws contents whose length is around that of stored ones, or around what fills a page.
fn contents(random: &mut Random) -> Option<Contents> {
    let length = match random.below(8) {
        0 => return None,
        1 => 0,
        2 => 4090 + random.below(10),
        3 => [4064, 65_504, 65_505, 2 * 65_504][random.below(4) as usize] + random.below(2),
        4 => random.below(200_000),
        _ => random.below(100),
    };
    let first = random.next();
    Some((0..length).map(|i| (first.wrapping_add(i) >> (i % 7)) as u8).collect::<Vec<_>>().into())
}
