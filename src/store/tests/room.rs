//! The limits: of the disk, and of the store.

use super::model::Model;
use super::sim::Sim;
use super::{EPOCH, SETTINGS, found, fresh, open_as, open_with};
use crate::files::store::{CommitError, Head, Mutation, Store};
use crate::store::log::Settings;
use crate::store::medium::Medium;
use crate::store::tree::writer::REFUSED_AGAIN;
use crate::store::{Durable, Options};
use std::slice::from_ref;
use std::time::Instant;

const MIB: u64 = 1 << 20;

struct Filled {
    sim: Sim,
    store: Durable,
    model: Model,
}

impl Filled {
    fn new(sim: Sim, store: Durable) -> Filled {
        Filled { sim, store, model: Model::empty(EPOCH) }
    }

    fn commit(&mut self, change: &Mutation, head: Head) -> Result<(), CommitError> {
        self.store.commit(from_ref(change), &head)?;
        self.model.apply(from_ref(change), head);
        Ok(())
    }

    fn put(&mut self, name: &str, bytes: usize) -> Result<(), CommitError> {
        let (change, head) = (self.model.put(name, vec![5; bytes]), self.model.next());
        self.commit(&change, head)
    }

    fn remove(&mut self, name: &str) -> Result<(), CommitError> {
        let (change, head) = (self.model.remove(name), self.model.next());
        self.commit(&change, head)
    }

    /// Writes files of a MiB until there is no room. Returns how many, and the refusal.
    fn fill(&mut self) -> (u64, u64) {
        self.fill_with("mib", MIB as usize)
    }

    fn fill_with(&mut self, name: &str, bytes: usize) -> (u64, u64) {
        for i in 0.. {
            match self.put(&format!("{name}{i}"), bytes) {
                Ok(()) => {}
                Err(CommitError::Full(max)) => return (i, max),
                Err(e) => panic!("{e:?}"),
            }
        }
        unreachable!()
    }

    /// Fills the last gap. Returns how many files of a MiB there are.
    fn cram(&mut self) -> u64 {
        let count = self.fill().0;
        self.fill_with("large", 60_000);
        self.fill_with("page", 4096);
        self.fill_with("small", 3000);
        count
    }

    #[track_caller]
    fn check(&self) {
        assert_eq!(found(&self.store), self.model);
    }
}

#[test]
fn a_margin_of_the_disk_stays_free() {
    let (sim, store) = fresh();
    sim.resize(40 * MIB, None);
    let mut filled = Filled::new(sim, store);
    let (count, max) = filled.fill();
    assert!((15..24).contains(&count), "{count} MiB of 40 less 16");
    assert_eq!(max, 40 * MIB);
    assert!(filled.store.bytes().unwrap() <= 24 * MIB);
    filled.check();

    // Removals continue, and make room.
    for i in 0..5 {
        filled.remove(&format!("mib{i}")).unwrap();
    }
    filled.check();
    for i in 0..4 {
        filled.put(&format!("mib{i}"), MIB as usize).unwrap();
    }
    assert!(filled.store.bytes().unwrap() <= 24 * MIB);
    filled.check();

    // A larger disk is noticed at once.
    assert!(matches!(filled.put("more", 2 * MIB as usize), Err(CommitError::Full(_))));
    filled.sim.resize(80 * MIB, None);
    filled.put("more", 20 * MIB as usize).unwrap();
    filled.check();
}

#[test]
fn a_disk_filled_by_others_still_takes_removals() {
    let (sim, store) = fresh();
    let mut filled = Filled::new(sim, store);
    filled.put("a", 5 * MIB as usize).unwrap();
    filled.put("b", 10).unwrap();
    let hole = filled.sim.image().len() as u64 - filled.sim.end().unwrap();
    assert!(hole > 2 * MIB, "the file is longer than what was written");
    filled.sim.resize(u64::MAX, Some(6 * MIB));
    assert!(matches!(filled.put("c", 2 * MIB as usize), Err(CommitError::Full(_))));
    filled.remove("a").unwrap();
    filled.check();
    filled.put("c", 2 * MIB as usize).unwrap(); // in the room of a
    filled.sim.resize(u64::MAX, Some(0));
    filled.remove("b").unwrap();
    filled.check();
}

#[test]
fn everything_can_be_removed_from_a_full_store() {
    for (max_data, rounds) in [(None, 1), (Some(5 * MIB), 3)] {
        let (sim, store) = fresh();
        drop(store);
        sim.resize(24 * MIB, None);
        let options = Options { max_data, ..Options::default() };
        let mut filled = Filled::new(sim.clone(), open_with(&sim, options).unwrap());
        for round in 0..rounds {
            assert!(filled.cram() >= 2, "there is room again in round {round}");
            let names: Vec<_> = filled.model.files.keys().cloned().collect();
            for name in names {
                let removed = filled.remove(name.as_str());
                removed.unwrap_or_else(|e| panic!("{name:?} in round {round}: {e:?}"));
            }
            filled.check();
        }
    }
}

#[test]
fn a_store_larger_than_its_limit_does_not_grow() {
    let (sim, store) = fresh();
    let mut filled = Filled::new(sim.clone(), store);
    for i in 0..6 {
        filled.put(&format!("mib{i}"), MIB as usize).unwrap();
    }
    drop(filled.store);
    let options = Options { max_data: Some(3 * MIB), ..Options::default() };
    filled.store = open_with(&sim, options).unwrap();
    let before = sim.end().unwrap();
    assert!(matches!(filled.put("more", MIB as usize), Err(CommitError::Full(_))));
    filled.remove("mib0").unwrap();
    filled.remove("mib1").unwrap();
    filled.put("more", MIB as usize).unwrap();
    filled.check();
    assert!(sim.end().unwrap() < before + MIB);
}

#[test]
fn a_file_that_shrank_is_measured_anew() {
    let (sim, store) = fresh();
    let mut filled = Filled::new(sim.clone(), store);
    for i in 0..12 {
        filled.put(&format!("mib{i}"), MIB as usize).unwrap();
    }
    let before = sim.end().unwrap();
    for i in (0..12).rev() {
        filled.remove(&format!("mib{i}")).unwrap();
    }
    for _ in 0..3 {
        // What one transaction frees, a later one gives back.
        let empty = filled.store.core().transact(&filled.model.head, None, false, |_| Ok(()));
        empty.unwrap();
    }
    assert!(sim.end().unwrap() < before);
    assert_eq!(filled.store.core().engine().disk().end(), sim.end().unwrap());
}

#[test]
fn the_store_does_not_grow_beyond_its_limit() {
    let (sim, store) = fresh();
    drop(store);
    let options = Options { max_data: Some(10 * MIB), ..Options::default() };
    let mut filled = Filled::new(sim.clone(), open_with(&sim, options).unwrap());
    for round in 0..3 {
        let (count, max) = filled.fill();
        assert!((6..10).contains(&count), "{count} MiB of 10, round {round}");
        assert_eq!(max, 10 * MIB);
        for i in 0..count {
            filled.remove(&format!("mib{i}")).unwrap();
        }
        filled.check();
        assert!(filled.store.bytes().unwrap() <= 10 * MIB);
    }
}

#[test]
fn a_refused_batch_is_refused_again_without_an_attempt() {
    while !refuses_again_in_time() {}
}

/// Returns `false` if the machine was so busy that the refusal counted no more.
fn refuses_again_in_time() -> bool {
    let (sim, store) = fresh();
    sim.resize(20 * MIB, None);
    let mut filled = Filled::new(sim, store);
    let since = Instant::now();
    assert!(matches!(filled.put("a", 8 * MIB as usize), Err(CommitError::Full(_))));
    let (operations, reads) = (filled.sim.operations(), filled.sim.reads());
    assert!(matches!(filled.put("a", 8 * MIB as usize), Err(CommitError::Full(_))));
    assert!(matches!(filled.put("b", 9 * MIB as usize), Err(CommitError::Full(_))));
    let was_in_time = since.elapsed() < REFUSED_AGAIN;
    assert!(!was_in_time || (filled.sim.operations(), filled.sim.reads()) == (operations, reads));
    filled.put("a", 100_000).unwrap();
    filled.check();
    was_in_time
}

#[test]
fn contents_take_little_more_room_than_their_length() {
    for (bytes, most) in [(9000, 12_288), (40_000, 40_960), (100_000, 102_400)] {
        let (sim, store) = fresh();
        drop(store);
        let options = Options { max_data: Some(8 * MIB), ..Options::default() };
        let mut filled = Filled::new(sim.clone(), open_with(&sim, options).unwrap());
        let (count, _) = filled.fill_with("f", bytes);
        let (room, expected) = (7 * MIB, 7 * MIB / most);
        assert!(count >= expected * 8 / 10, "{count} of {expected} of {bytes} bytes in {room}");
    }
}

/// A server was killed, and the next one has a smaller maximum.
#[test]
fn a_log_that_takes_the_whole_maximum_goes_into_the_tree() {
    const BYTES: u64 = 4 * MIB;
    let (sim, store) = fresh();
    drop(store);
    let settings = Settings { segment_bytes: BYTES, full_bytes: BYTES, ..SETTINGS };
    let store = open_as(&sim, Options::default(), settings).unwrap();
    let mut filled = Filled::new(sim.clone(), store);
    (0..200).for_each(|i| filled.put(&format!("f{i}"), 6000).unwrap());
    let options = Options { max_data: Some(BYTES), ..Options::default() };
    let sim = sim.after_kill();
    filled.store = open_as(&sim, options, settings).unwrap();
    for i in 0..200 {
        let (change, head) = (filled.model.remove(&format!("f{i}")), filled.model.next());
        filled.commit(&change, head).unwrap();
    }
    filled.put("new", 6000).unwrap();
    assert_eq!(found(&filled.store), filled.model);
}
