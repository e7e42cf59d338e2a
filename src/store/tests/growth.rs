//! How much room a store takes while the same names are written again and again.

use super::model::name;
use super::{EPOCH, Random, SETTINGS, fresh, open_as};
use crate::files::store::{Head, Life, Mutation, Store};
use crate::store::log::Settings;
use crate::store::{Durable, Options};
use std::time::Duration;

/// Files of one size, each with its version.
struct Overwritten {
    store: Durable,
    head: Head,
    versions: Vec<Option<u64>>,
    random: Random,
}

impl Overwritten {
    fn new(names: usize, segment_bytes: u64) -> Self {
        let (sim, store) = fresh();
        drop(store);
        let settings = Settings { segment_bytes, full_bytes: segment_bytes, ..SETTINGS };
        let store = open_as(&sim, Options::default(), settings).unwrap();
        let head = Head { epoch: EPOCH, version: 0, time: Duration::ZERO, forgotten: 0 };
        Overwritten { store, head, versions: vec![None; names], random: Random(3) }
    }

    /// Overwrites names at random, several in a batch.
    fn write(&mut self, writes: usize, in_batch: usize, bytes: usize) {
        for _ in 0..writes / in_batch {
            let mut batch = Vec::new();
            let first = self.random.below(self.versions.len() as u64) as usize;
            for i in 0..in_batch {
                let at = (first + i * 7) % self.versions.len();
                self.head.version += 1;
                batch.push(Mutation::Put {
                    name: name(&format!("file/{at:06}")),
                    version: self.head.version,
                    old: self.versions[at].replace(self.head.version),
                    removed: None,
                    life: Life::Unlimited,
                    contents: Some(vec![self.random.next() as u8; bytes].into()),
                });
            }
            self.store.commit(&batch, &self.head).unwrap();
        }
    }

    /// Checks the room that it takes: at most 2.5 times the live data, and four segments.
    #[track_caller]
    fn check(&self, bytes: usize, segment_bytes: u64) {
        self.store.core().checkpoint().unwrap(); // as a thread does in a server
        let live = self.versions.iter().flatten().count() * (bytes + "file/000000".len());
        let (taken, most) = (self.store.bytes().unwrap(), live as u64 * 5 / 2 + 4 * segment_bytes);
        assert!(taken <= most, "{taken} bytes for {live}, and {most} at most");
    }
}

#[test]
fn small_files_that_are_overwritten_take_at_most_two_and_a_half_times_their_size() {
    const SEGMENT: u64 = 8 << 20;
    let mut files = Overwritten::new(10_000, SEGMENT);
    for _ in 0..6 {
        files.write(40_000, 200, 100);
        files.check(100, SEGMENT);
    }
}

#[test]
fn large_files_that_are_overwritten_take_at_most_two_and_a_half_times_their_size() {
    const SEGMENT: u64 = 1 << 20;
    let mut files = Overwritten::new(100, SEGMENT);
    for _ in 0..4 {
        files.write(200, 1, 100 << 10);
        files.check(100 << 10, SEGMENT);
    }
}
