//! Folders below the root, each opened relative to its parent's descriptor. No step follows a
//! symlink or goes up, and nothing is looked up by a whole path. So nobody can swap a part of the
//! path at any moment: what a descriptor refers to does not change.

use rustix::fs::{self, AtFlags, FileType, Mode, OFlags, Stat};
use rustix::io::{Errno, Result};
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

/// An open folder.
pub(super) struct Folder(OwnedFd);

/// Distinguishes the folders of this machine.
pub(super) type Id = (u64, u64);

/// A file's inode, size and times. When they are equal, so are its bytes, unless the size stayed
/// the same and the file system's clock did not tick between two changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    inode: Id,
    size: u64,
    modified: (i64, u64),
    changed: (i64, u64),
}

const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

impl Folder {
    /// Opens the root itself. The path to it may contain symlinks.
    pub(super) fn root(path: &Path) -> Result<Self> {
        fs::open(path, FOLDER, Mode::empty()).map(Folder)
    }

    /// Does the same, and makes it if it is missing.
    pub(super) fn make_root(path: &Path) -> Result<Self> {
        match Folder::root(path) {
            Err(Errno::NOENT) => {
                let made = std::fs::create_dir_all(path);
                made.map_err(|e| Errno::from_io_error(&e).unwrap_or(Errno::IO))?;
                // A parent that is not readable cannot be synced either.
                if let Some(Ok(parent)) = path.parent().map(Folder::root) {
                    parent.sync()?;
                }
                Folder::root(path)
            }
            folder => folder,
        }
    }

    /// Opens a folder in this one. A symlink is [`Errno::NOTDIR`] or [`Errno::LOOP`].
    pub(super) fn enter(&self, name: &str) -> Result<Self> {
        fs::openat(&self.0, name, FOLDER | OFlags::NOFOLLOW, Mode::empty()).map(Folder)
    }

    /// Does the same, and makes the folder if it is missing.
    pub(super) fn make(&self, name: &str) -> Result<Self> {
        match self.enter(name) {
            Err(Errno::NOENT) => {
                match fs::mkdirat(&self.0, name, Mode::from_raw_mode(0o777)) {
                    Ok(()) => self.sync()?,
                    Err(Errno::EXIST) => {} // somebody else was faster
                    Err(e) => return Err(e),
                }
                self.enter(name)
            }
            folder => folder,
        }
    }

    /// Returns the stamp of a file, if it exists.
    ///
    /// # Errors
    /// [`Errno::ACCESS`] for what is not a regular file.
    pub(super) fn look(&self, name: &str) -> Result<Option<Stamp>> {
        Ok(self.stat(name)?.map(|stat| Stamp::new(&stat)))
    }

    /// Returns the whole stat of a file.
    pub(super) fn stat(&self, name: &str) -> Result<Option<Stat>> {
        match fs::statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => regular(stat).map(Some),
            Err(Errno::NOENT) => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// Opens a file for reading, if it exists.
    ///
    /// # Errors
    /// [`Errno::ACCESS`] for what is not a regular file.
    pub(super) fn open(&self, name: &str) -> Result<Option<(File, Stamp)>> {
        // Look first, because some devices act when they are opened. What appears between the look
        // and the open is at least not waited for.
        if self.stat(name)?.is_none() {
            return Ok(None);
        }
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
        let file = match fs::openat(&self.0, name, flags | OFlags::CLOEXEC, Mode::empty()) {
            Ok(file) => file,
            Err(Errno::NOENT) => return Ok(None),
            Err(e) => return Err(e),
        };
        let stat = regular(fs::fstat(&file)?)?;
        Ok(Some((file.into(), Stamp::new(&stat))))
    }

    pub(super) fn id(&self) -> Result<Id> {
        Ok(Stamp::new(&fs::fstat(&self.0)?).inode)
    }

    /// Syncs to disk what was made, renamed or removed in this folder.
    pub(super) fn sync(&self) -> Result<()> {
        sync(&self.0)
    }
}

/// Syncs a file or folder to disk, where the file system supports it: some network file systems and
/// FUSE do not for folders.
pub(super) fn sync(what: impl AsFd) -> Result<()> {
    match fs::fsync(what) {
        Err(e @ (Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP | Errno::PERM)) => {
            log::debug!("fsync is not supported here: {e}");
            Ok(())
        }
        synced => synced,
    }
}

impl AsFd for Folder {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

fn regular(stat: Stat) -> Result<Stat> {
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => Ok(stat),
        _ => Err(Errno::ACCESS),
    }
}

impl Stamp {
    // The fields' types differ from system to system.
    #[allow(clippy::unnecessary_cast)]
    pub(super) fn new(stat: &Stat) -> Self {
        Stamp {
            inode: (stat.st_dev as u64, stat.st_ino as u64),
            size: stat.st_size as u64,
            modified: (stat.st_mtime as i64, stat.st_mtime_nsec as u64),
            changed: (stat.st_ctime as i64, stat.st_ctime_nsec as u64),
        }
    }

    /// The size in bytes.
    pub(super) fn size(self) -> u64 {
        self.size
    }

    /// Returns whether `other` has the same bytes, as far as visible; a rename changes the rest.
    pub(super) fn has_bytes_of(self, other: Stamp) -> bool {
        Stamp { changed: other.changed, ..self } == other
    }
}
