//! What the log holds beyond the tree, found when a store is opened.
//!
//! A segment ends at its first batch that is not whole: of the last write, any part may have reached the
//! disk. Whole batches that must have been written later prove that this is damage, and not the end.

use super::batch::{ALIGN, Batch};
use super::segment::{Segment, names};
use crate::store::error::{Result, damaged, foreign, of_file};
use crate::store::format::Stamp;
use crate::store::planted::{Planted, planted};
use crate::store::tree::log_head::LogHead;
use redb::Error;
use std::cmp::Reverse;
use std::path::Path;

/// A segment with what is whole in it.
#[derive(Debug)]
struct Scanned {
    slot: usize,
    /// The first batch and the last one, if there is any.
    whole: Option<(u64, u64)>,
    /// The checksum of the batch before the first one.
    previous: u32,
    number: u64,
    /// Where the last whole batch begins.
    last_at: u64,
    /// Where the first batch that is not whole begins.
    end: u64,
    last: Option<Stamp>,
    /// The greatest number of a whole batch behind the end.
    behind: Option<u64>,
}

/// A segment to be replayed, up to its end.
#[derive(Debug)]
pub(super) struct Replay {
    pub(super) slot: usize,
    pub(super) number: u64,
    /// Where its last batch begins, and where that ends.
    pub(super) last_at: u64,
    pub(super) end: u64,
    pub(super) last: Stamp,
}

/// What a start found.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Segments with batches that the tree does not have, in order.
    pub(super) replay: Vec<Replay>,
    /// The greatest number of a segment.
    pub(super) number: u64,
}

/// Finds the batches beyond the tree's last one, `tree`, which knows `head` of its log. A segment has
/// `segment_bytes`.
///
/// # Errors
/// The log is damaged, belongs to another table, or does not continue the tree.
pub(super) fn recover(
    segments: &[Segment],
    head: &LogHead,
    tree: &Stamp,
    segment_bytes: u64,
) -> Result<Found> {
    let mut scanned = Vec::new();
    for segment in segments {
        scanned.push(scan_one(segment, head, tree, segment_bytes)?);
    }
    let number = scanned.iter().map(|one| one.number).max().unwrap_or(0);
    let mut found = Found { number, ..Found::default() };
    let path = |slot: usize| {
        segments.iter().find(|one| one.slot == slot).map_or(Path::new(""), |one| &one.path)
    };
    let newest = scanned.iter().filter_map(|one| one.behind.max(one.whole.map(|(_, last)| last)));
    let newest = newest.max().unwrap_or(0);
    scanned.sort_by_key(|one| (one.number, Reverse(one.whole)));
    let (mut next, mut sum) = (tree.batch + 1, tree.sum);
    for one in &scanned {
        let (Some((first, last)), Some(stamp)) = (one.whole, one.last) else { continue };
        if last < next {
            continue; // the tree has them, or they are a copy
        }
        if first > next {
            break;
        }
        if first == next && one.previous != sum {
            return Err(diverged(path(one.slot), first));
        }
        let Scanned { slot, number, last_at, end, .. } = *one;
        found.replay.push(Replay { slot, number, last_at, end, last: stamp });
        (next, sum) = (last + 1, stamp.sum);
    }
    if newest < next && head.batch >= next {
        let name = names().nth(head.slot as usize).unwrap_or_default();
        return Err(damaged(format!(
            "the log does not continue it: {name} is missing, damaged or an older one, because it had batch \
             {}, and the log ends with batch {}. Put back the folder as a whole",
            head.batch,
            next - 1
        )));
    }
    if newest < next {
        return Ok(found);
    }
    // The batch `next` is missing, and a later one is not. Where it should be is damaged.
    let is_place = |one: &&Scanned| match one.whole {
        Some((_, last)) => last + 1 == next && (one.behind.is_some() || next > tree.batch + 1),
        None => one.behind.is_some_and(|behind| behind >= next),
    };
    match scanned.iter().find(is_place) {
        Some(one) => Err(damaged(format!(
            "the log is damaged: {} has no whole batch at offset {}, but later ones are whole",
            path(one.slot).display(),
            one.end
        ))),
        None => Err(damaged(format!(
            "the log does not continue it: its latest batch is {}, and the log goes on up to batch \
             {newest} without batch {next}. Put back the folder as a whole",
            tree.batch
        ))),
    }
}

fn scan_one(
    segment: &Segment,
    head: &LogHead,
    tree: &Stamp,
    segment_bytes: u64,
) -> Result<Scanned> {
    let bytes = segment.read()?;
    let Segment { slot, path, .. } = segment;
    let mut one = Scanned {
        slot: *slot,
        whole: None,
        previous: 0,
        number: 0,
        last_at: 0,
        end: 0,
        last: None,
        behind: None,
    };
    let mut at = 0;
    while let Some(batch) = Batch::decode(&bytes[at..]) {
        let place = batch.place;
        if place.log != head.id {
            return Err(foreign(format!("its log {} is another table's", path.display())));
        }
        let (number, stamp) = (place.segment, place.stamp);
        let follows = one
            .last
            .is_none_or(|last: Stamp| (stamp.batch, place.previous) == (last.batch + 1, last.sum));
        if at > 0 && (number != one.number || !follows) && !planted(Planted::Recycled) {
            break; // it was there before the segment was used again
        }
        if stamp.batch >= tree.batch && stamp.head.epoch != tree.head.epoch {
            return Err(foreign(format!(
                "its log {} has epoch {:016x}, and the table has {:016x}",
                path.display(),
                stamp.head.epoch,
                tree.head.epoch
            )));
        }
        let known = [(tree.batch, tree.sum), (head.batch, head.sum)];
        if known.iter().any(|(batch, sum)| stamp.batch == *batch && stamp.sum != *sum) {
            return Err(diverged(path, stamp.batch));
        }
        if at == 0 {
            one.previous = place.previous;
        }
        let first = one.whole.map_or(stamp.batch, |(first, _)| first);
        (one.whole, one.number, one.last) = (Some((first, stamp.batch)), number, Some(stamp));
        one.last_at = at as u64;
        at += batch.length();
        one.end = at as u64;
    }
    one.behind = behind(&bytes[at..], head.id, one.last.map_or(tree.batch, |last| last.batch));
    if (bytes.len() as u64) < segment_bytes && (one.whole.is_some() || one.behind.is_some()) {
        // It was filled before its first batch.
        let why =
            format!("it ends at offset {}, and a segment has {segment_bytes} bytes", bytes.len());
        return Err(of_file(path, damaged(why)));
    }
    Ok(one)
}

fn diverged(path: &Path, batch: u64) -> Error {
    let path = path.display();
    damaged(format!(
        "the log does not continue it: batch {batch} in {path} is of another copy of the folder. Put back \
         the folder as a whole"
    ))
}

/// Returns the greatest number of a whole batch of this log anywhere in these bytes, above `last`.
fn behind(bytes: &[u8], log: u64, last: u64) -> Option<u64> {
    let starts = (0..bytes.len()).step_by(ALIGN);
    let found = starts.filter_map(|at| Batch::decode_of(&bytes[at..], Some(log)));
    let numbers = found.map(|batch| batch.place.stamp.batch);
    numbers.filter(|number| *number > last).max()
}
