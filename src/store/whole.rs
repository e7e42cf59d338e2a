//! A new file that gets its name once it is whole, or never.

use super::half_made::HalfMade;
use super::lockable::Lockable;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

/// The suffix of a file's name until the file is whole.
pub(super) const UNFINISHED: &str = ".unfinished";

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
    expect_none(path)?;
    let unfinished = Unfinished::new(path)?;
    fill(&unfinished.file)?;
    unfinished.file.sync_all().map_err(|e| named(path, e))?;
    rename(unfinished.name.path(), path)?;
    unfinished.name.keep();
    sync_folder(folder_of(path))
}

/// An unfinished file, locked so that no process takes it for an abandoned one.
struct Unfinished {
    name: HalfMade,
    /// Unlocked only when it has lost this name.
    file: Lockable,
}

impl Unfinished {
    fn new(path: &Path) -> io::Result<Self> {
        let mut unfinished = path.as_os_str().to_os_string();
        unfinished.push(UNFINISHED);
        let unfinished = Path::new(&unfinished);
        let busy = io::Error::new(ErrorKind::ResourceBusy, "another process is writing it");
        for _ in 0..TRIES {
            let mut options = OpenOptions::new();
            options.read(true).write(true).create_new(true).mode(0o600);
            let file = match options.open(unfinished) {
                Ok(file) => Lockable(file),
                Err(e) if e.kind() == ErrorKind::AlreadyExists => {
                    if !remove_dead(unfinished).map_err(|e| named(unfinished, e))? {
                        return Err(named(path, busy));
                    }
                    continue;
                }
                // The file's own folder is missing, or not writable.
                Err(e) => return Err(named(path, e)),
            };
            // Before it was locked, another process may have taken it for abandoned and removed it.
            let is_own = match file.try_lock() {
                Ok(()) => file.metadata().is_ok_and(|found| found.nlink() > 0),
                Err(TryLockError::WouldBlock) => false,
                Err(TryLockError::Error(_)) => true, // no locks here, so nobody removes it
            };
            if is_own {
                return Ok(Unfinished { name: HalfMade::new(unfinished), file });
            }
        }
        Err(named(path, busy))
    }
}

/// Removes a file that no process has locked; returns false if one has.
fn remove_dead(path: &Path) -> io::Result<bool> {
    let gone = |e: &io::Error| e.kind() == ErrorKind::NotFound;
    let file = match File::open(path) {
        Err(e) if gone(&e) => return Ok(true),
        file => Lockable(file?),
    };
    if matches!(file.try_lock(), Err(TryLockError::WouldBlock)) {
        return Ok(false);
    }
    match fs::remove_file(path) {
        Err(e) if !gone(&e) => Err(e),
        _ => Ok(true),
    }
}

/// Renames a file to a name that is free. Where the system cannot check and rename in one step,
/// another process that takes the name in between loses its file.
fn rename(from: &Path, to: &Path) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        use rustix::io::Errno;
        match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
            Ok(()) => return Ok(()),
            Err(Errno::EXIST) => return Err(exists(to)),
            Err(e) => log::debug!("{}: cannot be renamed without replacing: {e}", to.display()),
        }
    }
    expect_none(to)?;
    fs::rename(from, to).map_err(|e| named(to, e))
}

fn expect_none(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(_) => Err(exists(path)),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(()),
        Err(e) => Err(named(path, e)),
    }
}

fn exists(path: &Path) -> io::Error {
    named(path, io::Error::new(ErrorKind::AlreadyExists, "already exists"))
}

pub(super) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Syncs what was created or renamed in a folder to disk, where that is possible.
pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
    synced(path, File::open(path).and_then(|folder| folder.sync_all()))
}

/// Judges the sync of a folder.
pub(super) fn synced(path: &Path, synced: io::Result<()>) -> io::Result<()> {
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

pub(super) fn named(path: &Path, e: io::Error) -> io::Error {
    io::Error::new(e.kind(), format!("{}: {e}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
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
