//! Reading while somebody writes.

use super::{head, open, put};
use crate::server::Folder;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::thread;
use telefile::store::Store;

const ROUNDS: u64 = 60;

/// Contents whose every byte shows their version.
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
    let (latest, ended) = (AtomicU64::new(2), AtomicBool::new(false));
    let reads = [const { AtomicU64::new(0) }; 2];
    thread::scope(|scope| {
        for reads in &reads {
            scope.spawn(|| {
                while !ended.load(SeqCst) {
                    let version = latest.load(SeqCst);
                    // Whatever was written since: it is whole, or it is not there any more.
                    if let Some(found) = store.contents(version).unwrap() {
                        assert!(*found == contents(version)[..], "of {version}");
                        reads.fetch_add(1, SeqCst);
                    }
                    assert!(*store.contents(1).unwrap().unwrap() == contents(1)[..]);
                }
            });
        }
        let have_read = || reads.iter().all(|reads| reads.load(SeqCst) > 0);
        for version in (3..100 * ROUNDS).take_while(|version| *version < ROUNDS || !have_read()) {
            let put = put("g", version, Some(version - 1), &contents(version));
            store.commit(&[put], &head(version)).unwrap();
            latest.store(version, SeqCst);
        }
        ended.store(true, SeqCst);
    });
    assert!(reads.iter().all(|reads| reads.load(SeqCst) > 0));
}
