//! The folder of a store: created, locked, and given its database whole or not at all.

pub(in crate::store) mod files;
pub(in crate::store) mod half_made;
mod lockable;
pub(in crate::store) mod whole;

use crate::store::log::names as log_names;
use files::{DATABASE, FolderFiles, Use, open_in};
use half_made::HalfMade;
use lockable::Lockable;
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, openat, statat};
use rustix::io::Errno;
use std::fs::{self, DirBuilder, File, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use whole::{UNFINISHED, folder_of, named, open_folder, sync_opened};

/// The name of a file that is in the folder until a restore into it is finished.
const RESTORING: &str = "restore.unfinished";

/// A folder that no other process uses, or changes, until this is dropped.
#[derive(Debug)]
pub(in crate::store) struct Folder {
    path: PathBuf,
    to: Use,
    /// The folder itself, locked with flock(2).
    folder: Lockable,
    is_locked: bool,
    /// Locked as well: it may have a name in another folder too, and a folder cannot be locked everywhere,
    /// as on NFS.
    database: OnceLock<Lockable>,
}

/// Folders created for a store, innermost first. Dropping this removes them, unless they are kept
/// or not empty.
#[derive(Debug)]
pub(in crate::store) struct Made(Vec<HalfMade>);

impl Folder {
    /// # Errors
    /// Also if another process uses it.
    pub(in crate::store) fn open(path: &Path, to: Use) -> io::Result<Self> {
        let located = |e: io::Error| named(path, e);
        if !fs::metadata(path).map_err(located)?.is_dir() {
            return Err(located(io::Error::new(ErrorKind::NotADirectory, "is not a folder")));
        }
        let folder = Lockable(File::open(path).map_err(located)?);
        let is_locked = match try_lock(&folder, to) {
            Ok(()) => true,
            Err(TryLockError::WouldBlock) => return Err(located(in_use())),
            Err(TryLockError::Error(e)) => {
                log::debug!("{}: cannot be locked: {e}", path.display());
                false
            }
        };
        Ok(Folder { path: path.to_path_buf(), to, folder, is_locked, database: OnceLock::new() })
    }

    /// Opens the folder for changes; a missing one is created, accessible to this user alone.
    pub(in crate::store) fn make(path: &Path) -> io::Result<(Self, Made)> {
        let missing = path.ancestors().take_while(|p| !p.as_os_str().is_empty() && !p.exists());
        let missing: Vec<_> = missing.collect();
        if !missing.is_empty() {
            let mut builder = DirBuilder::new();
            builder.recursive(true).mode(0o700).create(path).map_err(|e| named(path, e))?;
        }
        let mut made = Vec::new();
        for path in missing.into_iter().rev() {
            let above = Arc::new(open_folder(folder_of(path)).map_err(|e| named(path, e))?);
            made.extend(path.file_name().map(|name| HalfMade::new(&above, Path::new(name))));
            sync_opened(&above, folder_of(path))?;
        }
        made.reverse();
        Ok((Folder::open(path, Use::Change)?, Made(made)))
    }

    /// Returns what it is opened for.
    pub(in crate::store) fn to(&self) -> Use {
        self.to
    }

    /// Returns the path of the database, which need not exist.
    pub(in crate::store) fn database_path(&self) -> PathBuf {
        self.path.join(DATABASE)
    }

    /// Returns the files beside the database.
    ///
    /// # Errors
    /// There are too many open files.
    pub(in crate::store) fn files(&self) -> io::Result<FolderFiles> {
        let folder = self.folder.try_clone().map_err(|e| named(&self.path, e))?;
        Ok(FolderFiles { folder, path: self.path.clone(), to: self.to })
    }

    /// Opens the database's file; `None` if there is none.
    ///
    /// # Errors
    /// Also if another process uses it.
    pub(in crate::store) fn database(&self) -> io::Result<Option<File>> {
        let path = self.database_path();
        let located = |e| named(&path, e);
        let flags = OFlags::NONBLOCK | OFlags::NOCTTY; // a pipe would block
        let opened = open_in(&self.folder, DATABASE, self.to, flags);
        let Some(file) = opened.map_err(located)? else { return Ok(None) };
        if !file.metadata().map_err(located)?.is_file() {
            let irregular = io::Error::new(ErrorKind::InvalidData, "is not a regular file");
            return Err(located(irregular));
        }
        if self.database.get().is_none() {
            let locked = Lockable(file.try_clone().map_err(located)?);
            match try_lock(&locked, self.to) {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Err(located(in_use())),
                Err(TryLockError::Error(_)) if self.is_locked => {}
                Err(TryLockError::Error(e)) => {
                    let path = path.display();
                    log::warn!("{path}: cannot be locked, so let no other server use it: {e}");
                }
            }
            let _ = self.database.set(locked);
        }
        Ok(Some(file))
    }

    /// Returns whether a name is taken in the folder.
    fn has(&self, name: &str) -> io::Result<bool> {
        match statat(&*self.folder, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(_) => Ok(true),
            Err(Errno::NOENT) => Ok(false),
            Err(e) => Err(named(&self.path.join(name), e.into())),
        }
    }

    /// Returns whether another file may take the place of the database: its own is not locked, and no
    /// symbolic link leads to another folder.
    pub(in crate::store) fn may_replace_database(&self) -> bool {
        let found = statat(&*self.folder, DATABASE, AtFlags::SYMLINK_NOFOLLOW);
        let is_file = |mode| FileType::from_raw_mode(mode) == FileType::RegularFile;
        self.is_locked && found.is_ok_and(|found| is_file(found.st_mode))
    }

    /// # Errors
    /// The folder is not empty. What a killed restore left does not count.
    pub(in crate::store) fn expect_empty(&self) -> io::Result<()> {
        let located = |e: Errno| named(&self.path, e.into());
        let database = format!("{DATABASE}{UNFINISHED}");
        let left = [".", "..", &database, RESTORING];
        for entry in Dir::read_from(&*self.folder).map_err(located)? {
            let entry = entry.map_err(located)?;
            if !left.iter().any(|left| entry.file_name().to_bytes() == left.as_bytes()) {
                let why = io::Error::new(ErrorKind::DirectoryNotEmpty, "is not empty");
                return Err(named(&self.path, why));
            }
        }
        Ok(())
    }

    /// Records that a restore begins; the returned value ends it. If the process is killed before
    /// that, no server takes the folder for an empty one.
    pub(in crate::store) fn begin_restore(&self) -> io::Result<HalfMade> {
        let located = |e| named(&self.path.join(RESTORING), e);
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let mode = Mode::RUSR | Mode::WUSR;
        let created = openat(&*self.folder, RESTORING, flags | OFlags::CLOEXEC, mode);
        created.map_err(|e| located(e.into()))?;
        let folder = Arc::new(self.folder.try_clone().map_err(located)?);
        let restoring = HalfMade::new(&folder, Path::new(RESTORING));
        sync_opened(&folder, &self.path)?;
        Ok(restoring)
    }

    /// # Errors
    /// A restore into the folder was not finished.
    pub(in crate::store) fn expect_no_restore(&self) -> io::Result<()> {
        if !self.has(RESTORING)? {
            return Ok(());
        }
        let why = format!(
            "a restore into it was not finished: restore again, or remove {RESTORING} for an \
             empty table"
        );
        Err(named(&self.path, io::Error::new(ErrorKind::InvalidData, why)))
    }

    /// # Errors
    /// There is a log, whose database is missing.
    pub(in crate::store) fn expect_no_log(&self) -> io::Result<()> {
        for name in log_names() {
            if self.has(&name)? {
                let why = format!(
                    "has {name}, but no {DATABASE}: put back the folder as a whole, or remove the \
                     log for an empty table"
                );
                return Err(named(&self.path, io::Error::new(ErrorKind::InvalidData, why)));
            }
        }
        Ok(())
    }

    /// Creates the folder's database, which `fill` writes into a new file. After a crash there is a
    /// whole one or none.
    ///
    /// # Errors
    /// Those of `fill`, and of the disk. There is no database then.
    pub(in crate::store) fn create(
        &self,
        fill: impl FnOnce(&File) -> io::Result<()>,
    ) -> io::Result<()> {
        let folder = self.folder.try_clone().map_err(|e| named(&self.path, e))?;
        whole::create_in(folder, &self.database_path(), fill)
    }

    /// Brings the names in the folder to the disk: a process that was killed may have created files
    /// without that.
    ///
    /// # Errors
    /// Those of the disk.
    pub(in crate::store) fn sync(&self) -> io::Result<()> {
        sync_opened(&self.folder, &self.path)
    }
}

impl Made {
    pub(in crate::store) fn keep(self) {
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A process that another thread is starting has copies of all descriptors.
    #[test]
    fn a_folder_is_not_in_use_while_a_copy_of_its_descriptor_is_open() {
        let path = std::env::temp_dir().join(format!("telefile-folder-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        let (_, made) = Folder::make(&path).unwrap();
        fs::write(path.join(DATABASE), "").unwrap();
        for is_locked in [true, false] {
            let folder = Folder { is_locked, ..Folder::open(&path, Use::Change).unwrap() };
            let copies = (folder.files().unwrap(), folder.database().unwrap().unwrap());
            drop(folder);
            let folder = Folder::open(&path, Use::Change).unwrap();
            folder.database().unwrap().unwrap().try_lock().unwrap();
            drop(copies);
        }
        drop(made);
        fs::remove_dir_all(path).unwrap();
    }
}
