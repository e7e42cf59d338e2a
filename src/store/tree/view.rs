//! What the database has at one moment.

use super::log_head::LogHead;
use super::tables::{CONTENTS, FILES, GONE, HEAD, LOG_KEY, STAMP_KEY, of_record};
use crate::contents::Contents;
use crate::files::store::{Row, RowContents};
use crate::name::Name;
use crate::store::error::{NO_STORE, Result, damaged, foreign};
use crate::store::format::{self, Body, Record, Stamp, decode_part};
use redb::{
    Database, ReadOnlyTable, ReadTransaction, ReadableDatabase, ReadableTableMetadata, TableError,
};
use std::ops::Bound::{Excluded, Unbounded};

/// All tables as they were at one moment. The database keeps their pages while this exists.
pub(in crate::store) struct View(ReadTransaction);

/// How much each table has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) struct Counts {
    pub(in crate::store) files: u64,
    pub(in crate::store) parts: u64,
    pub(in crate::store) removals: u64,
}

impl View {
    pub(in crate::store) fn of(database: &Database) -> Result<Self> {
        Ok(View(database.begin_read()?))
    }

    pub(in crate::store) fn counts(&self) -> Result<Counts> {
        Ok(Counts {
            files: self.0.open_table(FILES)?.len()?,
            parts: self.0.open_table(CONTENTS)?.len()?,
            removals: self.0.open_table(GONE)?.len()?,
        })
    }

    /// # Errors
    /// Also if there is no stamp: a store is created with one.
    pub(in crate::store) fn stamp(&self) -> Result<Stamp> {
        let table = match self.0.open_table(HEAD) {
            Err(TableError::TableDoesNotExist(_)) => return Err(foreign(NO_STORE)),
            table => table?,
        };
        match table.get(STAMP_KEY)? {
            Some(value) => Stamp::decode(value.value()),
            None => Err(damaged("it has no head")),
        }
    }

    /// Returns what is known of the log; `None` in a store from before there was one.
    pub(in crate::store) fn log(&self) -> Result<Option<LogHead>> {
        let table = self.0.open_table(HEAD)?;
        let value = table.get(LOG_KEY)?;
        value.map(|value| LogHead::decode(value.value())).transpose()
    }

    /// Returns the table of files, to find some by name.
    pub(in crate::store) fn lookup(&self) -> Result<Lookup> {
        Ok(Lookup(self.0.open_table(FILES)?))
    }

    pub(in crate::store) fn files(&self, mut each: impl FnMut(Row) -> Result<()>) -> Result<()> {
        self.files_after(&[], |row| each(row).map(|()| true)).map(drop)
    }

    /// Calls `each` with the files whose names are greater than `after`, in byte order, until it
    /// returns `false`. Returns whether those were all.
    pub(in crate::store) fn files_after(
        &self,
        after: &[u8],
        mut each: impl FnMut(Row) -> Result<bool>,
    ) -> Result<bool> {
        let mut last = after.to_vec();
        let from = if after.is_empty() { Unbounded } else { Excluded(after) };
        let (table, mut count) = (self.0.open_table(FILES)?, 0);
        for entry in table.range::<&[u8]>((from, Unbounded))? {
            let (key, value) = entry?;
            count += 1;
            if key.value() <= &last[..] {
                return Err(damaged("files are out of order"));
            }
            last.clear();
            last.extend_from_slice(key.value());
            let record = Record::decode(key.value(), value.value())?;
            let contents = match record.body {
                Body::Code => RowContents::Code,
                Body::Inline(bytes) => RowContents::Inline(bytes.into()),
                Body::Stored(numbytes) => RowContents::Stored(numbytes),
            };
            let (version, life) = (record.version, record.life);
            if !each(Row { name: format::decode_name(key.value())?, version, life, contents })? {
                return Ok(false);
            }
        }
        // A page may be an older one, with fewer of them.
        if after.is_empty() && count != table.len()? {
            return Err(damaged("files are missing"));
        }
        Ok(true)
    }

    pub(in crate::store) fn removals(
        &self,
        mut each: impl FnMut(u64, Name) -> Result<()>,
    ) -> Result<()> {
        self.removals_after(0, |version, name| each(version, name).map(|()| true)).map(drop)
    }

    /// Does the same for the removals of later versions than `after`.
    pub(in crate::store) fn removals_after(
        &self,
        after: u64,
        mut each: impl FnMut(u64, Name) -> Result<bool>,
    ) -> Result<bool> {
        for entry in self.0.open_table(GONE)?.range((Excluded(after), Unbounded))? {
            let (version, value) = entry?;
            let version = version.value();
            if !each(version, format::decode_removal(version, value.value())?)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Returns contents that are stored in parts, joined.
    pub(in crate::store) fn contents(&self, version: u64) -> Result<Option<Contents>> {
        let (mut contents, mut missing) = (Vec::new(), None);
        self.parts(version, 0, |bytes, later| {
            let left = *missing.get_or_insert(bytes.len() as u64 + later);
            if left != bytes.len() as u64 + later {
                return Err(part_missing(version));
            }
            let room = usize::try_from(left).ok().map(|left| contents.try_reserve_exact(left));
            room.and_then(Result::ok).ok_or_else(|| damaged("contents are too long"))?;
            contents.extend_from_slice(bytes);
            missing = Some(later);
            Ok(true)
        })?;
        match missing {
            None => Ok(None),
            Some(0) => Ok(Some(contents.into())),
            Some(_) => Err(part_missing(version)),
        }
    }

    /// Calls `each` with the parts of contents from number `first` on, and with the number of bytes
    /// in later parts, until it returns `false`.
    pub(in crate::store) fn parts(
        &self,
        version: u64,
        first: u32,
        mut each: impl FnMut(&[u8], u64) -> Result<bool>,
    ) -> Result<()> {
        let parts = self.0.open_table(CONTENTS)?;
        for (part, entry) in (first..).zip(parts.range((version, first)..=(version, u32::MAX))?) {
            let (key, value) = entry?;
            let (bytes, later) = decode_part(key.value(), value.value())?;
            if key.value() != (version, part) {
                return Err(part_missing(version));
            }
            if !each(bytes, later)? {
                break;
            }
        }
        Ok(())
    }
}

pub(in crate::store) fn part_missing(version: u64) -> redb::Error {
    damaged(format!("a part of contents {version} is missing"))
}

/// The files as they were at one moment, by name.
pub(in crate::store) struct Lookup(ReadOnlyTable<&'static [u8], &'static [u8]>);

impl Lookup {
    /// Returns a file's version, and whether it has contents in parts.
    pub(in crate::store) fn file(&self, name: &Name) -> Result<Option<(u64, bool)>> {
        let key = name.as_bytes();
        let found = self.0.get(key)?.map(|value| of_record(key, value.value())).transpose()?;
        Ok(found.map(|found| (found.version, found.is_large)))
    }
}
