//! The counts of the clients in the measured part of a run.

use crate::dialect::Outcome;
use hdrhistogram::Histogram;
use std::io;
use std::time::Duration;

const MAX_LATENCY: Duration = Duration::from_secs(60);

#[derive(Clone)]
pub(crate) struct Tally {
    nanoseconds: Histogram<u32>,
    pub(crate) done: u64,
    pub(crate) refused: u64,
    pub(crate) errors: u64,
    pub(crate) first_error: Option<String>,
}

impl Default for Tally {
    fn default() -> Self {
        let nanoseconds = Histogram::new_with_max(MAX_LATENCY.as_nanos() as u64, 2);
        Tally {
            nanoseconds: nanoseconds.expect("these bounds are valid"),
            done: 0,
            refused: 0,
            errors: 0,
            first_error: None,
        }
    }
}

impl Tally {
    pub(crate) fn count(&mut self, outcome: Outcome, latency: Duration) {
        match outcome {
            Outcome::Done { .. } => self.done += 1,
            Outcome::Refused { .. } => self.refused += 1,
        }
        self.nanoseconds.saturating_record(latency.as_nanos() as u64);
    }

    pub(crate) fn fail(&mut self, e: &io::Error) {
        self.errors += 1;
        self.first_error.get_or_insert_with(|| e.to_string());
    }

    pub(crate) fn add(&mut self, other: &Tally) {
        let _ = self.nanoseconds.add(&other.nanoseconds); // the same bounds: it fits
        self.done += other.done;
        self.refused += other.refused;
        self.add_errors(other);
    }

    pub(crate) fn add_errors(&mut self, other: &Tally) {
        self.errors += other.errors;
        if self.first_error.is_none() {
            self.first_error.clone_from(&other.first_error);
        }
    }

    /// Operations, including refused ones.
    pub(crate) fn operations(&self) -> u64 {
        self.done + self.refused
    }

    pub(crate) fn quantile_us(&self, quantile: f64) -> f64 {
        self.nanoseconds.value_at_quantile(quantile) as f64 / 1e3
    }
}
