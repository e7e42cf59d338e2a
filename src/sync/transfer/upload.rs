//! What is to be pushed, and the doubt about a row while its entry is being changed.

use crate::sync::disk::scan::Found;
use crate::sync::disk::stat::FileKind;
use crate::sync::error::Error;
use crate::sync::path::RelPath;
use crate::sync::state::index::{Index, Row};
#[cfg(test)]
use crate::sync::steps::{Fault, has};
use crate::version::Version;

/// Contents up to this are in their entry.
#[cfg(not(test))]
pub(in crate::sync) const MAX_INLINE_BYTES: u64 = 64 << 10;
/// Tests use chunks for smaller files.
#[cfg(test)]
pub(in crate::sync) const MAX_INLINE_BYTES: u64 = 32;

/// A path to push, and the version that its entry is at.
#[derive(Debug)]
pub(in crate::sync) struct Upload {
    pub(in crate::sync) path: RelPath,
    pub(in crate::sync) version: Version,
    pub(in crate::sync) found: Found,
}

impl Upload {
    /// Returns whether its contents are stored as chunks.
    pub(in crate::sync) fn is_large(&self) -> bool {
        self.found.stat.kind == FileKind::File && self.found.stat.size > MAX_INLINE_BYTES
    }
}

/// Puts the rows of some paths in doubt, on the disk; returns them as they were.
pub(in crate::sync) fn doubt<'a>(
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
