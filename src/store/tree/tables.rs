//! The tables of the database, and what a change does to them.

use super::log_head::LogHead;
use crate::contents::Contents;
use crate::files::store::{Head, Life, MAX_GONE, Mutation};
use crate::name::Name;
use crate::store::error::{Result, damaged};
use crate::store::format::{self, Body, PART_END_BYTES, Record, Stamp, part_end};
use redb::{ReadableTable, ReadableTableMetadata, Table, TableDefinition, WriteTransaction};

pub(in crate::store) const HEAD: TableDefinition<'_, u8, &[u8]> = TableDefinition::new("head");
/// The keys in it: of the stamp, and of the head of the log.
pub(in crate::store) const STAMP_KEY: u8 = 0;
pub(in crate::store) const LOG_KEY: u8 = 1;
/// By name, in byte order.
pub(in crate::store) const FILES: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("files");
/// Large contents in parts, by the version that wrote them and the number of the part.
pub(in crate::store) const CONTENTS: TableDefinition<'_, (u64, u32), &[u8]> =
    TableDefinition::new("contents");
/// Removed names, by the version that removed them.
pub(in crate::store) const GONE: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("gone");

/// Contents of at least this size, in bytes, stay on disk.
pub(in crate::store) const STORED_FROM: usize = 4096;

/// A part fills a page of the database, whose sizes are powers of two: contents in one piece would
/// take up to twice their size.
const LEAST_PAGE: usize = 4096;
const LARGEST_PAGE: usize = 64 << 10;

/// What a page holds besides the bytes of its one part: the page's head, the end of the value, the
/// key, and what follows the bytes.
const PAGE_OVERHEAD: usize = 4 + 4 + 12 + PART_END_BYTES;

/// All tables in a transaction that changes them.
pub(in crate::store) struct Tables<'t> {
    head: Table<'t, u8, &'static [u8]>,
    files: Table<'t, &'static [u8], &'static [u8]>,
    contents: Table<'t, (u64, u32), &'static [u8]>,
    gone: Table<'t, u64, &'static [u8]>,
    /// Only the files up to this name are in the tables yet; `None`: all of them.
    last_name: Option<&'t [u8]>,
    /// By how many bytes the files have grown.
    growth: i64,
}

impl<'t> Tables<'t> {
    /// Opens the tables; missing ones are created.
    pub(in crate::store) fn open(transaction: &'t WriteTransaction) -> Result<Self> {
        Tables::open_partial(transaction, None)
    }

    /// Opens the tables of a copy that is not complete: it has the files up to `last_name`.
    pub(in crate::store) fn open_partial(
        transaction: &'t WriteTransaction,
        last_name: Option<&'t [u8]>,
    ) -> Result<Self> {
        Ok(Tables {
            head: transaction.open_table(HEAD)?,
            files: transaction.open_table(FILES)?,
            contents: transaction.open_table(CONTENTS)?,
            gone: transaction.open_table(GONE)?,
            last_name,
            growth: 0,
        })
    }

    /// Returns by how many bytes the files have grown, as [`file_bytes`] counts them.
    pub(in crate::store) fn growth(&self) -> i64 {
        self.growth
    }

    /// Applies a change. Of a file that the tables do not have yet, only its removal is recorded.
    pub(in crate::store) fn apply(&mut self, change: &Mutation) -> Result<()> {
        match change {
            Mutation::Put { name, version, old, removed, life, contents } => {
                if let Some(removed) = removed {
                    self.gone.remove(removed)?;
                }
                match self.covers(name) {
                    true => self.insert(name, *version, *old, *life, contents.as_ref()),
                    false => Ok(()),
                }
            }
            Mutation::Touch { name, life } if self.covers(name) => self.touch(name, *life),
            Mutation::Touch { .. } => Ok(()),
            Mutation::Remove { name, version, old } => {
                if self.covers(name) {
                    self.remove(name, *old)?;
                }
                self.insert_removal(*version, name)
            }
            Mutation::Pass { name, version, removed } => {
                if let Some(removed) = removed {
                    self.gone.remove(removed)?;
                }
                self.insert_removal(*version, name)
            }
            Mutation::Unnamed { .. } => Ok(()),
        }
    }

    fn covers(&self, name: &Name) -> bool {
        self.last_name.is_none_or(|last| name.as_bytes() <= last)
    }

    pub(in crate::store) fn insert(
        &mut self,
        name: &Name,
        version: u64,
        old: Option<u64>,
        life: Life,
        contents: Option<&Contents>,
    ) -> Result<()> {
        let body = match contents {
            None => Body::Code,
            Some(contents) if contents.len() < STORED_FROM => Body::Inline(contents),
            Some(contents) => {
                self.insert_parts(version, contents)?;
                Body::Stored(contents.len() as u64)
            }
        };
        let key = name.as_str().as_bytes();
        self.growth += file_bytes(name, contents.map_or(0, |contents| contents.len() as u64));
        let value = Record { version, life, body }.encode(key);
        let replaced = match self.files.insert(key, &value[..])? {
            Some(value) => Some(of_record(key, value.value())?),
            None => None,
        };
        self.drop_replaced(name, old, replaced)
    }

    fn remove(&mut self, name: &Name, old: u64) -> Result<()> {
        let key = name.as_str().as_bytes();
        let removed = match self.files.remove(key)? {
            Some(value) => Some(of_record(key, value.value())?),
            None => None,
        };
        self.drop_replaced(name, Some(old), removed)
    }

    /// Removes what belonged to a file that was at version `old`, according to the caller.
    fn drop_replaced(&mut self, name: &Name, old: Option<u64>, found: Option<Found>) -> Result<()> {
        let version = found.map(|found| found.version);
        if version != old {
            let name = name.as_name_ref().for_log();
            return Err(damaged(format!("{name} is at {version:?} and should be at {old:?}")));
        }
        let Some(Found { version, numbytes, is_large }) = found else { return Ok(()) };
        self.growth -= file_bytes(name, numbytes);
        if !is_large {
            return Ok(());
        }
        self.contents.retain_in((version, 0)..=(version, u32::MAX), |_, _| false)?;
        Ok(())
    }

    fn touch(&mut self, name: &Name, life: Life) -> Result<()> {
        let key = name.as_str().as_bytes();
        let value = match self.files.get(key)? {
            Some(value) => Record { life, ..Record::decode(key, value.value())? }.encode(key),
            None => {
                return Err(damaged(format!(
                    "{} does not exist and cannot be touched",
                    name.as_name_ref().for_log()
                )));
            }
        };
        self.files.insert(key, &value[..])?;
        Ok(())
    }

    fn insert_parts(&mut self, version: u64, contents: &[u8]) -> Result<()> {
        let mut rest = contents;
        for part in 0.. {
            let (bytes, later) = rest.split_at(part_length(rest.len()));
            let key = (version, part);
            let end = part_end(bytes, key, later.len() as u64);
            let mut value = self.contents.insert_reserve(key, bytes.len() + end.len())?;
            let (room, room_for_end) = value.as_mut().split_at_mut(bytes.len());
            room.copy_from_slice(bytes);
            room_for_end.copy_from_slice(&end);
            if later.is_empty() {
                break;
            }
            rest = later;
        }
        Ok(())
    }

    pub(in crate::store) fn insert_removal(&mut self, version: u64, name: &Name) -> Result<()> {
        self.gone.insert(version, &format::encode_removal(version, name)[..])?;
        Ok(())
    }

    /// Allocates this many bytes and frees them again: there is room for them, or this is an error.
    pub(in crate::store) fn prove(&mut self, bytes: u64) -> Result<()> {
        let key = |part| (u64::MAX, part);
        let parts = u32::try_from(bytes / LARGEST_PAGE as u64).unwrap_or(u32::MAX);
        for part in 0..parts {
            self.contents.insert_reserve(key(part), LARGEST_PAGE - PAGE_OVERHEAD)?;
        }
        for part in 0..parts {
            self.contents.remove(key(part))?;
        }
        Ok(())
    }

    /// Records what is known of the log that belongs to these tables.
    pub(in crate::store) fn set_log(&mut self, log: LogHead) -> Result<()> {
        self.head.insert(LOG_KEY, &log.encode()[..])?;
        Ok(())
    }

    /// Writes the head, and forgets the removals that it drops and those that are too many. Returns
    /// what was written.
    pub(in crate::store) fn finish(mut self, mut stamp: Stamp) -> Result<Stamp> {
        self.gone.retain_in(..=stamp.head.forgotten, |_, _| false)?;
        while self.gone.len()? > MAX_GONE as u64
            && let Some((version, _)) = self.gone.pop_first()?
        {
            stamp.head.forgotten = version.value();
        }
        self.head.insert(STAMP_KEY, &stamp.encode()[..])?;
        Ok(stamp)
    }
}

/// What a record says of its file.
#[derive(Clone, Copy, Debug)]
pub(in crate::store) struct Found {
    pub(in crate::store) version: u64,
    numbytes: u64,
    /// Whether the contents are in parts.
    pub(in crate::store) is_large: bool,
}

/// Decodes a record.
pub(in crate::store) fn of_record(name: &[u8], value: &[u8]) -> Result<Found> {
    let Record { version, body, .. } = Record::decode(name, value)?;
    let (numbytes, is_large) = match body {
        Body::Code => (0, false),
        Body::Inline(bytes) => (bytes.len() as u64, false),
        Body::Stored(numbytes) => (numbytes, true),
    };
    Ok(Found { version, numbytes, is_large })
}

/// What a file takes besides its name and its contents: the record, and its place in a page.
const ROW_BYTES: i64 = 48;

/// Returns about how many bytes a file takes in full pages.
pub(in crate::store) fn file_bytes(name: &Name, numbytes: u64) -> i64 {
    ROW_BYTES + name.as_bytes().len() as i64 + numbytes.cast_signed()
}

/// Returns how many of the remaining bytes go into the next part: as many as fill a page, or in the
/// end the rest that fills none.
fn part_length(left: usize) -> usize {
    let mut page = LARGEST_PAGE;
    while page > LEAST_PAGE && left < page - PAGE_OVERHEAD {
        page /= 2;
    }
    left.min(page - PAGE_OVERHEAD)
}

/// Returns the head of a table that has never been changed.
pub(in crate::store) fn fresh_head(epoch: u64) -> Head {
    Head { epoch, version: 0, time: std::time::Duration::ZERO, forgotten: 0 }
}
