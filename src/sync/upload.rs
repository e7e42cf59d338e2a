//! What is to be pushed, and the doubt about a row while its entry is being changed.

use super::error::Error;
use super::index::{Index, Row};
use super::path::RelPath;
use super::scan::Found;
use super::stat::FileKind;
#[cfg(test)]
use super::steps::{Fault, has};
use crate::version::Version;

/// Contents up to this are in their entry.
#[cfg(not(test))]
pub(super) const MAX_INLINE_BYTES: u64 = 64 << 10;
/// Tests are about chunks all the more.
#[cfg(test)]
pub(super) const MAX_INLINE_BYTES: u64 = 32;

/// A path to push, and the version that its entry is at.
#[derive(Debug)]
pub(super) struct Upload {
    pub(super) path: RelPath,
    pub(super) version: Version,
    pub(super) found: Found,
}

impl Upload {
    /// Returns whether its contents are stored as chunks.
    pub(super) fn is_large(&self) -> bool {
        self.found.stat.kind == FileKind::File && self.found.stat.size > MAX_INLINE_BYTES
    }
}

/// Puts the rows of some paths in doubt, on the disk; returns them as they were.
pub(super) fn doubt<'a>(
    index: &mut Index,
    paths: impl Iterator<Item = &'a RelPath>,
) -> Result<Vec<Option<Row>>, Error> {
    #[cfg(test)]
    if has(Fault::RowFirst) {
        return Ok(paths.map(|_| None).collect());
    }
    let before = paths.map(|path| {
        let row = index.get(path).copied();
        index.doubt(path);
        row
    });
    let before = before.collect();
    index.commit()?;
    Ok(before)
}
