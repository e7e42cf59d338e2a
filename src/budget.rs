//! A budget of memory that all threads share, and what an allocation takes of it. A common module:
//! imports only the refusal from this crate.

use crate::refusal::{Limit, Refusal};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A maximum number of bytes that threads share.
#[derive(Debug)]
pub struct Budget {
    used: AtomicU64,
    max: u64,
}

impl Budget {
    /// Makes a budget of `max` bytes.
    pub fn new(max: u64) -> Arc<Self> {
        Arc::new(Budget { used: AtomicU64::new(0), max })
    }

    /// Returns the bytes in use. They may be more than the maximum, because
    /// some memory cannot be refused.
    pub fn used(&self) -> u64 {
        self.used.load(Relaxed)
    }

    /// Returns the maximum.
    pub fn max(&self) -> u64 {
        self.max
    }
}

/// Bytes acquired from a [`Budget`], released on drop. The default acquires from none.
#[derive(Debug, Default)]
pub(crate) struct Charge {
    budget: Option<Arc<Budget>>,
    bytes: u64,
}

impl Charge {
    /// Returns a charge of nothing: see [`grow`](Charge::grow).
    pub(crate) fn none(budget: &Arc<Budget>) -> Self {
        Charge { budget: Some(budget.clone()), bytes: 0 }
    }

    /// Returns the bytes taken.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Returns the budget, if there is one.
    pub(crate) fn budget(&self) -> Option<&Arc<Budget>> {
        self.budget.as_ref()
    }

    /// Takes more bytes.
    ///
    /// # Errors
    /// [`Limit::Memory`] if that would exceed the maximum; nothing is taken then.
    pub(crate) fn grow(&mut self, bytes: u64) -> Result<(), Refusal> {
        let Some(budget) = &self.budget else { return Ok(()) };
        let add = |used: u64| used.checked_add(bytes).filter(|sum| *sum <= budget.max);
        match budget.used.fetch_update(Relaxed, Relaxed, add) {
            Ok(_) => self.bytes += bytes,
            Err(_) => return Err(self.refusal()),
        }
        Ok(())
    }

    /// Takes more bytes even over the maximum, for memory that cannot be refused. Until enough is
    /// released, [`grow`](Charge::grow) refuses.
    pub(crate) fn grow_over(&mut self, bytes: u64) {
        if let Some(budget) = &self.budget {
            budget.used.fetch_add(bytes, Relaxed);
            self.bytes += bytes;
        }
    }

    /// Releases some of the bytes.
    pub(crate) fn shrink(&mut self, bytes: u64) {
        if let Some(budget) = &self.budget {
            let bytes = bytes.min(self.bytes);
            budget.used.fetch_sub(bytes, Relaxed);
            self.bytes -= bytes;
        }
    }

    /// Takes over the bytes of another charge on the same budget.
    pub(crate) fn absorb(&mut self, mut other: Charge) {
        debug_assert!(self.budget.is_some() || other.bytes == 0);
        self.bytes += std::mem::take(&mut other.bytes);
    }

    /// Changes a part of `before` bytes to one of `after`, even over the maximum.
    pub(crate) fn change(&mut self, before: u64, after: u64) {
        if after > before {
            self.grow_over(after - before);
        } else if after < before {
            self.shrink(before - after);
        }
    }

    /// Returns the refusal of a request that does not fit.
    pub(crate) fn refusal(&self) -> Refusal {
        Refusal::Limit(Limit::Memory, self.budget.as_ref().map_or(u64::MAX, |b| b.max))
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.shrink(self.bytes);
    }
}

/// Returns what an allocation of `bytes` takes: malloc(3) of glibc has 8 bytes of its own before
/// each block and rounds to 16, at least 32. The allocators of other systems come close to that.
pub(crate) const fn block(bytes: usize) -> u64 {
    const LEAST: usize = 32;
    if bytes == 0 {
        return 0;
    }
    let rounded = bytes.saturating_add(8).next_multiple_of(16);
    if rounded < LEAST { LEAST as u64 } else { rounded as u64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_over_the_maximum_is_refused_and_what_cannot_be_refused_counts() {
        let budget = Budget::new(100);
        let (mut a, mut b) = (Charge::none(&budget), Charge::none(&budget));
        a.grow(60).unwrap();
        assert_eq!(b.grow(41), Err(Refusal::Limit(Limit::Memory, 100)));
        b.grow(40).unwrap();
        a.grow_over(30);
        assert_eq!((budget.used(), a.bytes(), b.bytes()), (130, 90, 40));
        a.shrink(29);
        assert!(b.grow(0).is_err(), "still over the maximum");
        a.shrink(1000);
        assert_eq!((budget.used(), a.bytes()), (40, 0));
        drop(b);
        assert_eq!(budget.used(), 0);
        let (mut a, mut b) = (Charge::none(&budget), Charge::none(&budget));
        b.grow(40).unwrap();
        a.absorb(b);
        a.change(30, 120);
        a.change(20, 10);
        assert_eq!((budget.used(), a.bytes()), (120, 120));
        drop(a);
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn a_block_is_what_malloc_takes() {
        let taken = [0, 1, 24, 25, 40, 41, 4096].map(block);
        assert_eq!(taken, [0, 32, 32, 48, 48, 64, 4112]);
    }
}
