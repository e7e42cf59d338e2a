//! Three servers and three members of etcd, under load, while one after another ends, hangs or is cut off:
//! nothing that was acknowledged is lost, an order explains all answers, and clients go on.
//!
//! `make soak-etcd` does the same for longer, with faults at random.

use super::faults::{FEW, Fault, MORE, Stage};
use super::report::{Report, say};
use crate::random::Random;

/// How many changes are made between two faults.
const CHANGES: u64 = 300;

/// How many faults a round of the soak has. Each round has a table and an etcd of its own.
const FAULTS_OF_ROUND: usize = 10;

fn round<'a>(mut stage: Stage, faults: impl IntoIterator<Item = &'a Fault>) -> Report {
    for fault in faults {
        stage.load.more(CHANGES);
        stage.suffer(fault);
    }
    stage.check()
}

#[test]
fn nothing_acknowledged_is_lost_whoever_ends_hangs_or_is_cut_off() {
    Stage::with(Random::new(), |stage| round(stage, &FEW));
}

/// Has TELEFILE_TEST_FAULTS faults.
#[test]
#[ignore = "it takes minutes: `make soak-etcd` runs it"]
fn soak() {
    let chosen = std::env::var("TELEFILE_TEST_FAULTS");
    let mut left: usize = chosen.map_or(100, |n| n.parse().expect("a number"));
    let mut seed = Random::new().0;
    let mut report = Report::default();
    while left > 0 {
        let count = FAULTS_OF_ROUND.min(left);
        left -= count;
        say(&format!("the round of TELEFILE_TEST_SEED={seed}: {count} faults"));
        let mut chosen = Random(seed);
        seed = Random(seed).next();
        let faults: Vec<_> = (0..count)
            .map(|_| FEW.iter().chain(&MORE).nth(chosen.below(FEW.len() + MORE.len())).unwrap())
            .collect();
        let Some(done) = Stage::with(chosen, |stage| round(stage, faults)) else { return };
        report.add(done);
        report.say();
    }
}
