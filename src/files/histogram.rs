//! How often a measured value was how large.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Counts values by their size. Any thread may record or read at any time.
#[derive(Debug)]
pub(crate) struct Histogram {
    bounds: &'static [u64],
    /// How many values are at most the bound of this place, and above the one before; the last place
    /// is for those above all bounds.
    counts: Box<[AtomicU64]>,
    sum: AtomicU64,
}

/// What a [`Histogram`] has counted.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Distribution {
    /// Each bound, and how many values are at most that.
    pub(crate) up_to: Vec<(u64, u64)>,
    pub(crate) count: u64,
    pub(crate) sum: u64,
}

impl Histogram {
    /// Creates one with these bounds, in ascending order.
    pub(crate) fn new(bounds: &'static [u64]) -> Self {
        let counts = (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect();
        Histogram { bounds, counts, sum: AtomicU64::new(0) }
    }

    pub(crate) fn record(&self, value: u64) {
        let place = self.bounds.partition_point(|bound| *bound < value);
        self.counts[place].fetch_add(1, Relaxed);
        self.sum.fetch_add(value, Relaxed);
    }

    pub(crate) fn read(&self) -> Distribution {
        let mut count = 0;
        let mut add = |in_place: &AtomicU64| {
            count += in_place.load(Relaxed);
            count
        };
        let bounds = self.bounds.iter().zip(&self.counts);
        let up_to = bounds.map(|(bound, in_place)| (*bound, add(in_place))).collect();
        let count = self.counts.last().map_or(0, add);
        Distribution { up_to, count, sum: self.sum.load(Relaxed) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_counts_for_each_bound_from_its_own_up() {
        let histogram = Histogram::new(&[1, 10, 100]);
        for value in [0, 1, 2, 10, 11, 100, 101, 1000] {
            histogram.record(value);
        }
        let up_to = vec![(1, 2), (10, 4), (100, 6)];
        assert_eq!(histogram.read(), Distribution { up_to, count: 8, sum: 1225 });
    }
}
