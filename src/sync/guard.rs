//! The guard rail against folders that were emptied by mistake.

use super::hash::Hash;
use std::collections::HashMap;
use std::fmt;

/// So many deletions in one round are never too many.
const FREE: usize = 20;

/// Beyond that this part of all files is too much.
const PART: usize = 4;

/// More deletions than anybody is likely to want.
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

/// Checks how many of `files` are deleted in one direction. A deletion whose content `appears` at
/// another path is a move and does not count.
pub(super) fn check(
    files: usize,
    deleted: impl Iterator<Item = Hash>,
    appearing: impl Iterator<Item = Hash>,
) -> Result<(), TooMany> {
    let mut moved: HashMap<Hash, usize> = HashMap::new();
    appearing.for_each(|hash| *moved.entry(hash).or_default() += 1);
    let is_lost = |hash: &Hash| match moved.get_mut(hash) {
        Some(n) if *n > 0 => {
            *n -= 1;
            false
        }
        _ => true,
    };
    let deletions = deleted.filter(is_lost).count();
    match deletions > FREE.max(files / PART) {
        true => Err(TooMany { deletions, files }),
        false => Ok(()),
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
        assert_eq!(check(20, hashes(0..20), hashes(0..0)), Ok(()));
        let too_many = TooMany { deletions: 21, files: 21 };
        assert_eq!(check(21, hashes(0..21), hashes(0..0)), Err(too_many));
        assert_eq!(check(1000, hashes(0..250), hashes(0..0)), Ok(()));
        assert!(check(1000, hashes(0..251), hashes(0..0)).is_err());
    }

    #[test]
    fn what_appears_elsewhere_was_moved() {
        assert_eq!(check(100, hashes(0..100), hashes(0..75)), Ok(()));
        assert!(check(100, hashes(0..100), hashes(0..74)).is_err());
        let same = || std::iter::repeat_n(Hash::of(b""), 100);
        assert!(check(100, same(), hashes(0..0).chain([Hash::of(b"")])).is_err());
        assert_eq!(check(100, same(), same()), Ok(()));
    }
}
