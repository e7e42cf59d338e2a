//! How a file, its contents and the head are encoded in the database: fixed fields, little-endian;
//! after each value a checksum over it and its key. Invalid data is an error, never a panic.

use super::error::{NO_STORE, Result, damaged, foreign};
use crate::files::store::{BOUND, Head, Life};
use crate::name::{Name, NameRef};
use std::time::Duration;

/// The format of the store that this program writes. A later one is refused.
pub(super) const FORMAT: u32 = 2;

/// The format of a store from before the log. It is like this one, without the head of a log and the
/// checksum of a batch.
pub(super) const UNLOGGED: u32 = 1;

/// The first bytes of the head, so that another program's database is not mistaken for a store.
const MAGIC: &[u8; 8] = b"telefile";

const CODE: u8 = 0;
const INLINE: u8 = 1;
const STORED: u8 = 2;

const UNLIMITED: u8 = 0;
const UNTIL: u8 = 1;
const CONNECTION: u8 = 2;

const CHECKSUM_BYTES: usize = 4;

/// After the bytes of each part of large contents: how many come in later parts, and a checksum.
pub(super) const PART_END_BYTES: usize = 8 + CHECKSUM_BYTES;

/// What is stored of a file besides its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Record<'a> {
    pub(super) version: u64,
    pub(super) life: Life,
    pub(super) body: Body<'a>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Body<'a> {
    Code,
    Inline(&'a [u8]),
    /// This many bytes, in parts of their own.
    Stored(u64),
}

/// The head, and what distinguishes one batch from the next: two may have the same head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) batch: u64,
    pub(super) head: Head,
    /// Distinguishes it from the same batch in another copy of the table: its checksum in the log, or a
    /// random number.
    pub(super) sum: u32,
}

impl<'a> Record<'a> {
    pub(super) fn encode(&self, name: &[u8]) -> Vec<u8> {
        let (body, inline) = match self.body {
            Body::Code => (CODE, &[][..]),
            Body::Inline(bytes) => (INLINE, bytes),
            Body::Stored(_) => (STORED, &[][..]),
        };
        let mut value = Vec::with_capacity(32 + inline.len());
        value.push(body);
        value.extend_from_slice(&self.version.to_le_bytes());
        encode_life(&mut value, self.life);
        if let Body::Stored(numbytes) = self.body {
            value.extend_from_slice(&numbytes.to_le_bytes());
        }
        value.extend_from_slice(inline);
        seal(&mut value, name);
        value
    }

    pub(super) fn decode(name: &[u8], value: &'a [u8]) -> Result<Self> {
        let mut fields = Fields(unseal(value, name, "a file")?);
        let body = fields.byte()?;
        let version = fields.number()?;
        let life = fields.life()?;
        let body = match body {
            CODE => Body::Code,
            INLINE => Body::Inline(fields.rest()),
            STORED => Body::Stored(fields.number()?),
            _ => return Err(damaged("a file has an unknown kind")),
        };
        fields.end()?;
        Ok(Record { version, life, body })
    }
}

impl Stamp {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut value = Vec::with_capacity(72);
        value.extend_from_slice(MAGIC);
        value.extend_from_slice(&FORMAT.to_le_bytes());
        value.extend_from_slice(&self.batch.to_le_bytes());
        encode_head(&mut value, &self.head);
        value.extend_from_slice(&self.sum.to_le_bytes());
        seal(&mut value, &[]);
        value
    }

    pub(super) fn decode(value: &[u8]) -> Result<Self> {
        let mut start = Fields(value);
        if start.take(MAGIC.len())? != MAGIC {
            return Err(foreign(NO_STORE));
        }
        // Before the checksum, whose place in a later format is unknown.
        let format = start.u32()?;
        if ![FORMAT, UNLOGGED].contains(&format) {
            return Err(foreign(unknown_format(format, FORMAT)));
        }
        let mut fields = Fields(unseal(value, &[], "the head")?);
        fields.take(MAGIC.len() + 4)?;
        let (batch, head) = (fields.number()?, fields.head()?);
        let sum = if format == UNLOGGED { 0 } else { fields.u32()? };
        fields.end()?;
        Ok(Stamp { batch, head, sum })
    }
}

/// The message about a format that another version of this program has written.
pub(super) fn unknown_format(format: u32, known: u32) -> String {
    format!("has format {format}, but this telefile only knows format {known}")
}

/// Encodes a removed name, with its checksum.
pub(super) fn encode_removal(version: u64, name: &Name) -> Vec<u8> {
    let mut value = name.as_str().as_bytes().to_vec();
    seal(&mut value, &version.to_le_bytes());
    value
}

pub(super) fn decode_removal(version: u64, value: &[u8]) -> Result<Name> {
    decode_name(unseal(value, &version.to_le_bytes(), "a removal")?)
}

pub(super) fn decode_name(bytes: &[u8]) -> Result<Name> {
    let name = str::from_utf8(bytes).ok().and_then(NameRef::new);
    Ok(name.ok_or_else(|| damaged("a name is invalid"))?.to_name())
}

/// Returns what follows the bytes of a part of contents.
pub(super) fn part_end(bytes: &[u8], key: (u64, u32), later: u64) -> [u8; PART_END_BYTES] {
    let mut end = [0; PART_END_BYTES];
    let (count, sum) = end.split_at_mut(8);
    count.copy_from_slice(&later.to_le_bytes());
    sum.copy_from_slice(&part_checksum(bytes, count, key).to_le_bytes());
    end
}

/// Returns the bytes of a part, and how many come in later parts.
pub(super) fn decode_part(key: (u64, u32), value: &[u8]) -> Result<(&[u8], u64)> {
    let split = value.len().checked_sub(PART_END_BYTES);
    let (bytes, end) = value.split_at(split.ok_or_else(|| damaged("contents are truncated"))?);
    let mut fields = Fields(end);
    let (later, sum) = (fields.take(8)?, fields.u32()?);
    if part_checksum(bytes, later, key) != sum {
        return Err(damaged("contents have a wrong checksum"));
    }
    Ok((bytes, Fields(later).number()?))
}

fn part_checksum(bytes: &[u8], later: &[u8], (version, part): (u64, u32)) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&version.to_le_bytes());
    hasher.update(&part.to_le_bytes());
    hasher.update(later);
    hasher.update(bytes);
    hasher.finalize()
}

pub(super) fn encode_head(value: &mut Vec<u8>, head: &Head) {
    value.extend_from_slice(&head.epoch.to_le_bytes());
    value.extend_from_slice(&head.version.to_le_bytes());
    encode_time(value, head.time);
    value.extend_from_slice(&head.forgotten.to_le_bytes());
}

pub(super) fn encode_life(value: &mut Vec<u8>, life: Life) {
    match life {
        Life::Unlimited => value.push(UNLIMITED),
        Life::Until(time) => {
            value.push(UNTIL);
            encode_time(value, time);
        }
        Life::Connection => value.push(CONNECTION),
    }
}

fn encode_time(value: &mut Vec<u8>, time: Duration) {
    value.extend_from_slice(&time.as_secs().to_le_bytes());
    value.extend_from_slice(&time.subsec_nanos().to_le_bytes());
}

/// Appends the checksum of a value and its key.
pub(super) fn seal(value: &mut Vec<u8>, key: &[u8]) {
    let sum = checksum(value, key);
    value.extend_from_slice(&sum.to_le_bytes());
}

pub(super) fn unseal<'a>(value: &'a [u8], key: &[u8], what: &str) -> Result<&'a [u8]> {
    let split = value.split_last_chunk::<CHECKSUM_BYTES>();
    match split {
        Some((value, sum)) if checksum(value, key) == u32::from_le_bytes(*sum) => Ok(value),
        _ => Err(damaged(format!("{what} has a wrong checksum"))),
    }
}

pub(super) fn checksum(value: &[u8], key: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(key);
    hasher.update(value);
    hasher.finalize()
}

/// Fields, read one after another.
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl<'a> Fields<'a> {
    pub(super) fn take(&mut self, n: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(n).ok_or_else(|| damaged("it is truncated"))?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        Ok(self.take(N)?.try_into().unwrap_or([0; N]))
    }

    pub(super) fn byte(&mut self) -> Result<u8> {
        Ok(self.array::<1>()?[0])
    }

    pub(super) fn u32(&mut self) -> Result<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64> {
        self.array().map(u64::from_le_bytes)
    }

    /// Reads a number that is added to: a version, a size in bytes, seconds.
    pub(super) fn number(&mut self) -> Result<u64> {
        match self.u64()? {
            number if number < BOUND => Ok(number),
            _ => Err(damaged("a number is too large")),
        }
    }

    fn time(&mut self) -> Result<Duration> {
        match (self.number()?, self.u32()?) {
            (secs, nanos) if nanos < 1_000_000_000 => Ok(Duration::new(secs, nanos)),
            _ => Err(damaged("a time is invalid")),
        }
    }

    pub(super) fn life(&mut self) -> Result<Life> {
        match self.byte()? {
            UNLIMITED => Ok(Life::Unlimited),
            UNTIL => self.time().map(Life::Until),
            CONNECTION => Ok(Life::Connection),
            _ => Err(damaged("a lifetime has an unknown kind")),
        }
    }

    pub(super) fn head(&mut self) -> Result<Head> {
        Ok(Head {
            epoch: self.u64()?,
            version: self.number()?,
            time: self.time()?,
            forgotten: self.number()?,
        })
    }

    fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }

    pub(super) fn end(&self) -> Result<()> {
        if self.0.is_empty() { Ok(()) } else { Err(damaged("it is longer than it should be")) }
    }
}
