//! How a batch is encoded in a segment. One checksum covers all of it, with the number of the segment and of
//! the batch: so neither a part of a batch nor an older one in a recycled segment is mistaken for one.
//!
//! ```text
//! magic u32 | checksum u32 | length u64 | log u64 | segment u64 | batch u64 | previous u32 | head 36 | records | zeros
//! ```
//!
//! Numbers are little-endian. `previous` is the checksum of the batch before this one: so no batch can follow
//! one of another copy of the table. The length counts everything, and is a multiple of [`ALIGN`]. The log's
//! number is a secret: otherwise contents could be chosen that look like a batch. Contents that the store
//! keeps on disk are followed by a checksum of their own, because they are also read alone.

use crate::contents::Contents;
use crate::files::store::{Life, Mutation};
use crate::name::Name;
use crate::store::error::{Result, damaged};
use crate::store::format::{
    Fields, PART_END_BYTES, Stamp, checksum, decode_name, encode_head, encode_life, part_end,
};
use crate::store::planted::{Planted, planted};
use crate::store::tree::tables::STORED_FROM;

const MAGIC: u32 = 0x676c_6674; // "tflg"
/// What precedes the bytes that the checksum covers.
const SUM_END: usize = 8;
pub(super) const HEADER_BYTES: usize = SUM_END + 4 * 8 + 4 + 36;
/// A batch begins at a multiple of this.
pub(super) const ALIGN: usize = 8;

const PADDING: u8 = 0;
const PUT: u8 = 1;
const TOUCH: u8 = 2;
const REMOVE: u8 = 3;
const PASS: u8 = 4;

const CODE: u8 = 0;
const BYTES: u8 = 1;

/// What identifies a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) log: u64,
    pub(super) segment: u64,
    /// [`Stamp::sum`] of the batch before this one.
    pub(super) previous: u32,
    /// Its checksum is known when it is encoded.
    pub(super) stamp: Stamp,
}

/// A whole batch in a segment.
#[derive(Debug)]
pub(super) struct Batch<'a> {
    pub(super) place: Place,
    /// All its bytes, the header too.
    bytes: &'a [u8],
}

/// Large contents in an encoded batch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Large {
    pub(super) version: u64,
    /// Where they begin, counted from the start of the batch.
    pub(super) at: u64,
    pub(super) numbytes: u64,
}

/// A decoded change. Large contents stay where they are.
#[derive(Debug)]
pub(super) enum Record<'a> {
    Put {
        name: Name,
        version: u64,
        old: Option<u64>,
        removed: Option<u64>,
        life: Life,
        body: Body<'a>,
    },
    Touch {
        name: Name,
        life: Life,
    },
    Remove {
        name: Name,
        version: u64,
        old: u64,
    },
    Pass {
        name: Name,
        version: u64,
        removed: Option<u64>,
    },
}

#[derive(Debug)]
pub(super) enum Body<'a> {
    Code,
    Inline(&'a [u8]),
    /// Contents that the store keeps on disk, and where they begin in the batch.
    Large {
        at: u64,
        numbytes: u64,
    },
}

/// Returns about how many bytes a batch takes, and no fewer.
pub(super) fn size(batch: &[Mutation]) -> u64 {
    let records = batch.iter().map(|change| change.adds().unwrap_or(500) + 64);
    records.sum::<u64>() + (HEADER_BYTES + ALIGN) as u64
}

/// Encodes a batch into `to`, which is cleared. Returns its checksum, and where its large contents are.
pub(super) fn encode(to: &mut Vec<u8>, place: Place, batch: &[Mutation]) -> (u32, Vec<Large>) {
    to.clear();
    to.resize(SUM_END + 8, 0);
    for number in [place.log, place.segment, place.stamp.batch] {
        to.extend_from_slice(&number.to_le_bytes());
    }
    to.extend_from_slice(&place.previous.to_le_bytes());
    encode_head(to, &place.stamp.head);
    let mut large = Vec::new();
    batch.iter().for_each(|change| encode_change(to, change, &mut large));
    to.resize(to.len().next_multiple_of(ALIGN), PADDING);
    let length = to.len() as u64;
    to[SUM_END..SUM_END + 8].copy_from_slice(&length.to_le_bytes());
    to[..4].copy_from_slice(&MAGIC.to_le_bytes());
    let sum = checksum(&to[SUM_END..], &[]);
    to[4..SUM_END].copy_from_slice(&sum.to_le_bytes());
    (sum, large)
}

fn encode_change(to: &mut Vec<u8>, change: &Mutation, large: &mut Vec<Large>) {
    let start = |to: &mut Vec<u8>, tag, name: &Name, numbers: &[u64]| {
        to.push(tag);
        to.extend_from_slice(&(name.as_bytes().len() as u32).to_le_bytes());
        to.extend_from_slice(name.as_bytes());
        numbers.iter().for_each(|number| to.extend_from_slice(&number.to_le_bytes()));
    };
    match change {
        Mutation::Put { name, version, old, removed, life, contents } => {
            start(to, PUT, name, &[*version, old.unwrap_or(0), removed.unwrap_or(0)]);
            encode_life(to, *life);
            match contents {
                None => to.push(CODE),
                Some(contents) => encode_contents(to, *version, contents, large),
            }
        }
        Mutation::Touch { name, life } => {
            start(to, TOUCH, name, &[]);
            encode_life(to, *life);
        }
        Mutation::Remove { name, version, old } => start(to, REMOVE, name, &[*version, *old]),
        Mutation::Pass { name, version, removed } => {
            start(to, PASS, name, &[*version, removed.unwrap_or(0)]);
        }
        Mutation::Unnamed { .. } => {} // the head has its version
    }
}

fn encode_contents(to: &mut Vec<u8>, version: u64, contents: &Contents, large: &mut Vec<Large>) {
    let numbytes = contents.len() as u64;
    to.push(BYTES);
    to.extend_from_slice(&numbytes.to_le_bytes());
    let at = to.len() as u64;
    to.extend_from_slice(contents);
    if contents.len() >= STORED_FROM {
        to.extend_from_slice(&part_end(contents, (version, 0), 0));
        large.push(Large { version, at, numbytes });
    }
}

/// Returns the length of the batch that these bytes begin with, if its header is among them. Nothing
/// of it is checked.
pub(super) fn length(bytes: &[u8]) -> Option<u64> {
    let length = bytes.get(SUM_END..SUM_END + 8)?;
    Some(u64::from_le_bytes(length.try_into().ok()?))
}

impl<'a> Batch<'a> {
    /// Decodes the batch that these bytes begin with; `None` if there is no whole one.
    pub(super) fn decode(bytes: &'a [u8]) -> Option<Self> {
        Batch::decode_of(bytes, None)
    }

    /// Decodes the batch of log `log`, if it is given, that these bytes begin with.
    pub(super) fn decode_of(bytes: &'a [u8], of: Option<u64>) -> Option<Self> {
        let mut fields = Fields(bytes.get(..HEADER_BYTES)?);
        let (magic, sum) = (fields.u32().ok()?, fields.u32().ok()?);
        if magic != MAGIC {
            return None;
        }
        let length = usize::try_from(fields.u64().ok()?).ok()?;
        let (log, segment) = (fields.u64().ok()?, fields.u64().ok()?);
        // Before the checksum: contents could be chosen so that it takes forever.
        if length < HEADER_BYTES || length % ALIGN != 0 || of.is_some_and(|of| of != log) {
            return None;
        }
        let bytes = bytes.get(..length)?;
        if checksum(&bytes[SUM_END..], &[]) != sum && !planted(Planted::Unchecked) {
            return None;
        }
        let (batch, previous) = (fields.number().ok()?, fields.u32().ok()?);
        let stamp = Stamp { batch, head: fields.head().ok()?, sum };
        Some(Batch { place: Place { log, segment, previous, stamp }, bytes })
    }

    pub(super) fn length(&self) -> usize {
        self.bytes.len()
    }

    /// Calls `each` with each change.
    pub(super) fn records(&self, mut each: impl FnMut(Record<'a>) -> Result<()>) -> Result<()> {
        let mut fields = Fields(&self.bytes[HEADER_BYTES..]);
        while let Some(tag) = fields.0.first().copied().filter(|tag| *tag != PADDING) {
            fields.take(1)?;
            let length = fields.u32()? as usize;
            let name = decode_name(fields.take(length)?)?;
            each(match tag {
                PUT => Record::Put {
                    name,
                    version: fields.number()?,
                    old: version(&mut fields)?,
                    removed: version(&mut fields)?,
                    life: fields.life()?,
                    body: self.body(&mut fields)?,
                },
                TOUCH => Record::Touch { name, life: fields.life()? },
                REMOVE => Record::Remove { name, version: fields.number()?, old: fields.number()? },
                PASS => {
                    Record::Pass { name, version: fields.number()?, removed: version(&mut fields)? }
                }
                _ => return Err(damaged("a change in the log has an unknown kind")),
            })?;
        }
        Ok(())
    }

    fn body(&self, fields: &mut Fields<'a>) -> Result<Body<'a>> {
        match fields.byte()? {
            CODE => Ok(Body::Code),
            BYTES => {
                let numbytes = fields.number()?;
                let at = (self.bytes.len() - fields.0.len()) as u64;
                let bytes = fields.take(usize::try_from(numbytes).unwrap_or(usize::MAX))?;
                if bytes.len() < STORED_FROM {
                    return Ok(Body::Inline(bytes));
                }
                fields.take(PART_END_BYTES)?;
                Ok(Body::Large { at, numbytes })
            }
            _ => Err(damaged("contents in the log have an unknown kind")),
        }
    }
}

/// Decodes a version, of which 0 is none.
fn version(fields: &mut Fields<'_>) -> Result<Option<u64>> {
    Ok(Some(fields.number()?).filter(|version| *version > 0))
}
