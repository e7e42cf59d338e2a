//! After any fault of the disk at any moment the store has every confirmed batch, and the unconfirmed
//! one as a whole or not at all.

use super::model::Model;
use super::sim::{Fault, Sim};
use super::{EPOCH, Random, found, fresh, open, open_with};
use crate::files::store::{CommitError, Store};
use crate::store::medium::Medium;
use crate::store::{Durable, Options};
use std::io::ErrorKind;

/// The number of runs for each fault. `TELEFILE_TEST_ROUNDS` sets a larger one.
const ROUNDS: u64 = 15;

fn rounds() -> u64 {
    let rounds = std::env::var("TELEFILE_TEST_ROUNDS").map(|text| text.parse());
    rounds.map_or(ROUNDS, |rounds| rounds.expect("TELEFILE_TEST_ROUNDS is a number"))
}

/// Writes batches until one is not confirmed, or `batches` of them.
struct Run {
    random: Random,
    sim: Sim,
    confirmed: Model,
    /// The expected state with the unconfirmed batch, which may be on disk.
    doubtful: Option<Model>,
    full: bool,
}

impl Run {
    fn new(seed: u64) -> (Run, Durable) {
        let (sim, store) = fresh();
        let (confirmed, random) = (Model::empty(EPOCH), Random(seed));
        (Run { random, sim, confirmed, doubtful: None, full: false }, store)
    }

    fn commit(&mut self, store: &Durable) {
        let (batch, head) = self.confirmed.draw(&mut self.random);
        let mut after = self.confirmed.clone();
        after.apply(&batch, head);
        match store.commit(&batch, &head) {
            Ok(()) => self.confirmed = after,
            Err(CommitError::Full(_)) => self.full = true,
            Err(CommitError::Failed(e)) => {
                let text = e.to_string();
                assert!(text.starts_with("sim: ") || text.starts_with("sim/log."), "{text}");
                self.doubtful = Some(after);
            }
        }
    }

    fn write(&mut self, store: &Durable, batches: u64) {
        for _ in 0..batches {
            self.commit(store);
            if self.doubtful.is_some() || self.full {
                break;
            }
        }
    }

    /// Checks that the disk has the expected state after a crash, and takes further batches.
    #[track_caller]
    fn check(&mut self, what: &str, sim: &Sim) {
        let store = open(sim).unwrap_or_else(|e| panic!("{what}: {e}"));
        let found = found(&store);
        let doubtful = self.doubtful.take();
        if doubtful.as_ref() != Some(&found) {
            assert_eq!(found, self.confirmed, "{what}, {doubtful:?}");
        }
        self.confirmed = found;
        self.write(&store, 3);
        assert!(self.doubtful.is_none() && !self.full, "{what}");
        // Not closed, as if the process was killed.
        let again = open(&sim.after_power_loss(&mut self.random)).unwrap();
        assert_eq!(super::found(&again), self.confirmed, "{what}");
    }
}

/// Draws when the fault happens, and checks that it made a difference in enough of the runs.
#[track_caller]
fn check_fault(fault: Fault) {
    let (mut happened, mut doubts) = (0, 0);
    for seed in 0..rounds() {
        let (mut run, store) = Run::new(seed);
        let batches = run.random.below(4);
        run.write(&store, batches);
        let after = run.random.below(if matches!(fault, Fault::Sync(_)) { 3 } else { 30 });
        run.sim.fail_after(after, fault);
        run.write(&store, 6);
        happened += u64::from(!run.sim.is_waiting());
        doubts += u64::from(run.doubtful.is_some());
        assert!(!run.full, "{fault:?} is no lack of room");
        if run.doubtful.is_some() && fault != Fault::Power {
            let (batch, head) = run.confirmed.draw(&mut run.random);
            let refused = store.commit(&batch, &head);
            assert!(matches!(refused, Err(CommitError::Failed(_))), "nothing more is taken");
        }
        let what = format!("{fault:?} of seed {seed}");
        if run.random.one_in(2) && fault != Fault::Power {
            run.check(&what, &run.sim.after_kill());
        } else {
            let sim = run.sim.after_power_loss(&mut run.random);
            run.check(&what, &sim);
        }
        run.sim.heal();
    }
    assert!(
        happened > rounds() / 2 && doubts > rounds() / 3,
        "{happened} happened, {doubts} doubts"
    );
}

#[test]
fn a_power_loss_leaves_whole_batches() {
    check_fault(Fault::Power);
}

#[test]
fn a_failed_write_ends_the_store_with_whole_batches() {
    check_fault(Fault::Write(ErrorKind::Other));
}

#[test]
fn a_short_write_ends_the_store_with_whole_batches() {
    check_fault(Fault::Short(ErrorKind::Other));
}

#[test]
fn a_failed_fsync_ends_the_store_with_whole_batches() {
    check_fault(Fault::Sync(ErrorKind::Other));
}

/// The written bytes may be lost then, and a second fsync would not report it.
/// Not in the words of redb, whose advice is for programs.
#[test]
fn later_errors_say_that_the_disk_failed_before() {
    let (sim, store) = fresh();
    let mut model = Model::empty(EPOCH);
    super::log::put(&store, &mut model, "first", 100);
    sim.fail_after(0, Fault::Sync(ErrorKind::Other));
    for words in ["log.0", "is not written, because the disk failed before"] {
        let failed = store.commit(&[model.put("second", vec![1])], &model.next());
        let Err(CommitError::Failed(e)) = failed else { panic!("{failed:?}") };
        assert!(e.to_string().contains(words), "{e}");
    }
    store.close();
    let error = store.load(&mut |_| (), &mut |_, _| ()).unwrap_err().to_string();
    assert!(error.contains("sim: is closed, because the server stops"), "{error}");
}

#[test]
fn an_fsync_without_room_is_a_failure() {
    check_fault(Fault::Sync(ErrorKind::StorageFull));
}

#[test]
fn a_kill_between_batches_loses_nothing() {
    for seed in 0..rounds() {
        let (mut run, store) = Run::new(seed);
        let batches = run.random.below(8);
        run.write(&store, batches);
        let sim = run.sim.after_kill();
        run.check(&format!("seed {seed}"), &sim);
    }
}

/// Otherwise the server of a large store would take minutes to start.
#[test]
fn a_start_after_a_kill_reads_no_more_than_any_other() {
    let (sim, store) = fresh();
    let model = Model::empty(EPOCH);
    store.commit(&[model.put("large", vec![7; 8 << 20])], &model.next()).unwrap();
    let options = Options { cache_bytes: 0, ..Options::default() };
    let reads = |sim: Sim| {
        let before = sim.reads();
        drop(open_with(&sim, options).unwrap());
        sim.reads() - before
    };
    let after_kill = reads(sim.after_kill());
    drop(store);
    let after_end = reads(sim);
    assert!(after_kill <= after_end + 20, "{after_kill} reads, {after_end} after a clean end");
}

/// The batch is tried again: there may be room a moment later.
#[track_caller]
fn check_no_room(fault: Fault) {
    let mut happened = 0;
    for seed in 0..rounds() {
        let (mut run, store) = Run::new(seed);
        run.write(&store, 3);
        run.sim.fail_after(run.random.below(20), fault);
        run.write(&store, 4);
        assert!(run.doubtful.is_none(), "{fault:?} of seed {seed} ended the store");
        happened += u64::from(!run.sim.is_waiting());
        run.sim.heal();
        assert_eq!(found(&store), run.confirmed, "seed {seed}: nothing is lost");
        run.full = false;
        run.write(&store, 3);
        assert!(!run.full && run.doubtful.is_none(), "seed {seed}: writes work again");
        let sim = run.sim.after_power_loss(&mut run.random);
        run.check(&format!("{fault:?} of seed {seed}"), &sim);
    }
    assert!(happened > rounds() / 2, "{happened} happened");
}

/// Others fill the disk, and the system reports the free room too late.
#[test]
fn a_suddenly_full_disk_refuses_one_batch_and_keeps_the_others() {
    for seed in 0..rounds() {
        let (mut run, store) = Run::new(seed);
        run.write(&store, 3);
        let more = run.random.below(100_000);
        run.sim.resize(run.sim.end().unwrap() + more, Some(u64::MAX));
        for i in 0.. {
            let put = [run.confirmed.put(&format!("fill{i}"), vec![1; 20_000])];
            let head = run.confirmed.next();
            match store.commit(&put, &head) {
                Ok(()) => run.confirmed.apply(&put, head),
                Err(CommitError::Full(_)) => break,
                Err(CommitError::Failed(e)) => panic!("seed {seed}: {e}"),
            }
        }
        run.sim.resize(u64::MAX, None);
        assert_eq!(found(&store), run.confirmed, "seed {seed}: nothing is lost");
        run.write(&store, 3);
        assert!(!run.full && run.doubtful.is_none(), "seed {seed}: writes work again");
        let sim = run.sim.after_power_loss(&mut run.random);
        run.check(&format!("seed {seed}"), &sim);
    }
}

#[test]
fn a_write_without_room_does_no_harm() {
    check_no_room(Fault::Write(ErrorKind::StorageFull));
}

#[test]
fn a_short_write_without_room_does_no_harm() {
    check_no_room(Fault::Short(ErrorKind::StorageFull));
}

#[test]
fn a_quota_is_a_lack_of_room() {
    check_no_room(Fault::Write(ErrorKind::QuotaExceeded));
}

#[test]
fn a_failed_read_affects_no_other_read() {
    let (sim, store) = fresh();
    let mut model = Model::empty(EPOCH);
    let (put, head) = (model.put("large", vec![7; 300_000]), model.next());
    store.commit(std::slice::from_ref(&put), &head).unwrap();
    model.apply(&[put], head);
    drop(store);

    // Otherwise all of it is in memory: without optimization, the database reads it when it opens.
    let open = |sim| open_with(sim, Options { cache_bytes: 0, ..Options::default() });
    let store = open(&sim).unwrap();
    sim.break_reads(u64::MAX);
    let error = store.contents(1).unwrap_err();
    assert!(error.to_string().contains("bad sector"), "{error}");
    sim.break_reads(0);
    assert_eq!(store.contents(1).unwrap().unwrap().len(), 300_000);

    // The first read of a call may fail, and the store continues after a failed call.
    sim.break_reads(1);
    assert_eq!(store.contents(1).unwrap().unwrap().len(), 300_000);
    sim.break_reads(2);
    store.contents(1).unwrap_err();
    let (put, head) = (model.put("b", vec![1]), model.next());
    store.commit(std::slice::from_ref(&put), &head).unwrap();
    model.apply(&[put], head);
    assert_eq!(found(&store), model);
}
