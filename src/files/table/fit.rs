//! Commits as much of a batch as fits, when there is not room for all.

use crate::files::state::chain::Lack;
use crate::files::store::{CommitError, Head, Mutation, Store};
use crate::refusal::{Limit, Refusal};
use std::collections::BTreeMap;
use std::{io, mem};

/// Commits a batch: changes, each with an alternative if there is no room for its contents. Returns
/// the changes for which there was no room, by their number in the batch.
pub(in crate::files) fn commit_what_fits(
    store: &dyn Store,
    batch: Vec<(Mutation, Option<Mutation>)>,
    head: &Head,
) -> io::Result<BTreeMap<usize, Lack>> {
    let (changes, mut instead): (Vec<_>, Vec<_>) = batch.into_iter().unzip();
    let mut parts = Parts { store, head, least: None, refused: BTreeMap::new() };
    let max = match store.commit(&changes, head) {
        Ok(()) => return Ok(BTreeMap::new()),
        Err(CommitError::Failed(e)) => return Err(e),
        Err(CommitError::Full(max)) => max,
    };
    let (puts, others): (Vec<_>, Vec<_>) =
        changes.into_iter().enumerate().partition(|(_, change)| change.adds().is_some());
    let all_alike = puts.is_empty() || others.is_empty();
    // A removal may fit where nothing else does, and makes room.
    for group in [others, puts] {
        let (numbers, changes): (Vec<_>, Vec<_>) = group.into_iter().unzip();
        parts.least = None;
        match all_alike && !changes.is_empty() {
            true => parts.split(&numbers, &changes, max)?, // the whole was tried already
            false => parts.commit(&numbers, &changes)?,
        }
    }
    let refused = mem::take(&mut parts.refused);
    let instead = refused.keys().filter_map(|number| Some((*number, instead[*number].take()?)));
    let (numbers, changes): (Vec<_>, Vec<_>) = instead.unzip();
    parts.least = None;
    parts.commit(&numbers, &changes)?;
    let lack = |(number, max)| {
        let put_only =
            numbers.binary_search(&number).is_ok() && !parts.refused.contains_key(&number);
        (number, Lack { why: Refusal::Limit(Limit::Data, max), put_only })
    };
    Ok(refused.into_iter().map(lack).collect())
}

struct Parts<'a> {
    store: &'a dyn Store,
    head: &'a Head,
    /// The smallest change that did not fit by itself, in bytes, and the maximum of the store.
    least: Option<(u64, u64)>,
    refused: BTreeMap<usize, u64>,
}

impl Parts<'_> {
    fn commit(&mut self, numbers: &[usize], changes: &[Mutation]) -> io::Result<()> {
        if changes.is_empty() {
            return Ok(());
        }
        if let Some((least, max)) = self.least
            && changes.iter().all(|change| change.adds().unwrap_or(0) >= least)
        {
            self.refused.extend(numbers.iter().map(|number| (*number, max)));
            return Ok(());
        }
        match self.store.commit(changes, self.head) {
            Ok(()) => Ok(()),
            Err(CommitError::Failed(e)) => Err(e),
            Err(CommitError::Full(max)) => self.split(numbers, changes, max),
        }
    }

    /// Halves what did not fit, because each half may free what the next one needs.
    fn split(&mut self, numbers: &[usize], changes: &[Mutation], max: u64) -> io::Result<()> {
        if let ([number], [change]) = (numbers, changes) {
            self.least = Some((change.adds().unwrap_or(0), max));
            self.refused.insert(*number, max);
            return Ok(());
        }
        let (first_numbers, numbers) = numbers.split_at(numbers.len() / 2);
        let (first, changes) = changes.split_at(changes.len() / 2);
        self.commit(first_numbers, first)?;
        self.commit(numbers, changes)
    }
}
