//! A new file that gets its name once it is whole, or never.

use super::half_made::HalfMade;
use super::lockable::Lockable;
use rustix::fs::{AtFlags, CWD, Mode, OFlags, openat, renameat, statat, unlinkat};
use rustix::io::Errno;
use std::ffi::{OsStr, OsString};
use std::fs::{File, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

/// The suffix of a file's name until the file is whole.
pub(in crate::store) const UNFINISHED: &str = ".unfinished";

/// How often to try the unfinished file's name while other processes try it too.
const TRIES: u32 = 16;

/// Creates a file for this user alone. `fill` writes it under another name in the same folder; it
/// gets its own name once all of it is on disk, and never replaces an existing file. What a killed
/// process left of the same file is removed.
///
/// # Errors
/// [`ErrorKind::AlreadyExists`] if the file exists, before or after `fill`;
/// [`ErrorKind::ResourceBusy`] if another process is filling it; those of `fill`; those of the
/// disk, with the path. Neither the file nor an unfinished one is left then.
pub(crate) fn create(path: &Path, fill: impl FnOnce(&File) -> io::Result<()>) -> io::Result<()> {
    let folder = open_folder(folder_of(path)).map_err(|e| named(path, e))?;
    create_in(folder, path, fill)
}

/// Does the same in a folder that is open. Of the path, only the file's name counts, and all of it in
/// errors.
pub(in crate::store) fn create_in(
    folder: File,
    path: &Path,
    fill: impl FnOnce(&File) -> io::Result<()>,
) -> io::Result<()> {
    let name = path.file_name().ok_or_else(|| exists(path))?;
    let new = New { folder: Arc::new(folder), name, path };
    new.expect_none()?;
    let unfinished = new.begin()?;
    fill(&unfinished.file)?;
    unfinished.file.sync_all().map_err(|e| named(path, e))?;
    new.rename(unfinished.name.name())?;
    unfinished.name.keep();
    sync_opened(&new.folder, folder_of(path))
}

/// A file to be created.
struct New<'a> {
    folder: Arc<File>,
    name: &'a OsStr,
    /// For errors.
    path: &'a Path,
}

/// An unfinished file, locked so that no process takes it for an abandoned one.
struct Unfinished {
    name: HalfMade,
    /// Unlocked only when it has lost this name.
    file: Lockable,
}

impl New<'_> {
    /// Creates the unfinished file.
    fn begin(&self) -> io::Result<Unfinished> {
        let mut name = OsString::from(self.name);
        name.push(UNFINISHED);
        let name = Path::new(&name);
        let busy = io::Error::new(ErrorKind::ResourceBusy, "another process is writing it");
        for _ in 0..TRIES {
            let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
            let file = match openat(&self.folder, name, flags, Mode::RUSR | Mode::WUSR) {
                Ok(file) => Lockable(file.into()),
                Err(Errno::EXIST) => {
                    let path = self.path.with_file_name(name);
                    if !self.remove_dead(name).map_err(|e| named(&path, e.into()))? {
                        return Err(named(self.path, busy));
                    }
                    continue;
                }
                // The folder is not writable, or was removed.
                Err(e) => return Err(named(self.path, e.into())),
            };
            // Before it was locked, another process may have taken it for abandoned and removed it.
            let is_own = match file.try_lock() {
                Ok(()) => file.metadata().is_ok_and(|found| found.nlink() > 0),
                Err(TryLockError::WouldBlock) => false,
                Err(TryLockError::Error(_)) => true, // no locks here, so nobody removes it
            };
            if is_own {
                return Ok(Unfinished { name: HalfMade::new(&self.folder, name), file });
            }
        }
        Err(named(self.path, busy))
    }

    /// Removes a file that no process has locked; returns false if one has.
    fn remove_dead(&self, name: &Path) -> rustix::io::Result<bool> {
        // A pipe would block.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
        match openat(&self.folder, name, flags | OFlags::CLOEXEC, Mode::empty()) {
            Ok(file) => {
                let file = Lockable(file.into());
                if matches!(file.try_lock(), Err(TryLockError::WouldBlock)) {
                    return Ok(false);
                }
                self.remove(name)
            }
            Err(Errno::NOENT) => Ok(true),
            // A symbolic link, which nobody locks (FreeBSD: EMLINK); or a socket.
            Err(Errno::LOOP | Errno::MLINK | Errno::NXIO) => self.remove(name),
            Err(e) => Err(e),
        }
    }

    fn remove(&self, name: &Path) -> rustix::io::Result<bool> {
        match unlinkat(&self.folder, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(true),
            Err(e) => Err(e),
        }
    }

    /// Renames the unfinished file, if the name is free. Where the system cannot check and rename in one
    /// step, another process that takes the name in between loses its file.
    fn rename(&self, from: &Path) -> io::Result<()> {
        let New { folder, name, path } = self;
        #[cfg(target_os = "linux")]
        {
            use rustix::fs::{RenameFlags, renameat_with};
            match renameat_with(folder, from, folder, *name, RenameFlags::NOREPLACE) {
                Ok(()) => return Ok(()),
                Err(Errno::EXIST) => return Err(exists(path)),
                Err(e) => {
                    log::debug!("{}: cannot be renamed without replacing: {e}", path.display());
                }
            }
        }
        self.expect_none()?;
        renameat(folder, from, folder, *name).map_err(|e| named(path, e.into()))
    }

    fn expect_none(&self) -> io::Result<()> {
        match statat(&self.folder, self.name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(_) => Err(exists(self.path)),
            Err(Errno::NOENT) => Ok(()),
            Err(e) => Err(named(self.path, e.into())),
        }
    }
}

fn exists(path: &Path) -> io::Error {
    named(path, io::Error::new(ErrorKind::AlreadyExists, "already exists"))
}

pub(in crate::store) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Opens a folder to find files in it, which needs no permission to list them.
pub(in crate::store) fn open_folder(path: &Path) -> io::Result<File> {
    #[cfg(target_os = "linux")]
    let access = OFlags::PATH;
    #[cfg(not(target_os = "linux"))]
    let access = OFlags::RDONLY;
    let flags = access | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(openat(CWD, path, flags, Mode::empty())?.into())
}

/// Syncs what was created or renamed in a folder to disk, where that is possible. `path` is for errors.
pub(in crate::store) fn sync_opened(folder: &File, path: &Path) -> io::Result<()> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let opened = openat(folder, ".", flags, Mode::empty()).map(File::from);
    synced(path, opened.map_err(io::Error::from).and_then(|folder| folder.sync_all()))
}

/// Judges the sync of a folder.
pub(in crate::store) fn synced(path: &Path, synced: io::Result<()>) -> io::Result<()> {
    match synced {
        // The file system does not support it (CIFS and some of FUSE), or a profile forbids it; or
        // the folder is writable but not readable.
        Err(e)
            if [ErrorKind::InvalidInput, ErrorKind::Unsupported, ErrorKind::PermissionDenied]
                .contains(&e.kind()) =>
        {
            let path = path.display();
            log::warn!(
                "{path}: cannot be synced, so a new name in it may be lost in a power failure: {e}"
            );
            Ok(())
        }
        synced => synced.map_err(|e| named(path, e)),
    }
}

pub(in crate::store) fn named(path: &Path, e: io::Error) -> io::Error {
    io::Error::new(e.kind(), format!("{}: {e}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::io::Write;
    use std::path::PathBuf;

    /// Creates an empty folder for one test.
    fn folder(name: &str) -> PathBuf {
        let name = format!("telefile-whole-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let _ = fs::remove_dir_all(&path);
        fs::create_dir(&path).unwrap();
        path
    }

    #[track_caller]
    fn has(folder: &Path, expected: &[(&str, &str)]) {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
        let mut found: Vec<_> = entries
            .map(|e| (e.file_name().into_string().unwrap(), fs::read_to_string(e.path()).unwrap()))
            .collect();
        found.sort();
        let found: Vec<_> = found.iter().map(|(name, text)| (&name[..], &text[..])).collect();
        assert_eq!(found, expected);
    }

    fn write(text: &str) -> impl FnOnce(&File) -> io::Result<()> {
        move |mut file| file.write_all(text.as_bytes())
    }

    #[test]
    fn a_file_created_meanwhile_is_not_replaced() {
        let folder = folder("new");
        let path = folder.join("f");
        let error = create(&path, |file| {
            fs::write(&path, "another's").unwrap();
            write("ours")(file)
        });
        assert_eq!(error.unwrap_err().kind(), ErrorKind::AlreadyExists);
        has(&folder, &[("f", "another's")]);
        // Nothing is filled then either: a dangling link is a file too.
        fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink("nowhere", &path).unwrap();
        let error = create(&path, |_| panic!("it already exists"));
        assert_eq!(error.unwrap_err().kind(), ErrorKind::AlreadyExists);
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn two_writers_of_one_file_do_not_mix() {
        let folder = folder("two");
        let path = folder.join("f");
        create(&path, |file| {
            let error = create(&path, |_| panic!("another is writing it")).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ResourceBusy, "{error}");
            write("first")(file)
        })
        .unwrap();
        has(&folder, &[("f", "first")]);
        fs::remove_dir_all(folder).unwrap();
    }

    /// A process that another thread is starting has copies of all descriptors.
    #[test]
    fn a_whole_file_is_not_locked_while_a_copy_of_its_descriptor_is_open() {
        let folder = folder("copy");
        let path = folder.join("f");
        let mut copy = None;
        create(&path, |file| {
            copy = Some(file.try_clone()?);
            Ok(())
        })
        .unwrap();
        File::open(&path).unwrap().try_lock().unwrap();
        drop(copy);
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn leftovers_are_removed_and_a_failure_leaves_none() {
        let folder = folder("left");
        let path = folder.join("f");
        fs::write(folder.join("f.unfinished"), "of one that was killed").unwrap();
        let failed = create(&path, |file| write("half")(file).and(Err(io::Error::other("torn"))));
        assert_eq!(failed.unwrap_err().to_string(), "torn");
        has(&folder, &[]);
        create(&path, write("whole")).unwrap();
        has(&folder, &[("f", "whole")]);
        fs::remove_dir_all(folder).unwrap();
    }
}
