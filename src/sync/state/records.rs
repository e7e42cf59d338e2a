//! The rows of a folder as bytes: records in frames. A frame is a length, the first bytes of a hash, and
//! records; all numbers are little-endian.

use crate::sync::decide::{Kind, Thing, Versioned};
use crate::sync::disk::stat::{FileKind, Stat};
use crate::sync::hash::Hash;
use crate::sync::path::RelPath;
use crate::version::{Epoch, Version};
use std::collections::BTreeMap;

const CHECK_BYTES: usize = 8;

/// What a record begins with.
const RESET: u8 = b'X';
const EPOCH: u8 = b'E';
const REMOVAL: u8 = b'D';
const DIR: u8 = b'd';
const FILE: u8 = b'f';

/// What both sides last had in common at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sync) struct Row {
    pub(in crate::sync) thing: Thing,
    /// Of the entry.
    pub(in crate::sync) version: Version,
    /// What the disk said of a file with this content. All but the kind means nothing of a folder.
    pub(in crate::sync) stat: Stat,
}

/// In a mode: no file or folder here is what the row says.
const IN_DOUBT: u32 = 1 << 31;

impl Row {
    /// Returns the row to have while one side is changed: whatever is here counts as a change, until
    /// both sides are known to be the same again. Otherwise, if the answer of the server or the last
    /// row is lost, a file that a user puts back as it was would pass for one that nobody has touched,
    /// and what was done to the other one would be done to it.
    pub(in crate::sync) fn in_doubt(self) -> Self {
        let Row { mut thing, version, mut stat } = self;
        thing.mode |= IN_DOUBT;
        (stat.inode, stat.ctime) = (0, 0);
        Row { thing, version, stat }
    }

    pub(in crate::sync) fn base(&self) -> Versioned {
        Versioned { thing: self.thing, version: self.version }
    }
}

/// Puts a length and the first bytes of a hash before some records.
pub(in crate::sync) fn frame(records: &[u8]) -> Vec<u8> {
    let mut frame = (records.len() as u64).to_le_bytes().to_vec();
    frame.extend(&Hash::of(records).as_bytes()[..CHECK_BYTES]);
    frame.extend(records);
    frame
}

/// Splits the first frame off, if it is whole.
pub(in crate::sync) fn split_frame(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    let (check, rest) = rest.split_at_checked(CHECK_BYTES)?;
    let length = usize::try_from(u64::from_le_bytes(*length)).ok()?;
    let (records, rest) = rest.split_at_checked(length)?;
    (&Hash::of(records).as_bytes()[..CHECK_BYTES] == check).then_some((records, rest))
}

/// Puts the record that sets the epoch.
pub(in crate::sync) fn put_epoch(out: &mut Vec<u8>, epoch: Epoch) {
    out.push(EPOCH);
    out.extend(epoch.0.to_le_bytes());
}

/// Puts the record that removes all rows and the epoch.
pub(in crate::sync) fn put_reset(out: &mut Vec<u8>) {
    out.push(RESET);
}

/// Puts the record that removes a row.
pub(in crate::sync) fn put_removal(out: &mut Vec<u8>, path: &RelPath) {
    out.push(REMOVAL);
    put_path(out, path);
}

fn put_path(out: &mut Vec<u8>, path: &RelPath) {
    out.extend((path.as_bytes().len() as u16).to_le_bytes());
    out.extend(path.as_bytes());
}

/// Puts the record that sets a row.
pub(in crate::sync) fn put_row(out: &mut Vec<u8>, path: &RelPath, row: &Row) {
    let Row { thing, version, stat } = row;
    out.push(match thing.kind {
        Kind::Dir => DIR,
        Kind::File(_) => FILE,
    });
    put_path(out, path);
    out.extend(thing.mode.to_le_bytes());
    out.extend(version.0.to_le_bytes());
    if let Kind::File(hash) = thing.kind {
        out.extend(hash.as_bytes());
        out.extend(stat.mode.to_le_bytes());
        for number in [stat.size, stat.inode, stat.device] {
            out.extend(number.to_le_bytes());
        }
        out.extend(stat.mtime.to_le_bytes());
        out.extend(stat.ctime.to_le_bytes());
    }
}

/// Applies the records of a frame; `None` if they make no sense.
pub(in crate::sync) fn apply(
    mut rest: &[u8],
    rows: &mut BTreeMap<RelPath, Row>,
    epoch: &mut Option<Epoch>,
) -> Option<()> {
    while let Some((tag, behind)) = rest.split_first() {
        rest = behind;
        match tag {
            &RESET => {
                rows.clear();
                *epoch = None;
            }
            &EPOCH => *epoch = Some(Epoch(u64::from_le_bytes(take(&mut rest)?))),
            &REMOVAL => drop(rows.remove(&take_path(&mut rest)?)),
            &DIR | &FILE => {
                let path = take_path(&mut rest)?;
                let mode = u32::from_le_bytes(take(&mut rest)?);
                let version = Version(u64::from_le_bytes(take(&mut rest)?));
                let mut stat = Stat {
                    kind: FileKind::Dir,
                    mode,
                    size: 0,
                    mtime: 0,
                    ctime: 0,
                    inode: 0,
                    device: 0,
                };
                let mut kind = Kind::Dir;
                if *tag == FILE {
                    kind = Kind::File(Hash::from_bytes(take(&mut rest)?));
                    stat.kind = FileKind::File;
                    stat.mode = u32::from_le_bytes(take(&mut rest)?);
                    stat.size = u64::from_le_bytes(take(&mut rest)?);
                    stat.inode = u64::from_le_bytes(take(&mut rest)?);
                    stat.device = u64::from_le_bytes(take(&mut rest)?);
                    stat.mtime = i64::from_le_bytes(take(&mut rest)?);
                    stat.ctime = i64::from_le_bytes(take(&mut rest)?);
                }
                rows.insert(path, Row { thing: Thing { kind, mode }, version, stat });
            }
            _ => return None,
        }
    }
    Some(())
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (first, behind) = rest.split_first_chunk()?;
    *rest = behind;
    Some(*first)
}

fn take_path(rest: &mut &[u8]) -> Option<RelPath> {
    let length = usize::from(u16::from_le_bytes(take(rest)?));
    let (path, behind) = rest.split_at_checked(length)?;
    *rest = behind;
    RelPath::new(path)
}
