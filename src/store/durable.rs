//! A table stored in a folder: in a database, with a log in front of it.

use super::core::{Compactor, Core};
use super::error;
use super::folder::Folder;
use super::folder::files::Use;
use super::log::{SEGMENT_BYTES, Settings};
use super::medium::{FileSet, Medium};
use super::options::Options;
use super::source::Source;
use super::tree::engine::Engine;
use super::tree::tables::STORED_FROM;
use crate::contents::Contents;
use crate::files::store::{Backup, CommitError, Head, Mutation, Row, Store};
use crate::name::Name;
use crate::random;
use redb::Error;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

/// A table that survives the end of its process and a power failure. Each batch is on disk when
/// [`Store::commit`] returns. After a crash the table holds every confirmed batch, perhaps the one
/// not yet confirmed, and never part of a batch.
///
/// One process uses a folder at a time; the lock is on the folder.
///
/// ```
/// use telefile::NameRef;
/// use telefile::store::{Mutation, Durable, Life, Options, Store};
///
/// let folder = std::env::temp_dir().join(format!("telefile-doc-{}", std::process::id()));
/// let epoch = 0xbeef; // a new table gets it; draw it from the system's randomness
/// let store = Durable::open(&folder, Options::default(), epoch)?;
/// let mut head = store.load(&mut |_| unreachable!("no files"), &mut |_, _| ())?;
/// assert_eq!((head.epoch, head.version), (epoch, 0));
///
/// head.version = 1;
/// let put = Mutation::Put {
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
    core: Arc<Core>,
    /// Brings the log into the tree.
    checkpointer: Mutex<Option<JoinHandle<()>>>,
    /// Released when the database is closed. `None` afterwards, and without a folder, in tests.
    folder: Mutex<Option<Folder>>,
}

impl Durable {
    /// The least size of a file, in bytes, that the system has to allow.
    pub(crate) const LEAST_FILE_BYTES: u64 = SEGMENT_BYTES;

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
            folder.expect_no_log()?;
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
        let settings = match folder.to() {
            Use::Change => {
                folder.sync()?;
                Settings::default()
            }
            Use::Read => Settings::read_only(),
        };
        let settings = Settings {
            compact_from: if folder.may_replace_database() {
                settings.compact_from
            } else {
                u64::MAX
            },
            ..settings.within(options.cache_bytes)
        };
        let mut store = Durable::on(medium, Arc::new(folder.files()?), &path, options, settings)?;
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
            Engine::create(Box::new(medium()?), &path, epoch, random::draw()?)?;
            // Without other files: a restore that is killed leaves only what the next one removes.
            let settings = Settings { reserve_bytes: 0, ..Settings::default() };
            let files = Arc::new(folder.files()?);
            fill(&Durable::on(Box::new(medium()?), files, &path, options, settings)?)
        })
    }

    /// Opens the store on a medium, with its other files in a set. Errors name it by `path`.
    pub(super) fn on(
        medium: Box<dyn Medium>,
        files: Arc<dyn FileSet>,
        path: &Path,
        options: Options,
        settings: Settings,
    ) -> io::Result<Self> {
        let core = Arc::new(Core::open(medium, files, path, options, settings)?);
        let checkpointer = if settings.has_checkpointer {
            let (core, compactor) = (core.clone(), Compactor::new(settings.compact_from));
            let name = "checkpointer".to_string();
            Some(thread::Builder::new().name(name).spawn(move || core.run_checkpoints(compactor))?)
        } else {
            None
        };
        Ok(Durable { core, checkpointer: Mutex::new(checkpointer), folder: Mutex::default() })
    }

    /// Returns the room that the database and its log take on disk, in bytes.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn bytes(&self) -> io::Result<u64> {
        self.core.bytes().map_err(|e| self.error(Error::Io(e)))
    }

    /// Returns how much memory the store always takes, in bytes.
    pub(crate) fn memory_bytes(&self) -> u64 {
        self.core.memory_bytes()
    }

    /// Gives the table a new epoch. This is needed when the folder was restored from a copy: its
    /// versions will be assigned a second time.
    ///
    /// # Errors
    /// Those of [`Store::commit`].
    pub fn renew_epoch(&self, epoch: u64) -> Result<(), CommitError> {
        let head = Head { epoch, ..self.core.head() };
        self.commit(&[], &head)
    }

    pub(super) fn core(&self) -> &Arc<Core> {
        &self.core
    }

    /// Returns the error of a change that was not committed.
    pub(super) fn failed(&self, error: CommitError) -> io::Error {
        self.core.failed(error)
    }

    fn error(&self, error: Error) -> io::Error {
        error::at(self.core.engine().path(), error)
    }
}

impl Store for Durable {
    fn load(
        &self,
        file: &mut dyn FnMut(Row),
        removal: &mut dyn FnMut(u64, Name),
    ) -> io::Result<Head> {
        self.core.load(file, removal).map_err(|e| self.error(e))
    }

    fn commit(&self, batch: &[Mutation], head: &Head) -> Result<(), CommitError> {
        self.core.commit(batch, head)
    }

    fn contents(&self, version: u64) -> io::Result<Option<Contents>> {
        self.core.contents(version).map_err(|e| self.error(e))
    }

    fn size(&self) -> (u64, Option<u64>) {
        (self.bytes().unwrap_or(0), self.core.engine().options().max_data)
    }

    fn begin_backup(&self) -> io::Result<Option<Backup>> {
        Source::begin(self.core.clone())?.counted().map(Some)
    }

    /// Closes the store. Threads that still use the table do not keep the next store out.
    fn close(&self) {
        self.core.close();
        let checkpointer = self.checkpointer.lock().unwrap_or_else(PoisonError::into_inner).take();
        checkpointer.map(JoinHandle::join);
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
