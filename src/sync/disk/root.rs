//! The folder. Every path in it is opened beneath its descriptor, and no symlink is ever followed.

pub(in crate::sync) use super::beneath::Rename;

use super::beneath;
use super::stat::{FileKind, Stat};
use crate::sync::path::RelPath;
use crate::sync::steps::disk;
use rustix::fd::{AsFd, AsRawFd, OwnedFd};
use rustix::fs::{
    AtFlags, CWD, Dir, Mode, OFlags, Timespec, Timestamps, chmod, fchmod, fstat, fstatvfs,
    futimens, mkdirat, openat, renameat, statat, unlinkat,
};
use rustix::io::Errno;
use std::ffi::{OsStr, OsString};
use std::fs::{File, Metadata};
use std::io;
use std::ops::Deref;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

const OPEN_DIR: OFlags = OFlags::DIRECTORY.union(OFlags::CLOEXEC).union(OFlags::RDONLY);

/// A folder, opened.
#[derive(Debug)]
pub(in crate::sync) struct Root {
    dir: OwnedFd,
}

/// The folder that a path is in.
enum Parent<'a> {
    Root(&'a OwnedFd),
    Opened(OwnedFd),
}

impl Deref for Parent<'_> {
    type Target = OwnedFd;

    fn deref(&self) -> &OwnedFd {
        match self {
            Parent::Root(dir) => dir,
            Parent::Opened(dir) => dir,
        }
    }
}

impl Root {
    pub(in crate::sync) fn open(path: &Path) -> io::Result<Self> {
        Ok(Root { dir: openat(CWD, path, OPEN_DIR, Mode::empty())? })
    }

    /// Opens a folder in this one, below which paths are looked up from now on.
    pub(in crate::sync) fn open_root(&self, name: &str) -> io::Result<Self> {
        Ok(Root { dir: beneath::open(&self.dir, name, OPEN_DIR, Mode::empty())? })
    }

    pub(in crate::sync) fn stat_self(&self) -> io::Result<Stat> {
        Ok(fstat(&self.dir)?.into())
    }

    pub(in crate::sync) fn metadata(&self) -> io::Result<Metadata> {
        File::from(self.dir.try_clone()?).metadata()
    }

    /// Returns how many bytes this user may still write to the disk.
    pub(in crate::sync) fn free_bytes(&self) -> io::Result<u64> {
        let disk = fstatvfs(&self.dir)?;
        Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
    }

    /// Flushes the file system of the folder.
    pub(in crate::sync) fn sync_file_system(&self) -> io::Result<()> {
        beneath::sync_file_system(&self.dir)?;
        disk::flushed(None);
        Ok(())
    }

    /// Flushes which names are in a folder; `None` is this one.
    pub(in crate::sync) fn sync_dir(&self, path: Option<&RelPath>) -> io::Result<()> {
        let dir = self.open_dir(path)?;
        rustix::fs::fsync(&dir)?;
        disk::flushed(Some(&dir));
        Ok(())
    }

    /// Opens a folder; `None` is this one.
    pub(in crate::sync) fn open_dir(&self, path: Option<&RelPath>) -> io::Result<OwnedFd> {
        match path.map(|path| disk::spelled(&self.dir, path)) {
            Some(path) => beneath::open(&self.dir, path.as_path(), OPEN_DIR, Mode::empty()),
            None => Ok(openat(&self.dir, ".", OPEN_DIR, Mode::empty())?),
        }
    }

    /// Opens the folder that a path is in; returns that, and the name there.
    fn parent(&self, path: &RelPath) -> io::Result<(Parent<'_>, OsString)> {
        let path = disk::spelled(&self.dir, path);
        let dir = match path.parent() {
            None => Parent::Root(&self.dir),
            parent => Parent::Opened(self.open_dir(parent.as_ref())?),
        };
        Ok((dir, OsStr::from_bytes(path.name()).to_os_string()))
    }

    /// Returns what is at a path; `None` if there is nothing, or no folder to hold it.
    pub(in crate::sync) fn stat(&self, path: &RelPath) -> io::Result<Option<Stat>> {
        let found = self.parent(path).and_then(|(dir, name)| stat_in(&*dir, &name));
        match found.map_err(|e| (Errno::from_io_error(&e), e)) {
            Ok(stat) => Ok(stat),
            Err((Some(Errno::NOENT | Errno::NOTDIR), _)) => Ok(None),
            Err((_, e)) => Err(e),
        }
    }

    /// Opens a regular file for reading, without waiting for the other end of a pipe.
    pub(in crate::sync) fn open_file(&self, path: &RelPath) -> io::Result<File> {
        Ok(self.open_file_and_stat(path)?.0)
    }

    /// The same, and returns what the file is.
    pub(in crate::sync) fn open_file_and_stat(&self, path: &RelPath) -> io::Result<(File, Stat)> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOFOLLOW;
        let path = disk::spelled(&self.dir, path);
        let file = File::from(beneath::open(&self.dir, path.as_path(), flags, Mode::empty())?);
        let stat = file_stat(&file)?;
        match stat.kind {
            FileKind::File => Ok((file, stat)),
            _ => Err(io::Error::other("no longer a regular file")),
        }
    }

    /// Makes a new file for writing that only its owner can read.
    pub(in crate::sync) fn create_file(&self, name: &str) -> io::Result<File> {
        disk::room()?;
        let flags = OFlags::RDWR | OFlags::CLOEXEC | OFlags::CREATE | OFlags::EXCL;
        let mode = Mode::RUSR | Mode::WUSR;
        let file = File::from(beneath::open(&self.dir, name, flags, mode)?);
        disk::made(&self.dir, name.as_ref());
        disk::opened(&file);
        Ok(file)
    }

    /// Makes a folder. Its owner can use it, whatever the mode says, until the mode is set.
    pub(in crate::sync) fn make_dir(&self, path: &RelPath, mode: u32) -> io::Result<()> {
        let (dir, name) = self.parent(path)?;
        disk::room()?;
        mkdirat(&*dir, &name, mode_of(mode | 0o700))?;
        disk::made(&dir, &name);
        Ok(())
    }

    /// Makes a folder that only its owner can use.
    pub(in crate::sync) fn make_own_dir(&self, name: &str) -> io::Result<()> {
        disk::room()?;
        mkdirat(&self.dir, name, Mode::RWXU)?;
        disk::made(&self.dir, name.as_ref());
        Ok(())
    }

    /// Removes an empty folder of ours.
    pub(in crate::sync) fn remove_own_dir(&self, name: &str) -> io::Result<()> {
        let remove = || Ok(unlinkat(&self.dir, name, AtFlags::REMOVEDIR)?);
        disk::remove(&self.dir, name.as_ref(), true, remove)
    }

    /// Renames a file of ours, to a name that another one may have.
    pub(in crate::sync) fn replace(&self, from: &str, to: &str) -> io::Result<()> {
        renameat(&self.dir, from, &self.dir, to)?;
        disk::renamed((&self.dir, from.as_ref()), (&self.dir, to.as_ref()), false);
        Ok(())
    }

    /// Opens a file of ours for writing, or makes it.
    pub(in crate::sync) fn open_or_create(&self, name: &str) -> io::Result<File> {
        let flags = OFlags::RDWR | OFlags::CLOEXEC | OFlags::CREATE;
        Ok(File::from(beneath::open(&self.dir, name, flags, Mode::RUSR | Mode::WUSR)?))
    }

    /// Makes the missing folders in which a path is.
    pub(in crate::sync) fn make_parents(&self, path: &RelPath) -> io::Result<()> {
        let Some(parent) = path.parent() else { return Ok(()) };
        if self.stat(&parent)?.is_some_and(|stat| stat.kind == FileKind::Dir) {
            return Ok(());
        }
        self.make_parents(&parent)?;
        match self.make_dir(&parent, 0o755) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            made => made,
        }
    }

    pub(in crate::sync) fn remove_dir(&self, path: &RelPath) -> io::Result<()> {
        let (dir, name) = self.parent(path)?;
        disk::remove(&dir, &name, true, || Ok(unlinkat(&*dir, &name, AtFlags::REMOVEDIR)?))
    }

    pub(in crate::sync) fn remove_file(&self, path: &RelPath) -> io::Result<()> {
        let (dir, name) = self.parent(path)?;
        disk::remove(&dir, &name, false, || Ok(unlinkat(&*dir, &name, AtFlags::empty())?))
    }

    /// Sets the mode of a file or folder.
    pub(in crate::sync) fn set_mode(&self, path: &RelPath, mode: u32) -> io::Result<()> {
        // A file that its owner may not read cannot be opened, and a name could lead to a symlink by
        // now. A descriptor that was opened for nothing has a name in /proc.
        let path = disk::spelled(&self.dir, path);
        let file = beneath::open_for_mode(&self.dir, path.as_path())?;
        let old = Stat::from(fstat(&file)?);
        match old.kind {
            FileKind::Other => Err(io::ErrorKind::NotFound.into()),
            FileKind::File | FileKind::Dir => {
                let name = format!("/proc/self/fd/{}", file.as_raw_fd());
                chmod(name, mode_of(mode))?;
                disk::mode_set(&file, old.mode);
                Ok(())
            }
        }
    }

    /// Renames within this folder, or into another one.
    pub(in crate::sync) fn rename(
        &self,
        from: &RelPath,
        to_root: &Root,
        to: &RelPath,
        how: Rename,
    ) -> io::Result<()> {
        self.rename_and_stat(from, to_root, to, how, |_, _| Ok(()))
    }

    /// Renames to a free name, and returns what is there then.
    pub(in crate::sync) fn put(
        &self,
        from: &RelPath,
        to_root: &Root,
        to: &RelPath,
    ) -> io::Result<Option<Stat>> {
        self.rename_and_stat(from, to_root, to, Rename::ToFree, |dir, name| stat_in(dir, name))
    }

    fn rename_and_stat<T>(
        &self,
        from: &RelPath,
        to_root: &Root,
        to: &RelPath,
        how: Rename,
        stat: impl FnOnce(&OwnedFd, &OsStr) -> io::Result<T>,
    ) -> io::Result<T> {
        let ((from_dir, from), (to_dir, to)) = (self.parent(from)?, to_root.parent(to)?);
        beneath::rename(&*from_dir, &from, &*to_dir, &to, how)?;
        disk::renamed((&from_dir, &from), (&to_dir, &to), how == Rename::Exchange);
        stat(&to_dir, &to)
    }

    /// Returns the names in a folder, without `.` and `..`.
    pub(in crate::sync) fn names(&self, path: Option<&RelPath>) -> io::Result<Vec<Vec<u8>>> {
        list(self.open_dir(path)?)
    }
}

/// Returns the names in an open folder, without `.` and `..`.
pub(in crate::sync) fn list(dir: OwnedFd) -> io::Result<Vec<Vec<u8>>> {
    let mut names = Vec::new();
    for item in Dir::new(dir)? {
        let name = item?.file_name().to_bytes().to_vec();
        if name != b"." && name != b".." {
            names.push(name);
        }
    }
    Ok(names)
}

/// Returns what is at a name in a folder.
pub(in crate::sync) fn stat_in(dir: impl AsFd, name: &OsStr) -> io::Result<Option<Stat>> {
    match statat(dir, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(raw) => Ok(Some(raw.into())),
        Err(Errno::NOENT) => Ok(None),
        Err(e) => Err(e.into()),
    }
}

pub(in crate::sync) fn file_stat(file: &File) -> io::Result<Stat> {
    Ok(fstat(file)?.into())
}

/// Returns permission bits as the system's type, which is not as wide everywhere.
fn mode_of(bits: u32) -> Mode {
    Mode::from_raw_mode(bits as _)
}

/// Flushes a file's contents and times.
pub(in crate::sync) fn sync_file(file: &File) -> io::Result<()> {
    file.sync_all()?;
    disk::contents_flushed(file);
    Ok(())
}

/// Sets a file's permission bits, and when it was modified.
pub(in crate::sync) fn set_times_and_mode(file: &File, mtime: i64, mode: u32) -> io::Result<()> {
    fchmod(file, mode_of(mode))?;
    let at = Timespec {
        tv_sec: mtime.div_euclid(1_000_000_000),
        tv_nsec: mtime.rem_euclid(1_000_000_000) as _,
    };
    Ok(futimens(file, &Timestamps { last_access: at, last_modification: at })?)
}
