//! A table as one stream of bytes, independent of the database: magic, format and head, then files
//! and removals, an end that counts them, and a checksum over everything.

use super::error::{Result, damaged, foreign};
use super::format::{Fields, decode_name, encode_head, encode_life, unknown_format};
use crate::contents::Contents;
use crate::files::store::{Head, Life};
use crate::name::Name;
use std::io::{BufReader, Read};

/// The format that this program writes. A backup of a later one is refused.
pub(super) const FORMAT: u32 = 1;

const MAGIC: &[u8; 16] = b"telefile backup\n";

const END: u8 = 0;
const FILE: u8 = 1;
const REMOVAL: u8 = 2;

const HEAD_BYTES: usize = 36;

const BUFFER_BYTES: usize = 64 << 10;

/// A file or a removal.
#[derive(Debug)]
pub(super) enum Item {
    File { name: Name, version: u64, life: Life, contents: Contents },
    Removal { version: u64, name: Name },
}

impl Item {
    /// Its approximate size in memory.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Item::File { name, contents, .. } => name.as_str().len() + contents.len(),
            Item::Removal { name, .. } => name.as_str().len(),
        }
    }
}

/// Encodes a backup, one item after another.
pub(super) struct Encoder {
    hasher: crc32fast::Hasher,
    items: u64,
}

impl Encoder {
    /// Appends the start of a backup.
    pub(super) fn start(out: &mut Vec<u8>, head: &Head) -> Self {
        let mut encoder = Encoder { hasher: crc32fast::Hasher::new(), items: 0 };
        encoder.append(out, |out| {
            out.extend_from_slice(MAGIC);
            out.extend_from_slice(&FORMAT.to_le_bytes());
            encode_head(out, head);
        });
        encoder
    }

    /// Appends a file without its contents, which have to follow: `numbytes` bytes.
    pub(super) fn file(
        &mut self,
        out: &mut Vec<u8>,
        name: &Name,
        version: u64,
        life: Life,
        numbytes: u64,
    ) {
        self.items += 1;
        self.append(out, |out| {
            encode_item(out, FILE, version, name);
            encode_life(out, life);
            out.extend_from_slice(&numbytes.to_le_bytes());
        });
    }

    /// Appends contents, or a part of them.
    pub(super) fn contents(&mut self, out: &mut Vec<u8>, bytes: &[u8]) {
        self.append(out, |out| out.extend_from_slice(bytes));
    }

    pub(super) fn removal(&mut self, out: &mut Vec<u8>, version: u64, name: &Name) {
        self.items += 1;
        self.append(out, |out| encode_item(out, REMOVAL, version, name));
    }

    /// Appends the end of the backup.
    pub(super) fn finish(&mut self, out: &mut Vec<u8>) {
        let items = self.items;
        self.append(out, |out| {
            out.push(END);
            out.extend_from_slice(&items.to_le_bytes());
        });
        out.extend_from_slice(&self.hasher.clone().finalize().to_le_bytes());
    }

    fn append(&mut self, out: &mut Vec<u8>, append: impl FnOnce(&mut Vec<u8>)) {
        let from = out.len();
        append(out);
        self.hasher.update(&out[from..]);
    }
}

fn encode_item(out: &mut Vec<u8>, tag: u8, version: u64, name: &Name) {
    out.push(tag);
    out.extend_from_slice(&version.to_le_bytes());
    out.extend_from_slice(&(name.as_str().len() as u64).to_le_bytes());
    out.extend_from_slice(name.as_bytes());
}

pub(super) struct BackupReader<R: Read> {
    from: BufReader<R>,
    hasher: crc32fast::Hasher,
    items: u64,
}

impl<R: Read> BackupReader<R> {
    pub(super) fn start(from: R) -> Result<(Self, Head)> {
        let from = BufReader::with_capacity(BUFFER_BYTES, from);
        let mut reader = BackupReader { from, hasher: crc32fast::Hasher::new(), items: 0 };
        // Anything shorter is not a backup either.
        let magic = reader.take(MAGIC.len() as u64).unwrap_or_default();
        if magic != MAGIC {
            return Err(foreign("is not a telefile backup"));
        }
        match reader.u32()? {
            FORMAT => {}
            format => return Err(foreign(unknown_format(format, FORMAT))),
        }
        let head = Fields(&reader.take(HEAD_BYTES as u64)?).head()?;
        Ok((reader, head))
    }

    /// Returns the next item. `None` means that everything read matched its checksum.
    pub(super) fn item(&mut self) -> Result<Option<Item>> {
        let tag = self.take(1)?[0];
        if tag == END {
            return self.finish().map(|()| None);
        }
        let version = Fields(&self.take(8)?).number()?;
        let name = decode_name(&self.bytes()?)?;
        self.items += 1;
        match tag {
            FILE => {
                let life = self.life()?;
                let contents = self.bytes()?.into();
                Ok(Some(Item::File { name, version, life, contents }))
            }
            REMOVAL => Ok(Some(Item::Removal { version, name })),
            _ => Err(damaged("it contains an item of an unknown kind")),
        }
    }

    fn finish(&mut self) -> Result<()> {
        let items = self.u64()?;
        let sum = self.hasher.clone().finalize();
        if self.u32()? != sum || items != self.items {
            return Err(damaged("its checksum is wrong"));
        }
        match self.from.read(&mut [0])? {
            0 => Ok(()),
            _ => Err(damaged("it continues after its end")),
        }
    }

    /// Reads a life: its time follows its tag, where it has one.
    fn life(&mut self) -> Result<Life> {
        let mut bytes = self.take(1)?;
        match Fields(&bytes).life() {
            Ok(life) => Ok(life),
            Err(_) => {
                bytes.extend(self.take(12)?);
                Fields(&bytes).life()
            }
        }
    }

    /// Reads bytes with their length in front.
    fn bytes(&mut self) -> Result<Vec<u8>> {
        let n = self.u64()?;
        self.take(n)
    }

    /// Reads `n` bytes. `n` may be damaged, so memory is allocated as bytes come.
    fn take(&mut self, n: u64) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.from.by_ref().take(n).read_to_end(&mut bytes)?;
        if bytes.len() as u64 != n {
            return Err(damaged("it is truncated"));
        }
        self.hasher.update(&bytes);
        Ok(bytes)
    }

    fn u32(&mut self) -> Result<u32> {
        Fields(&self.take(4)?).u32()
    }

    fn u64(&mut self) -> Result<u64> {
        Fields(&self.take(8)?).u64()
    }
}
