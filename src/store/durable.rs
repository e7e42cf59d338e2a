//! A table kept in a database, [redb](https://docs.rs/redb), in a folder.

use super::disk::{Disk, Medium};
use super::error::{self, Result, guarded};
use super::folder::{Folder, Use};
use super::format::Stamp;
use super::options::Options;
use super::tables::{STORED_FROM, View, fresh_head};
use super::transact::{self, Writer};
use crate::contents::Contents;
use crate::files::store::{Change, CommitError, Head, Row, Store};
use crate::name::Name;
use redb::{Database, Error};
use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock};

/// A table that survives the end of its process and a power failure. Each batch is on disk when
/// [`Store::commit`] returns. After a crash the table holds every confirmed batch, perhaps the one
/// not yet confirmed, and never part of a batch.
///
/// One process uses a folder at a time; the lock is on the folder.
///
/// ```
/// use telefile::NameRef;
/// use telefile::store::{Change, Durable, Life, Options, Store};
///
/// let folder = std::env::temp_dir().join(format!("telefile-doc-{}", std::process::id()));
/// let epoch = 0xbeef; // a new table gets it; draw it from the system's randomness
/// let store = Durable::open(&folder, Options::default(), epoch)?;
/// let mut head = store.load(&mut |_| unreachable!("no files"), &mut |_, _| ())?;
/// assert_eq!((head.epoch, head.version), (epoch, 0));
///
/// head.version = 1;
/// let put = Change::Put {
///     name: NameRef::new("foo").unwrap().to_name(),
///     version: 1,
///     old: None,
///     removed: None,
///     life: Life::Unlimited,
///     contents: Some("abcdef".into()),
/// };
/// store.commit(&[put], &head).expect("there is room, and the disk works");
/// drop(store);
///
/// let store = Durable::open(&folder, Options::default(), 0xcafe)?;
/// let mut names = Vec::new();
/// let loaded = store.load(&mut |row| names.push(row.name), &mut |_, _| ())?;
/// assert_eq!((loaded, names[0].as_str()), (head, "foo"));
/// # drop(store);
/// # std::fs::remove_dir_all(folder)?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Durable {
    /// The path of the database's file.
    path: PathBuf,
    pub(super) options: Options,
    pub(super) disk: Disk,
    /// `None` while it cannot be reopened.
    pub(super) database: RwLock<Option<Database>>,
    writer: Mutex<Writer>,
    /// Whether data was found that differs from what was written.
    damaged: AtomicBool,
    /// Released when the database is closed. `None` afterwards, and without a folder, in tests.
    folder: Mutex<Option<Folder>>,
}

impl Durable {
    /// Opens the store in this folder. If there is none, creates an empty one whose epoch is
    /// `fresh_epoch`, and the folder as well, accessible to this user alone.
    ///
    /// # Errors
    /// Another process uses the folder ([`ErrorKind::ResourceBusy`]); what is in it is not a
    /// store, one of a later version of this program, a damaged one, or a killed restore
    /// ([`ErrorKind::InvalidData`]); errors of the disk. Each error names the folder or file.
    pub fn open(folder: &Path, options: Options, fresh_epoch: u64) -> io::Result<Self> {
        let (folder, made) = Folder::make(folder)?;
        if folder.database()?.is_none() {
            folder.expect_no_restore()?;
            Durable::create(&folder, options, fresh_epoch, |_| Ok(()))?;
        }
        let store = Durable::in_folder(folder, options, |file| Ok(Box::new(file)))?;
        made.keep();
        Ok(store)
    }

    /// Opens the store in this folder, which must exist.
    ///
    /// # Errors
    /// Those of [`Durable::open`], and [`ErrorKind::NotFound`].
    pub fn open_existing(folder: &Path, options: Options) -> io::Result<Self> {
        let folder = Folder::open(folder, Use::Change)?;
        Durable::in_folder(folder, options, |file| Ok(Box::new(file)))
    }

    /// Opens the store in a folder, on the medium that `medium` makes from its file.
    pub(super) fn in_folder(
        folder: Folder,
        options: Options,
        medium: impl FnOnce(File) -> io::Result<Box<dyn Medium>>,
    ) -> io::Result<Self> {
        let path = folder.database_path();
        let none = || io::Error::new(ErrorKind::NotFound, format!("{}: no store", path.display()));
        let file = folder.database()?.ok_or_else(none)?;
        let medium = medium(file).map_err(|e| error::at(&path, Error::Io(e)))?;
        let mut store = Durable::on(medium, &path, options)?;
        store.folder = Mutex::new(Some(folder));
        Ok(store)
    }

    /// Creates a store in a folder, which `fill` fills.
    pub(super) fn create(
        folder: &Folder,
        options: Options,
        epoch: u64,
        fill: impl FnOnce(&Durable) -> io::Result<()>,
    ) -> io::Result<()> {
        folder.create(|file| {
            let path = folder.database_path();
            let medium = || file.try_clone().map_err(|e| error::at(&path, Error::Io(e)));
            Durable::make_on(Box::new(medium()?), &path, epoch)?;
            fill(&Durable::on(Box::new(medium()?), &path, options)?)
        })
    }

    /// Creates an empty store on an empty medium.
    pub(super) fn make_on(medium: Box<dyn Medium>, path: &Path, epoch: u64) -> io::Result<()> {
        let made = Disk::new(medium).map_err(Error::Io).and_then(|disk| {
            guarded(|| {
                let database = Database::builder().create_with_backend(disk)?;
                let stamp = Stamp { batch: 0, head: fresh_head(epoch) };
                transact::write(&database, stamp, |_| Ok(()))?;
                Ok(database.close()?)
            })
        });
        made.map_err(|e| error::at(path, e))
    }

    /// Opens the store on a medium. Errors name it by `path`.
    pub(super) fn on(medium: Box<dyn Medium>, path: &Path, options: Options) -> io::Result<Self> {
        let told = |e| error::at(path, e);
        let disk = Disk::new(medium).map_err(|e| told(Error::Io(e)))?;
        let (database, stamp) = open(&disk, options).map_err(told)?;
        Ok(Durable {
            path: path.to_path_buf(),
            options,
            disk,
            database: RwLock::new(Some(database)),
            writer: Mutex::new(Writer::new(stamp)),
            damaged: AtomicBool::new(false),
            folder: Mutex::default(),
        })
    }

    /// Returns the room that the database takes on disk, in bytes.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn bytes(&self) -> io::Result<u64> {
        self.disk.taken().map_err(|e| error::at(&self.path, Error::Io(e)))
    }

    /// Gives the table a new epoch. This is needed when the folder was restored from a copy: its
    /// versions will be assigned a second time.
    ///
    /// # Errors
    /// Those of [`Store::commit`].
    pub fn renew_epoch(&self, epoch: u64) -> Result<(), CommitError> {
        let head = Head { epoch, ..self.writer().stamp.head };
        self.commit(&[], &head)
    }

    /// Returns the path of the database's file.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Calls `look` with a view of the whole table as it is at this moment.
    pub(super) fn look<T>(&self, look: impl FnOnce(&View) -> Result<T>) -> Result<T> {
        // The database is not closed while a reader uses it.
        let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
        let found = guarded(|| look(&View::of(database.as_ref().ok_or(Error::DatabaseClosed)?)?));
        if let Err(Error::Corrupted(_)) = found {
            self.damaged.store(true, SeqCst);
        }
        found
    }

    /// Reopens the database after an error: it does nothing more until then. Only for the holder of
    /// the writer's lock.
    pub(super) fn reopen_if_troubled(&self) -> Result<()> {
        self.reopen_if_troubled_with(|_| Ok(())).map(drop)
    }

    /// Does the same; `prepare` sees the disk before it is opened.
    pub(super) fn reopen_if_troubled_with<T>(
        &self,
        prepare: impl FnOnce(&Disk) -> io::Result<T>,
    ) -> Result<Option<T>> {
        let is_open = self.database.read().unwrap_or_else(PoisonError::into_inner).is_some();
        if is_open && !self.disk.had_trouble() {
            return Ok(None); // without waiting for readers
        }
        let mut database = self.database.write().unwrap_or_else(PoisonError::into_inner);
        close(database.take());
        self.disk.clear_trouble();
        let prepared = prepare(&self.disk)?;
        *database = Some(open(&self.disk, self.options)?.0);
        Ok(Some(prepared))
    }

    pub(super) fn writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn failed(&self, error: Error) -> CommitError {
        CommitError::Failed(error::at(&self.path, error))
    }
}

impl Store for Durable {
    fn load(
        &self,
        file: &mut dyn FnMut(Row),
        removal: &mut dyn FnMut(u64, Name),
    ) -> io::Result<Head> {
        let loaded = self.look(|view| {
            view.files(|row| {
                file(row);
                Ok(())
            })?;
            view.removals(|version, name| {
                removal(version, name);
                Ok(())
            })?;
            Ok(view.stamp()?.head)
        });
        loaded.map_err(|e| error::at(&self.path, e))
    }

    fn commit(&self, batch: &[Change], head: &Head) -> Result<(), CommitError> {
        let adds = batch.iter().filter_map(Change::adds).reduce(|sum, bytes| sum + bytes);
        let frees = batch.iter().any(|change| {
            matches!(change, Change::Put { old: Some(_), .. } | Change::Remove { .. })
        });
        self.transact(head, adds, frees, |tables| batch.iter().try_for_each(|c| tables.apply(c)))
    }

    fn contents(&self, version: u64) -> io::Result<Option<Contents>> {
        let look = || self.look(|view| view.contents(version));
        let found = match look() {
            // Perhaps an earlier operation failed, not this read: try once more from a fresh start.
            Err(Error::Io(_) | Error::PreviousIo | Error::DatabaseClosed) => {
                let writer = self.writer();
                let reopened = if writer.lost { Ok(()) } else { self.reopen_if_troubled() };
                reopened.and_then(|()| look())
            }
            found => found,
        };
        found.map_err(|e| error::at(&self.path, e))
    }

    fn size(&self) -> (u64, Option<u64>) {
        (self.bytes().unwrap_or(0), self.options.max_data)
    }

    /// Closes the store. Threads that still use the table do not keep the next store out.
    fn close(&self) {
        self.writer().lost = true; // nothing reopens it
        self.close_database();
        drop(self.folder.lock().unwrap_or_else(PoisonError::into_inner).take());
    }

    fn stored_from(&self) -> usize {
        STORED_FROM
    }
}

impl Drop for Durable {
    fn drop(&mut self) {
        self.close();
    }
}

impl Durable {
    fn close_database(&self) {
        let mut database = self.database.write().unwrap_or_else(PoisonError::into_inner);
        let database = database.take();
        match self.damaged.load(SeqCst) {
            // Closing it would write, and may abort the process.
            true => std::mem::forget(database),
            false => close(database),
        }
    }
}

/// Closes the database. What was confirmed is on disk already, so a failure does not matter. But
/// where a page is damaged this panics.
fn close(database: Option<Database>) {
    if let Some(database) = database {
        let _ = guarded(|| Ok(database.close()?));
    }
}

fn open(disk: &Disk, options: Options) -> Result<(Database, Stamp)> {
    disk.expect_database()?;
    guarded(|| {
        let mut builder = Database::builder();
        let database =
            builder.set_cache_size(options.cache_bytes).create_with_backend(disk.clone())?;
        match View::of(&database).and_then(|view| view.stamp()) {
            Ok(stamp) => Ok((database, stamp)),
            Err(e) => {
                if let Error::Corrupted(_) = e {
                    std::mem::forget(database); // as in `drop`
                }
                Err(e)
            }
        }
    })
}
