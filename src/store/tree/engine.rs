//! The storage engine: [redb](https://docs.rs/redb) on a disk, reopened after an error.

use super::disk::Disk;
use super::log_head::LogHead;
use super::tables::{Tables, fresh_head};
use super::view::View;
use crate::files::store::CommitError;
use crate::store::error::{self, Result, guarded};
use crate::store::format::Stamp;
use crate::store::medium::Medium;
use crate::store::options::Options;
use redb::{Database, Error};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, PoisonError, RwLock};

/// An open database. After an error redb does nothing more until the database is reopened.
#[derive(Debug)]
pub(in crate::store) struct Engine {
    /// The path of the database's file, for errors.
    path: PathBuf,
    options: Options,
    disk: RwLock<Disk>,
    /// `None` while it cannot be reopened. Its lock is taken before that of the disk.
    database: RwLock<Option<Database>>,
    /// Each view that outlives its call has a clone.
    views: Arc<()>,
    /// Whether data was found that differs from what was written.
    damaged: AtomicBool,
}

impl Engine {
    /// Creates an empty database on an empty medium.
    pub(in crate::store) fn create(
        medium: Box<dyn Medium>,
        path: &Path,
        epoch: u64,
        log: u64,
    ) -> io::Result<()> {
        let created = Disk::new(medium).map_err(Error::Io).and_then(|disk| {
            guarded(|| {
                let database = Database::builder().create_with_backend(disk)?;
                let stamp = Stamp { batch: 0, head: fresh_head(epoch), sum: 0 };
                write(&database, stamp, |tables| tables.set_log(LogHead::new(log)))?;
                Ok(database.close()?)
            })
        });
        created.map_err(|e| error::at(path, e))
    }

    /// Opens the database on a medium. Returns the stamp of its latest batch as well.
    pub(in crate::store) fn open(
        medium: Box<dyn Medium>,
        path: &Path,
        options: Options,
    ) -> io::Result<(Self, Stamp)> {
        let opened = Disk::new(medium).map_err(Error::Io).and_then(|disk| {
            let (database, stamp) = open(&disk, options)?;
            Ok((disk, database, stamp))
        });
        let (disk, database, stamp) = opened.map_err(|e| error::at(path, e))?;
        let (disk, database) = (RwLock::new(disk), RwLock::new(Some(database)));
        let (path, views, damaged) = (path.to_path_buf(), Arc::default(), AtomicBool::new(false));
        Ok((Engine { path, options, disk, database, views, damaged }, stamp))
    }

    /// Returns the path of the database's file.
    pub(in crate::store) fn path(&self) -> &Path {
        &self.path
    }

    pub(in crate::store) fn options(&self) -> Options {
        self.options
    }

    pub(in crate::store) fn disk(&self) -> Disk {
        self.disk.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns where the database ends, and how much more room the disk has, in bytes.
    ///
    /// # Errors
    /// Also if the database was removed.
    pub(in crate::store) fn room(&self) -> io::Result<(u64, u64)> {
        let disk = self.disk.read().unwrap_or_else(PoisonError::into_inner);
        Ok((disk.end(), disk.free()?))
    }

    /// Calls `look` with a view of the whole table as it is at this moment.
    pub(in crate::store) fn look<T>(&self, look: impl FnOnce(&View) -> Result<T>) -> Result<T> {
        self.read(|database| look(&View::of(database)?))
    }

    /// Returns a view that outlives this call. See [`Engine::look_again`]. No other database takes the
    /// place of this one while there is any.
    pub(in crate::store) fn view(&self) -> Result<LongView> {
        self.read(|database| Ok(LongView(View::of(database)?, self.views.clone())))
    }

    pub(in crate::store) fn has_views(&self) -> bool {
        Arc::strong_count(&self.views) > 1
    }

    /// Calls `look` with a view that was made earlier.
    ///
    /// # Errors
    /// Also [`Error::DatabaseClosed`] if the database was closed or reopened since: a view does not
    /// keep the room on disk from changes that need it.
    pub(in crate::store) fn look_again<T>(
        &self,
        view: &LongView,
        look: impl FnOnce(&View) -> Result<T>,
    ) -> Result<T> {
        self.read(|_| look(&view.0))
    }

    fn read<T>(&self, read: impl FnOnce(&Database) -> Result<T>) -> Result<T> {
        // The database is not closed while a reader uses it.
        let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
        let found = guarded(|| read(database.as_ref().ok_or(Error::DatabaseClosed)?));
        if let Err(Error::Corrupted(_)) = found {
            self.damaged.store(true, SeqCst);
        }
        found
    }

    /// Writes a batch, while the file may not grow beyond `limit`. Returns its final stamp. Only
    /// for the holder of the writer's lock, as the following methods.
    pub(in crate::store) fn write(
        &self,
        stamp: Stamp,
        limit: u64,
        change: impl Fn(&mut Tables<'_>) -> Result<()>,
    ) -> Result<Stamp> {
        let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
        let database = database.as_ref().ok_or(Error::DatabaseClosed)?;
        let disk = self.disk();
        disk.set_limit(limit);
        let written = guarded(|| write(database, stamp, change));
        disk.set_limit(u64::MAX);
        written
    }

    /// Puts another database in the place of this one, if no view needs it, and `rename` gives its file
    /// the name of this one's. Returns this one then, to be closed.
    ///
    /// # Errors
    /// Those of `rename`.
    pub(in crate::store) fn replace(
        &self,
        (disk, database): (Disk, Database),
        rename: impl FnOnce() -> io::Result<()>,
    ) -> io::Result<Option<Replaced>> {
        let mut current = self.database.write().unwrap_or_else(PoisonError::into_inner);
        if self.has_views() || self.damaged.load(SeqCst) || self.disk().had_trouble() {
            return Ok(None);
        }
        // Held until the new disk is there: the old file loses its name, and `room` takes that for an error.
        let mut current_disk = self.disk.write().unwrap_or_else(PoisonError::into_inner);
        rename()?;
        *current_disk = disk;
        Ok(Some(Replaced(current.replace(database))))
    }

    /// Reopens the database after an error.
    pub(in crate::store) fn reopen_if_troubled(&self) -> Result<()> {
        self.reopen_if_troubled_with(|_| Ok(())).map(drop)
    }

    /// Reopens the database after an error. Before that, `prepare` gets the disk.
    pub(in crate::store) fn reopen_if_troubled_with<T>(
        &self,
        prepare: impl FnOnce(&Disk) -> io::Result<T>,
    ) -> Result<Option<T>> {
        let is_open = self.database.read().unwrap_or_else(PoisonError::into_inner).is_some();
        let disk = self.disk(); // only the holder of the writer's lock replaces it
        if is_open && !disk.had_trouble() {
            return Ok(None); // without waiting for readers
        }
        let mut database = self.database.write().unwrap_or_else(PoisonError::into_inner);
        close(database.take());
        disk.clear_trouble();
        let prepared = prepare(&disk)?;
        *database = Some(open(&disk, self.options)?.0);
        Ok(Some(prepared))
    }

    /// Closes the database.
    pub(in crate::store) fn close(&self) {
        let mut database = self.database.write().unwrap_or_else(PoisonError::into_inner);
        let database = database.take();
        match self.damaged.load(SeqCst) {
            // Closing it would write, and may abort the process.
            true => std::mem::forget(database),
            false => close(database),
        }
    }

    /// Returns the error of a batch that failed.
    pub(in crate::store) fn failed(&self, error: Error) -> CommitError {
        CommitError::Failed(error::at(&self.path, error))
    }
}

/// A view that outlives the call that made it.
pub(in crate::store) struct LongView(View, #[expect(dead_code, reason = "it is counted")] Arc<()>);

/// A database that another one has replaced. Its file is removed when this is dropped.
pub(in crate::store) struct Replaced(Option<Database>);

impl Drop for Replaced {
    fn drop(&mut self) {
        close(self.0.take());
    }
}

/// Writes a batch in a transaction of its own. Returns its final stamp.
pub(in crate::store) fn write(
    database: &Database,
    stamp: Stamp,
    change: impl Fn(&mut Tables<'_>) -> Result<()>,
) -> Result<Stamp> {
    let mut transaction = database.begin_write()?;
    // Strangers choose contents, and might find some that look like a whole batch.
    transaction.set_two_phase_commit(true);
    // Otherwise the first start after a crash reads the whole database.
    transaction.set_quick_repair(true);
    let mut tables = Tables::open(&transaction)?;
    change(&mut tables)?;
    let stamp = tables.finish(stamp)?;
    transaction.commit()?;
    Ok(stamp)
}

/// Closes a database. Confirmed batches are on disk already, so a failure does not matter. But
/// where a page is damaged redb panics.
pub(in crate::store) fn close(database: Option<Database>) {
    if let Some(database) = database {
        let _ = guarded(|| Ok(database.close()?));
    }
}

/// Opens the database on a disk. Returns the stamp of its latest batch as well.
pub(in crate::store) fn open(disk: &Disk, options: Options) -> Result<(Database, Stamp)> {
    disk.expect_database()?;
    guarded(|| {
        let mut builder = Database::builder();
        let database =
            builder.set_cache_size(options.cache_bytes).create_with_backend(disk.clone())?;
        match View::of(&database).and_then(|view| view.stamp()) {
            Ok(stamp) => Ok((database, stamp)),
            Err(e) => {
                if let Error::Corrupted(_) = e {
                    std::mem::forget(database); // as in `Engine::close`
                }
                Err(e)
            }
        }
    })
}
