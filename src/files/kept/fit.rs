//! A batch for which there is not room enough: as much of it as fits.

use super::store::{Change, CommitError, Head, Store};
use std::collections::BTreeMap;
use std::io;

/// Commits a batch. For which changes there was no room, by their number in it, and how many bytes
/// the store may have.
pub(super) fn commit_what_fits(
    store: &dyn Store,
    changes: Vec<Change>,
    head: &Head,
) -> io::Result<BTreeMap<usize, u64>> {
    match store.commit(&changes, head) {
        Ok(()) => return Ok(BTreeMap::new()),
        Err(CommitError::Failed(e)) => return Err(e),
        Err(CommitError::Full(_)) => {}
    }
    let is_put = |(_, change): &(usize, Change)| matches!(change, Change::Put { .. });
    let (puts, others): (Vec<_>, Vec<_>) = changes.into_iter().enumerate().partition(is_put);
    let mut parts = Parts { store, head, least: None, refused: BTreeMap::new() };
    // A removal may find room where nothing else does, and makes some.
    for group in [others, puts] {
        let (numbers, changes): (Vec<_>, Vec<_>) = group.into_iter().unzip();
        parts.least = None;
        parts.commit(&numbers, &changes)?;
    }
    Ok(parts.refused)
}

struct Parts<'a> {
    store: &'a dyn Store,
    head: &'a Head,
    /// The least that did not fit by itself, in bytes, and the maximum of the store.
    least: Option<(usize, u64)>,
    refused: BTreeMap<usize, u64>,
}

impl Parts<'_> {
    /// Halves what does not fit, for each half may free what the next one needs.
    fn commit(&mut self, numbers: &[usize], changes: &[Change]) -> io::Result<()> {
        if changes.is_empty() {
            return Ok(());
        }
        if let Some((least, max)) = self.least
            && changes.iter().all(|change| bytes(change) >= least)
        {
            self.refused.extend(numbers.iter().map(|number| (*number, max)));
            return Ok(());
        }
        let max = match self.store.commit(changes, self.head) {
            Ok(()) => return Ok(()),
            Err(CommitError::Failed(e)) => return Err(e),
            Err(CommitError::Full(max)) => max,
        };
        if let ([number], [change]) = (numbers, changes) {
            self.least = Some((bytes(change), max));
            self.refused.insert(*number, max);
            return Ok(());
        }
        let (first_numbers, numbers) = numbers.split_at(numbers.len() / 2);
        let (first, changes) = changes.split_at(changes.len() / 2);
        self.commit(first_numbers, first)?;
        self.commit(numbers, changes)
    }
}

/// What it brings.
fn bytes(change: &Change) -> usize {
    match change {
        Change::Put { name, contents, .. } => {
            name.as_str().len() + contents.as_ref().map_or(0, |contents| contents.len())
        }
        Change::Touch { .. } | Change::Remove { .. } | Change::Unnamed { .. } => 0,
    }
}
