//! Reading while somebody writes.

use super::{head, open, put};
use crate::server::Folder;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::thread;
use telefile::store::Store;

const ROUNDS: u64 = 60;

/// Contents whose every byte tells whose they are.
fn contents(version: u64) -> Vec<u8> {
    vec![version as u8; 100_000 + version as usize]
}

#[test]
fn contents_are_read_whole_while_batches_are_written() {
    let folder = Folder::new();
    let store = open(folder.path()).unwrap();
    store
        .commit(&[put("f", 1, None, &contents(1)), put("g", 2, None, &contents(2))], &head(2))
        .unwrap();
    let latest = AtomicU64::new(2);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let mut reads = 0;
                while latest.load(SeqCst) < ROUNDS {
                    let version = latest.load(SeqCst);
                    // Whatever was written since: it is whole, or it is not there any more.
                    if let Some(found) = store.contents(version).unwrap() {
                        assert!(*found == contents(version)[..], "of {version}");
                        reads += 1;
                    }
                    assert!(*store.contents(1).unwrap().unwrap() == contents(1)[..]);
                }
                assert!(reads > 0);
            });
        }
        for version in 3..=ROUNDS {
            let put = put("g", version, Some(version - 1), &contents(version));
            store.commit(&[put], &head(version)).unwrap();
            latest.store(version, SeqCst);
        }
    });
}
