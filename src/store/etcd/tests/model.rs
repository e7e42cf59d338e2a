//! Random batches, while requests and replies are lost and other servers become active. What a server
//! finds is what was acknowledged, and perhaps a part of the batch that was not, from its first change on.

use super::gate::{Gate, Step};
use super::*;
use crate::files::store::{CommitError, Head, Mutation};
use crate::store::etcd::gateway::Txn;
use crate::store::tests::Random;
use std::sync::Mutex;

/// What happens to a server's transactions.
struct Trouble {
    random: Random,
    is_quiet: bool,
    elections: u64,
    /// What the server found that was elected during this one's term.
    found: Option<Model>,
}

#[test]
fn what_is_found_has_all_that_was_acknowledged_and_a_prefix_of_the_rest() {
    // Large batches are several transactions there.
    let Some(real) = real::Etcd::start(6) else { return };
    let (mut lost, mut partial, mut elections) = (0, 0, 0);
    for seed in 0..3 {
        let run = Run::start(&real.url, seed);
        let done = run.go(30);
        lost += done.lost;
        partial += done.partial;
        elections += done.elections;
    }
    assert!(lost > 20 && partial > 0 && elections > 20, "{lost} {partial} {elections}");
}

struct Run {
    gate: Gate,
    url: String,
    prefix: String,
    trouble: Arc<Mutex<Trouble>>,
    random: Random,
}

#[derive(Default)]
struct Done {
    /// Batches that were not acknowledged.
    lost: u64,
    /// Those of which a part was found.
    partial: u64,
    elections: u64,
}

impl Run {
    fn start(url: &str, seed: u64) -> Run {
        let (gate, prefix) = (Gate::start(url), prefix());
        let random = Random(seed * 1000);
        let trouble = Trouble { random: Random(seed), is_quiet: true, elections: 0, found: None };
        let run = Run {
            gate,
            url: url.to_string(),
            prefix,
            trouble: Arc::new(Mutex::new(trouble)),
            random,
        };
        let (gate, trouble) = (run.gate.clone(), run.trouble.clone());
        let etcd = table_at(url, &run.prefix);
        run.gate.script(move |path, _| match path {
            "/v3/kv/txn" => trouble.lock().unwrap().step(&gate, &etcd),
            _ => Step::Pass,
        });
        run
    }

    fn go(mut self, servers: usize) -> Done {
        let mut done = Done::default();
        // What the last server that was elected has found.
        let mut last: Option<Model> = None;
        for _ in 0..servers {
            self.trouble.lock().unwrap().is_quiet = true;
            let term = term(&table_at(self.gate.url(), &self.prefix));
            let store = term.store();
            let found = loaded(&*store).unwrap();
            if let Some(last) = &last {
                assert_eq!(found, *last);
            }
            let mut now = found;
            self.trouble.lock().unwrap().found = None;
            if self.random.below(2) == 0 {
                self.gate.release();
            }
            self.trouble.lock().unwrap().is_quiet = false;
            loop {
                let (batch, head) = now.draw(&mut self.random);
                let (before, mut after) = (now.clone(), now.clone());
                after.apply(&batch, head);
                match store.commit(&batch, &head) {
                    Ok(()) => {
                        assert_eq!(self.trouble.lock().unwrap().found, None, "it is not active");
                        now = after;
                    }
                    Err(CommitError::Failed(e)) => {
                        done.lost += 1;
                        let possible = prefixes(&before, &batch, head);
                        let found = self.trouble.lock().unwrap().found.take();
                        let found = found.unwrap_or_else(|| panic!("no other is active: {e}"));
                        assert!(possible.contains(&found), "{found:?}\n{possible:?}");
                        done.partial += u64::from(found != possible[0] && found != after);
                        last = Some(found);
                        break;
                    }
                    Err(e) => panic!("{e}"),
                }
            }
            term.resign();
            // What is still on its way arrives, before or after the next election.
            if self.random.below(4) == 0 {
                self.gate.release();
            }
        }
        done.elections = self.trouble.lock().unwrap().elections;
        let url = self.url.clone();
        self.gate.release();
        let term = term(&table_at(&url, &self.prefix));
        assert_eq!(Some(loaded(&*term.store()).unwrap()), last);
        term.resign();
        done
    }
}

impl Trouble {
    fn step(&mut self, gate: &Gate, etcd: &Etcd) -> Step {
        if self.is_quiet {
            return Step::Pass;
        }
        match self.random.below(20) {
            0 | 1 => Step::Cut(self.random.below(300) as usize),
            2 => Step::Lose,
            3 | 4 => Step::Late,
            5..=9 => {
                gate.release();
                Step::Pass
            }
            10 => Step::Refuse(503, "{}"),
            11 => Step::Instead(503, "{}"),
            12 => {
                let mut txn = Txn::default();
                txn.delete(&etcd.cluster.keys.leader());
                etcd.cluster.gateway.transact(txn).unwrap();
                self.elections += 1;
                // It is active for a moment, and changes nothing.
                let other = term(etcd);
                self.found = Some(loaded(&*other.store()).unwrap());
                other.resign();
                // Nothing of the first server is done any more.
                self.is_quiet = true;
                match self.random.below(2) {
                    0 => Step::Pass,
                    _ => Step::Late,
                }
            }
            _ => Step::Pass,
        }
    }
}

/// Returns the table before a batch, after each of its changes, and after all of it.
fn prefixes(before: &Model, batch: &[Mutation], head: Head) -> Vec<Model> {
    let mut possible = vec![before.clone()];
    for count in 1..batch.len() {
        let mut model = before.clone();
        let versions = batch[..count].iter().filter_map(version);
        let version = versions.max().unwrap_or(0).max(before.head.version);
        let forgotten = before.head.forgotten;
        model.apply(&batch[..count], Head { version, forgotten, ..head });
        possible.push(model);
    }
    let mut after = before.clone();
    after.apply(batch, head);
    possible.push(after);
    possible
}

fn version(mutation: &Mutation) -> Option<u64> {
    match mutation {
        Mutation::Put { version, .. }
        | Mutation::Remove { version, .. }
        | Mutation::Pass { version, .. }
        | Mutation::Unnamed { version } => Some(*version),
        Mutation::Touch { .. } => None,
    }
}
