//! A disk that a power loss can catch: it knows which changes of a folder are not flushed, and can take
//! them back. Changes reach it in order, as on a journaling file system, so that a power loss takes
//! back the last ones. The contents of a new file reach it at any time before they are flushed.
//!
//! What users do is flushed at once, and everything before it, but for what a test writes otherwise.

use super::planted::with_disk;
use crate::sync::path::RelPath;
use rustix::fd::{AsFd, AsRawFd, OwnedFd};
use rustix::fs::{
    AtFlags, CWD, Mode, RenameFlags, chmod, fstat, renameat, renameat_with, unlinkat,
};
use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// A name in an open folder.
#[derive(Debug)]
struct Place {
    dir: OwnedFd,
    name: OsString,
}

impl Place {
    fn of(dir: &OwnedFd, name: &OsStr) -> Self {
        Place { dir: dir.try_clone().unwrap(), name: name.to_os_string() }
    }
}

/// A change that is not flushed, and how to take it back.
#[derive(Debug)]
enum Change {
    Made(Place),
    Renamed { from: Place, to: Place, is_exchange: bool },
    Removed { place: Place, grave: PathBuf },
    Mode { file: OwnedFd, old: u32 },
}

#[derive(Debug)]
pub(in crate::sync) struct Disk {
    /// Whether two files can change places.
    pub(in crate::sync) exchanges: bool,
    /// Whether upper and lower case are one.
    pub(super) folds: bool,
    pub(super) is_full: bool,
    /// Whether that of the index is, which may be another one.
    pub(super) index_is_full: bool,
    /// Where removed files are until their removal is flushed.
    graves: PathBuf,
    removed: usize,
    changes: Vec<Change>,
    contents: Vec<File>,
}

impl Disk {
    pub(super) fn new(graves: PathBuf) -> Self {
        fs::create_dir(&graves).unwrap();
        Disk {
            exchanges: true,
            folds: false,
            is_full: false,
            index_is_full: false,
            graves,
            removed: 0,
            changes: Vec::new(),
            contents: Vec::new(),
        }
    }

    /// Flushes everything.
    pub(super) fn flush(&mut self) {
        self.changes.clear();
        self.contents.clear();
    }

    /// Writes a file as a user does, and flushes nothing.
    pub(super) fn write_unflushed(&mut self, path: &Path, contents: &str) {
        let is_new = !path.exists();
        fs::write(path, contents).unwrap();
        self.leave_unflushed(path);
        if is_new {
            let dir = File::open(path.parent().unwrap()).unwrap().into();
            self.changes.push(Change::Made(Place::of(&dir, path.file_name().unwrap())));
        }
    }

    /// Notes that the contents of a file are not flushed.
    pub(super) fn leave_unflushed(&mut self, path: &Path) {
        self.contents.push(File::options().write(true).open(path).unwrap());
    }

    /// Takes back the last `take_back` of the changes that are not flushed, at most all, and the
    /// contents of which `is_lost` says so. Returns how many changes that were.
    pub(super) fn lose_power(
        &mut self,
        take_back: usize,
        mut is_lost: impl FnMut() -> bool,
    ) -> usize {
        self.contents.drain(..).filter(|_| is_lost()).for_each(|file| file.set_len(0).unwrap());
        let first = self.changes.len().saturating_sub(take_back);
        let back = self.changes.split_off(first);
        let count = back.len();
        back.into_iter().rev().for_each(take_back_one);
        self.changes.clear();
        count
    }

    /// Returns how many changes are not flushed.
    pub(super) fn unflushed(&self) -> usize {
        self.changes.len()
    }
}

fn take_back_one(change: Change) {
    match change {
        Change::Made(Place { dir, name }) => {
            let removed = unlinkat(&dir, &name, AtFlags::empty());
            removed.or_else(|_| unlinkat(&dir, &name, AtFlags::REMOVEDIR)).unwrap();
        }
        Change::Renamed { from, to, is_exchange } => {
            let how = if is_exchange { RenameFlags::EXCHANGE } else { RenameFlags::NOREPLACE };
            renameat_with(&to.dir, &to.name, &from.dir, &from.name, how).unwrap();
        }
        Change::Removed { place: Place { dir, name }, grave } => {
            renameat_with(CWD, grave, &dir, &name, RenameFlags::NOREPLACE).unwrap();
        }
        Change::Mode { file, old } => {
            let name = format!("/proc/self/fd/{}", file.as_raw_fd());
            chmod(name, Mode::from_raw_mode(old)).unwrap();
        }
    }
}

/// Returns an error if the disk is full.
pub(in crate::sync) fn room() -> io::Result<()> {
    match with_disk(|disk| disk.is_full) {
        Some(true) => Err(ErrorKind::StorageFull.into()),
        _ => Ok(()),
    }
}

/// Writes into the index, or half of it, if its disk is full.
pub(in crate::sync) fn write_index(file: &mut File, bytes: &[u8]) -> io::Result<()> {
    match with_disk(|disk| disk.index_is_full) {
        Some(true) => {
            file.write_all(&bytes[..bytes.len() / 2])?;
            Err(ErrorKind::StorageFull.into())
        }
        _ => file.write_all(bytes),
    }
}

/// Returns how the disk spells a path: in the letters of what is there, if upper and lower case are
/// one.
pub(in crate::sync) fn spelled<'a>(dir: &OwnedFd, path: &'a RelPath) -> Cow<'a, RelPath> {
    if with_disk(|disk| disk.folds) != Some(true) {
        return Cow::Borrowed(path);
    }
    let mut at = PathBuf::from(format!("/proc/self/fd/{}", dir.as_raw_fd()));
    let mut spelled = PathBuf::new();
    for name in path.as_path() {
        let names = fs::read_dir(&at).into_iter().flatten().map(|found| found.unwrap().file_name());
        let mut same = names.filter(|found| found.eq_ignore_ascii_case(name));
        let name = same.next().unwrap_or_else(|| name.to_os_string());
        at.push(&name);
        spelled.push(&name);
    }
    Cow::Owned(RelPath::new(spelled.as_os_str().as_bytes()).unwrap())
}

pub(in crate::sync) fn made(dir: &OwnedFd, name: &OsStr) {
    with_disk(|disk| disk.changes.push(Change::Made(Place::of(dir, name))));
}

pub(in crate::sync) fn opened(file: &File) {
    with_disk(|disk| disk.contents.push(file.try_clone().unwrap()));
}

pub(in crate::sync) fn renamed(
    (from_dir, from): (&OwnedFd, &OsStr),
    (to_dir, to): (&OwnedFd, &OsStr),
    is_exchange: bool,
) {
    with_disk(|disk| {
        let (from, to) = (Place::of(from_dir, from), Place::of(to_dir, to));
        disk.changes.push(Change::Renamed { from, to, is_exchange });
    });
}

pub(in crate::sync) fn remove(
    dir: &OwnedFd,
    name: &OsStr,
    is_dir: bool,
    remove: impl FnOnce() -> io::Result<()>,
) -> io::Result<()> {
    let removed = with_disk(|disk| {
        let path = Path::new("/proc/self/fd").join(dir.as_raw_fd().to_string()).join(name);
        match (is_dir, path.symlink_metadata()?.is_dir()) {
            (true, false) => return Err(ErrorKind::NotADirectory.into()),
            (true, true) if fs::read_dir(&path)?.next().is_some() => {
                return Err(ErrorKind::DirectoryNotEmpty.into());
            }
            (false, true) => return Err(ErrorKind::IsADirectory.into()),
            _ => {}
        }
        disk.removed += 1;
        let grave = disk.graves.join(disk.removed.to_string());
        renameat(dir, name, CWD, &grave)?;
        disk.changes.push(Change::Removed { place: Place::of(dir, name), grave });
        Ok(())
    });
    removed.unwrap_or_else(remove)
}

pub(in crate::sync) fn mode_set(file: impl AsFd, old: u32) {
    with_disk(|disk| {
        let file = file.as_fd().try_clone_to_owned().unwrap();
        disk.changes.push(Change::Mode { file, old });
    });
}

/// Notes that a folder is flushed, and each change before the last one of it; or everything.
pub(in crate::sync) fn flushed(dir: Option<&OwnedFd>) {
    let inode = |dir: &OwnedFd| fstat(dir).unwrap().st_ino;
    with_disk(|disk| {
        let Some(dir) = dir.map(inode) else { return disk.flush() };
        let is_of = |change: &Change| match change {
            Change::Made(place) | Change::Removed { place, .. } => inode(&place.dir) == dir,
            Change::Renamed { from, to, .. } => inode(&from.dir) == dir || inode(&to.dir) == dir,
            Change::Mode { file, .. } => inode(file) == dir,
        };
        let flushed = disk.changes.iter().rposition(is_of).map_or(0, |last| last + 1);
        disk.changes.drain(..flushed);
    });
}

pub(in crate::sync) fn contents_flushed(file: &File) {
    let inode = |file: &File| fstat(file).unwrap().st_ino;
    with_disk(|disk| {
        disk.contents.retain(|other| inode(other) != inode(file));
        let is_its_mode = |change: &Change| matches!(change, Change::Mode { file: other, .. } if fstat(other).unwrap().st_ino == inode(file));
        disk.changes.retain(|change| !is_its_mode(change));
    });
}
