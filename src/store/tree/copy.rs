//! A copy of the database without its free pages, made piece by piece while changes go on: it becomes the
//! database when it is complete.
//!
//! Each batch that the database gets, the copy gets as well, as far as it has the files that the batch
//! changes. A later piece has the others as they are then. So the copy needs no old state of the database, which
//! would keep pages from being used again, and once it has all files it is equal to the database for good.

use super::disk::Disk;
use super::engine::{self, Engine, Replaced};
use super::tables::Tables;
use super::view::View;
use crate::contents::Contents;
use crate::files::store::{Life, RowContents};
use crate::name::Name;
use crate::store::error::{Result, damaged, guarded};
use crate::store::format::Stamp;
use crate::store::medium::FileSet;
use crate::store::options::Options;
use redb::Database;
use std::fmt;
use std::io;
use std::sync::Arc;

/// The name of its file until it is the database. What a killed process left is removed.
const COPY: &str = "compact.unfinished";

/// A piece has at most one file or removal for each 512 of its bytes: small ones take time too.
const BYTES_FOR_ROW: u64 = 512;

/// A copy that is not the database yet. Dropping it removes its file.
pub(in crate::store) struct Copy {
    files: Arc<dyn FileSet>,
    disk: Disk,
    database: Option<Database>,
    options: Options,
    next: Next,
}

/// What the next piece is.
#[derive(Debug)]
enum Next {
    /// The files after this name. It is empty at first.
    Files(Vec<u8>),
    /// The removals after this version.
    Removals(u64),
    Nothing,
}

/// What is copied at once.
enum Piece {
    Files(Vec<(Name, u64, Life, Option<Contents>)>),
    Removals(Vec<(u64, Name)>),
}

impl Copy {
    /// Begins an empty copy.
    pub(in crate::store) fn begin(files: Arc<dyn FileSet>, options: Options) -> Result<Self> {
        let disk = Disk::new(files.create(COPY)?)?;
        let mut copy = Copy { files, disk, database: None, options, next: Next::Files(Vec::new()) };
        copy.database = Some(guarded(|| {
            // The database itself has the whole cache meanwhile.
            let mut builder = Database::builder();
            builder.set_cache_size(options.cache_bytes / 4);
            Ok(builder.create_with_backend(copy.disk.clone())?)
        })?);
        Ok(copy)
    }

    /// Returns how much room it takes, in bytes.
    pub(in crate::store) fn taken(&self) -> io::Result<u64> {
        self.disk.taken()
    }

    /// Returns whether it has everything that the database has.
    pub(in crate::store) fn is_complete(&self) -> bool {
        matches!(self.next, Next::Nothing)
    }

    /// Copies the next piece of a database, of about this many bytes. The last batch of the database has
    /// this stamp. Only for the holder of the writer's lock, as the following methods.
    pub(in crate::store) fn advance(
        &mut self,
        from: &Engine,
        stamp: Stamp,
        bytes: u64,
    ) -> Result<()> {
        let (piece, next) = from.look(|view| self.next.piece(view, bytes))?;
        self.transact(stamp, |tables| match &piece {
            Piece::Files(rows) => rows.iter().try_for_each(|(name, version, life, contents)| {
                tables.insert(name, *version, None, *life, contents.as_ref())
            }),
            Piece::Removals(rows) => {
                rows.iter().try_for_each(|(version, name)| tables.insert_removal(*version, name))
            }
        })?;
        self.next = next;
        Ok(())
    }

    /// Applies the batch that the database has just got. Its stamp is now this one.
    pub(in crate::store) fn transact(
        &self,
        stamp: Stamp,
        change: impl FnOnce(&mut Tables<'_>) -> Result<()>,
    ) -> Result<()> {
        guarded(|| {
            let transaction = self.database().begin_write()?;
            let last_name = match &self.next {
                Next::Files(last) => Some(&last[..]),
                Next::Removals(_) | Next::Nothing => None,
            };
            let mut tables = Tables::open_partial(&transaction, last_name)?;
            change(&mut tables)?;
            tables.finish(stamp)?;
            Ok(transaction.commit()?)
        })
    }

    /// Makes it ready to become the database, whose last batch has this stamp. All of it is on disk then.
    pub(in crate::store) fn finish(&mut self, from: &Engine, stamp: Stamp) -> Result<()> {
        let (log, counts) = from.look(|view| Ok((view.log()?, view.counts()?)))?;
        let log = log.ok_or_else(|| damaged("it knows of no log"))?;
        guarded(|| engine::write(self.database(), stamp, |tables| tables.set_log(log)))?;
        engine::close(self.database.take());
        let (database, found) = engine::open(&self.disk, self.options)?;
        let copied = guarded(|| View::of(&database)?.counts());
        self.database = Some(database);
        match found == stamp && copied? == counts {
            true => Ok(()),
            false => Err(damaged("its copy has not the same files")),
        }
    }

    /// Makes it the database, unless that has to stay. Returns the one that was it. The new name of the
    /// file is not on disk yet.
    ///
    /// # Errors
    /// The database stays.
    pub(in crate::store) fn replace(mut self, engine: &Engine) -> io::Result<Option<Replaced>> {
        // Where that is impossible, a power failure might bring the old one back. Readers do not wait yet.
        self.files.sync_names()?;
        let database = self.database.take().expect("it is open");
        engine.replace((self.disk.clone(), database), || self.files.replace_database(COPY))
    }

    fn database(&self) -> &Database {
        self.database.as_ref().expect("it is open until it is dropped")
    }
}

impl Next {
    /// Reads the next piece. Returns also what follows it.
    fn piece(&self, view: &View, most: u64) -> Result<(Piece, Next)> {
        let most_rows = most / BYTES_FOR_ROW;
        match self {
            Next::Files(after) => {
                let (mut rows, mut bytes, mut last) = (Vec::new(), 0, Vec::new());
                let are_all = view.files_after(after, |row| {
                    let contents = match row.contents {
                        RowContents::Code => None,
                        RowContents::Inline(contents) => Some(contents),
                        RowContents::Stored(_) => {
                            let missing =
                                || damaged(format!("contents {} are missing", row.version));
                            Some(view.contents(row.version)?.ok_or_else(missing)?)
                        }
                    };
                    last.clear();
                    last.extend_from_slice(row.name.as_bytes());
                    bytes += contents.as_ref().map_or(0, |contents| contents.len() as u64);
                    rows.push((row.name, row.version, row.life, contents));
                    Ok(bytes < most && (rows.len() as u64) < most_rows)
                })?;
                let next = if are_all { Next::Removals(0) } else { Next::Files(last) };
                Ok((Piece::Files(rows), next))
            }
            Next::Removals(after) => {
                let mut rows = Vec::new();
                let are_all = view.removals_after(*after, |version, name| {
                    rows.push((version, name));
                    Ok((rows.len() as u64) < most_rows)
                })?;
                let last = rows.last().map_or(*after, |(version, _)| *version);
                let next = if are_all { Next::Nothing } else { Next::Removals(last) };
                Ok((Piece::Removals(rows), next))
            }
            Next::Nothing => Ok((Piece::Removals(Vec::new()), Next::Nothing)),
        }
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        let _ = self.files.remove(COPY);
        engine::close(self.database.take());
    }
}

impl fmt::Debug for Copy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Copy").field("next", &self.next).finish_non_exhaustive()
    }
}

/// Removes what a killed process left, unless the files are only read.
pub(in crate::store) fn remove_unfinished(files: &dyn FileSet) {
    if let Ok(Some(_)) = files.open(COPY) {
        let _ = files.remove(COPY);
    }
}
