//! The durable store, on files: what is stored, what is refused, and backups.
#![cfg(feature = "durable")]

mod backup;
mod folder;
mod own;
mod reading;
mod restarts;
mod slow;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;
use telefile::store::{Durable, Head, Life, Mutation, Options, RowContents, Store};
use telefile::{Name, NameRef};

const EPOCH: u64 = 0xbeef;

fn open(folder: &Path) -> std::io::Result<Durable> {
    Durable::open(folder, Options::default(), EPOCH)
}

fn name(text: &str) -> Name {
    NameRef::new(text).unwrap().to_name()
}

fn put(file: &str, version: u64, old: Option<u64>, bytes: &[u8]) -> Mutation {
    Mutation::Put {
        name: name(file),
        version,
        old,
        removed: None,
        life: Life::Unlimited,
        contents: Some(bytes.into()),
    }
}

fn remove(file: &str, version: u64, old: u64) -> Mutation {
    Mutation::Remove { name: name(file), version, old }
}

fn head(version: u64) -> Head {
    Head { epoch: EPOCH, version, time: Duration::from_millis(1500), forgotten: 0 }
}

/// A table with something of everything in it.
fn fill(store: &Durable) {
    let until = |version| match put("b/lease", version, None, b"soon") {
        Mutation::Put { name, version, old, removed, contents, .. } => {
            let life = Life::Until(Duration::new(3, 7));
            Mutation::Put { name, version, old, removed, life, contents }
        }
        other => other,
    };
    let of = |file: &str, version, life, contents: Option<&str>| Mutation::Put {
        name: name(file),
        version,
        old: None,
        removed: None,
        life,
        contents: contents.map(Into::into),
    };
    let batch = [
        put("größe", 1, None, b"small"),
        put("a/large", 2, None, &large(1)),
        until(3),
        of("c/session", 4, Life::Connection, Some("mine")),
        of("d/code", 5, Life::Unlimited, None),
        put("empty", 6, None, b""),
        put("old", 7, None, &large(2)),
    ];
    store.commit(&batch, &head(7)).unwrap();
    store.commit(&[remove("old", 8, 7)], &head(8)).unwrap();
}

fn large(seed: u8) -> Vec<u8> {
    (0..300_000_u32).map(|i| (i / 7) as u8 ^ seed).collect()
}

/// What is stored of a file: version, life, bytes.
type Found = (u64, Life, Option<Vec<u8>>);

fn found(store: &Durable) -> (Head, BTreeMap<String, Found>, Vec<(u64, String)>) {
    let (mut rows, mut gone) = (Vec::new(), Vec::new());
    let head = store
        .load(&mut |row| rows.push(row), &mut |version, name| {
            gone.push((version, name.as_str().to_string()));
        })
        .unwrap();
    let mut files = BTreeMap::new();
    for row in rows {
        let bytes = match row.contents {
            RowContents::Code => None,
            RowContents::Inline(contents) => Some(contents.to_vec()),
            RowContents::Stored(_) => Some(store.contents(row.version).unwrap().unwrap().to_vec()),
        };
        files.insert(row.name.as_str().to_string(), (row.version, row.life, bytes));
    }
    (head, files, gone)
}
