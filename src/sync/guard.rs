//! The guard rail against folders that were emptied by mistake.

use super::hash::Hash;
use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::time::Instant;

/// This many deletions in one round are never too many.
const FREE: usize = 20;

/// Beyond that, more than this share of all files is too much.
const PART: usize = 4;

/// More deletions than a user is likely to want.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooMany {
    pub(super) deletions: usize,
    pub(super) files: usize,
}

impl fmt::Display for TooMany {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} files would be deleted", self.deletions, self.files)
    }
}

/// How many files were deleted recently, in each direction. All deletions of one interval count
/// together, even if the watcher splits them into several rounds.
#[derive(Debug, Default)]
pub(super) struct Recent {
    pub(super) here: Deletions,
    pub(super) there: Deletions,
}

#[derive(Debug, Default)]
pub(super) struct Deletions(VecDeque<(Instant, usize)>);

impl Deletions {
    /// Returns how many there were since some moment.
    pub(super) fn since(&mut self, moment: Instant) -> usize {
        self.0.retain(|(at, _)| *at >= moment);
        self.0.iter().map(|(_, count)| count).sum()
    }

    pub(super) fn add(&mut self, now: Instant, count: usize) {
        if count > 0 {
            self.0.push_back((now, count));
        }
    }
}

/// Checks how many of `files` are deleted in one direction, with those that were `before`. Returns how
/// many that are. A deletion whose content `appears` at another path is a move and does not count.
pub(super) fn check(
    files: usize,
    before: usize,
    deleted: impl Iterator<Item = Hash>,
    appearing: impl Iterator<Item = Hash>,
) -> Result<usize, TooMany> {
    let mut moved: HashMap<Hash, usize> = HashMap::new();
    appearing.for_each(|hash| *moved.entry(hash).or_default() += 1);
    let is_lost = |hash: &Hash| match moved.get_mut(hash) {
        Some(n) if *n > 0 => {
            *n -= 1;
            false
        }
        _ => true,
    };
    let count = deleted.filter(is_lost).count();
    let (deletions, files) = (count + before, files + before);
    match count > 0 && deletions > FREE.max(files / PART) {
        true => Err(TooMany { deletions, files }),
        false => Ok(count),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hashes(numbers: std::ops::Range<u32>) -> impl Iterator<Item = Hash> {
        numbers.map(|n| Hash::of(&n.to_le_bytes()))
    }

    #[test]
    fn twenty_or_a_quarter_may_go() {
        let check = |files, deleted, appearing| check(files, 0, deleted, appearing);
        assert_eq!(check(20, hashes(0..20), hashes(0..0)), Ok(20));
        let too_many = TooMany { deletions: 21, files: 21 };
        assert_eq!(check(21, hashes(0..21), hashes(0..0)), Err(too_many));
        assert_eq!(check(1000, hashes(0..250), hashes(0..0)), Ok(250));
        assert!(check(1000, hashes(0..251), hashes(0..0)).is_err());
    }

    #[test]
    fn what_appears_elsewhere_was_moved() {
        assert_eq!(check(100, 0, hashes(0..100), hashes(0..75)), Ok(25));
        assert!(check(100, 0, hashes(0..100), hashes(0..74)).is_err());
        let same = || std::iter::repeat_n(Hash::of(b""), 100);
        assert!(check(100, 0, same(), hashes(0..0).chain([Hash::of(b"")])).is_err());
        assert_eq!(check(100, 0, same(), same()), Ok(0));
    }

    #[test]
    fn deletions_of_several_rounds_are_added() {
        let (mut deletions, start) = (Deletions::default(), Instant::now());
        assert_eq!(check(40, 0, hashes(0..15), hashes(0..0)), Ok(15));
        deletions.add(start, 15);
        let before = deletions.since(start);
        assert_eq!(check(25, before, hashes(15..20), hashes(0..0)), Ok(5));
        assert!(check(25, before, hashes(15..21), hashes(0..0)).is_err());
        // A round without deletions is none too many.
        assert_eq!(check(0, 100, hashes(0..0), hashes(0..0)), Ok(0));
        let later = start + std::time::Duration::from_secs(1);
        assert_eq!(deletions.since(later), 0);
    }
}
