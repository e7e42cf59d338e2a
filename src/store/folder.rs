//! The folder of a store: created, locked, and given its database whole or not at all.

use super::disk::{FileSet, Medium};
use super::half_made::HalfMade;
use super::whole::{self, UNFINISHED, folder_of, named, sync_folder};
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The name of the database's file in the folder.
const DATABASE: &str = "telefile.redb";

/// The name of a file that is in the folder until a restore into it is finished.
const RESTORING: &str = "restore.unfinished";

/// What a folder is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// Changes, by one process alone.
    Change,
    /// Reads, by any number while none changes it. Needs no write permission.
    Read,
}

/// A folder that no other process uses, or changes, until this is dropped.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    to: Use,
    /// The folder itself, locked with flock(2); after a restore the database's lock is another one.
    /// `None` where a folder cannot be locked, as on NFS: the database is locked then.
    lock: Option<File>,
}

/// Folders created for a store, innermost first. Dropping this removes them, unless they are kept
/// or not empty.
#[derive(Debug)]
pub(super) struct Made(Vec<HalfMade>);

impl Folder {
    /// # Errors
    /// Also if another process uses it.
    pub(super) fn open(path: &Path, to: Use) -> io::Result<Self> {
        let located = |e: io::Error| named(path, e);
        if !fs::metadata(path).map_err(located)?.is_dir() {
            return Err(located(io::Error::new(ErrorKind::NotADirectory, "is not a folder")));
        }
        let lock = File::open(path).map_err(located)?;
        let lock = match try_lock(&lock, to) {
            Ok(()) => Some(lock),
            Err(TryLockError::WouldBlock) => return Err(located(in_use())),
            Err(TryLockError::Error(e)) => {
                log::debug!("{}: cannot be locked: {e}", path.display());
                None
            }
        };
        Ok(Folder { path: path.to_path_buf(), to, lock })
    }

    /// Opens the folder for changes; a missing one is created, accessible to this user alone.
    pub(super) fn make(path: &Path) -> io::Result<(Self, Made)> {
        let missing = path.ancestors().take_while(|p| !p.as_os_str().is_empty() && !p.exists());
        let missing: Vec<_> = missing.collect();
        if !missing.is_empty() {
            let mut builder = DirBuilder::new();
            builder.recursive(true).mode(0o700).create(path).map_err(|e| named(path, e))?;
        }
        let mut made: Vec<_> = missing.iter().rev().map(|made| HalfMade::new(made)).collect();
        made.reverse();
        missing.iter().try_for_each(|made| sync_folder(folder_of(made)))?;
        Ok((Folder::open(path, Use::Change)?, Made(made)))
    }

    /// Returns what it is opened for.
    pub(super) fn to(&self) -> Use {
        self.to
    }

    /// Returns the path of the database, which need not exist.
    pub(super) fn database_path(&self) -> PathBuf {
        self.path.join(DATABASE)
    }

    /// Returns the files beside the database.
    pub(super) fn files(&self) -> FolderFiles {
        FolderFiles { folder: self.path.clone(), to: self.to }
    }

    /// Opens the database's file; `None` if there is none.
    ///
    /// # Errors
    /// Also if another process uses it.
    pub(super) fn database(&self) -> io::Result<Option<File>> {
        let path = self.database_path();
        let file = match OpenOptions::new().read(true).write(self.to == Use::Change).open(&path) {
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
            file => file.map_err(|e| named(&path, e))?,
        };
        if self.lock.is_none() {
            match try_lock(&file, self.to) {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Err(named(&path, in_use())),
                Err(TryLockError::Error(e)) => {
                    let path = path.display();
                    log::warn!("{path}: cannot be locked, so let no other server use it: {e}");
                }
            }
        }
        Ok(Some(file))
    }

    /// # Errors
    /// The folder is not empty. What a killed restore left does not count.
    pub(super) fn expect_empty(&self) -> io::Result<()> {
        let located = |e: io::Error| named(&self.path, e);
        let left = [format!("{DATABASE}{UNFINISHED}"), RESTORING.to_string()];
        for entry in fs::read_dir(&self.path).map_err(located)? {
            let name = entry.map_err(located)?.file_name();
            if !left.iter().any(|left| name == left[..]) {
                return Err(located(io::Error::new(ErrorKind::DirectoryNotEmpty, "is not empty")));
            }
        }
        Ok(())
    }

    /// Records that a restore begins; the returned value ends it. If the process is killed before
    /// that, no server takes the folder for an empty one.
    pub(super) fn begin_restore(&self) -> io::Result<HalfMade> {
        let path = self.path.join(RESTORING);
        File::create(&path).map_err(|e| named(&path, e))?;
        let restoring = HalfMade::new(&path);
        sync_folder(&self.path)?;
        Ok(restoring)
    }

    /// # Errors
    /// A restore into the folder was not finished.
    pub(super) fn expect_no_restore(&self) -> io::Result<()> {
        if !self.path.join(RESTORING).exists() {
            return Ok(());
        }
        let why = format!(
            "a restore into it was not finished: restore again, or remove {RESTORING} for an \
             empty table"
        );
        Err(named(&self.path, io::Error::new(ErrorKind::InvalidData, why)))
    }

    /// Creates the folder's database, which `fill` writes into a new file. After a crash there is a
    /// whole one or none.
    ///
    /// # Errors
    /// Those of `fill`, and of the disk. There is no database then.
    pub(super) fn create(&self, fill: impl FnOnce(&File) -> io::Result<()>) -> io::Result<()> {
        whole::create(&self.database_path(), fill)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Some(lock) = &self.lock {
            // Closing it is not enough: a child that is just starting has it open too.
            let _ = lock.unlock();
        }
    }
}

/// The files in the folder of the database. They are left unchanged if it is only read.
#[derive(Debug)]
pub(super) struct FolderFiles {
    folder: PathBuf,
    to: Use,
}

impl FileSet for FolderFiles {
    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn open(&self, name: &str) -> io::Result<Option<Box<dyn Medium>>> {
        let mut options = OpenOptions::new();
        match options.read(true).write(self.to == Use::Change).open(self.path(name)) {
            Ok(file) => Ok(Some(Box::new(file))),
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e),
        }
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn Medium>> {
        self.remove(name)?;
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true).mode(0o600);
        let file = options.open(self.path(name))?;
        sync_folder(&self.folder)?;
        Ok(Box::new(file))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        if self.to == Use::Read {
            return Err(ErrorKind::ReadOnlyFilesystem.into());
        }
        match fs::remove_file(self.path(name)) {
            Err(e) if e.kind() != ErrorKind::NotFound => Err(e),
            _ => Ok(()),
        }
    }
}

impl Made {
    pub(super) fn keep(self) {
        self.0.into_iter().for_each(HalfMade::keep);
    }
}

fn try_lock(file: &File, to: Use) -> Result<(), TryLockError> {
    match to {
        Use::Change => file.try_lock(),
        Use::Read => file.try_lock_shared(),
    }
}

fn in_use() -> io::Error {
    io::Error::new(ErrorKind::ResourceBusy, "another telefile is using it")
}
