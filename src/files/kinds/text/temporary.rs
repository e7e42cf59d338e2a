//! A write that is all or nothing: into a new file beside the old one, which then takes its name. A
//! concurrent reader gets the old bytes or the new ones, and so does the disk after a crash.

use super::folder::{Folder, Stamp, sync};
use crate::rights;
use rustix::fs::{self, Access, AtFlags, FlockOperation, Mode, OFlags};
use rustix::io::{Errno, Result};
use std::fs::File;
use std::hash::{BuildHasher, RandomState};
use std::io::Write;

/// The prefix of temporary files' names. No text file has it.
pub(super) const PREFIX: &str = ".telefile-";

/// A file that is being written. It is locked, so that others see that it is in use, and removed
/// when dropped.
struct Temporary<'a> {
    folder: &'a Folder,
    /// Empty once the file has been renamed.
    name: String,
    file: File,
}

/// How many names are tried for a temporary file. Each draws 64 bits.
const TRIES: u32 = 16;

/// Gives the file these bytes, and makes it if it does not exist. Returns its stamp afterwards.
///
/// # Errors
/// [`Errno::ACCESS`] for what is not a regular file, or one that we may not write. After any error
/// the old bytes remain, unless the disk failed to confirm the new ones at the very end.
pub(super) fn replace(folder: &Folder, name: &str, bytes: &[u8]) -> Result<Stamp> {
    let old = folder.stat(name)?;
    if old.is_some() {
        expect_writable(folder, name)?; // a rename would not check
    }
    // Nobody else may read it until it has the old file's permissions.
    let mode = if old.is_some() { 0o600 } else { 0o666 };
    let mut temporary = Temporary::new(folder, mode)?;
    temporary.file.write_all(bytes).map_err(errno)?;
    if let Some(old) = old {
        rights::take(&temporary.file, &old)?;
    }
    sync(&temporary.file)?;
    let written = Stamp::new(&fs::fstat(&temporary.file)?);
    fs::renameat(folder, &temporary.name, folder, name)?;
    temporary.name.clear();
    folder.sync()?;
    // Whatever has this name by now, this is what was written.
    let renamed = Stamp::new(&fs::fstat(&temporary.file)?);
    Ok(if renamed.has_bytes_of(written) { renamed } else { written })
}

impl<'a> Temporary<'a> {
    fn new(folder: &'a Folder, mode: u32) -> Result<Self> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW;
        let mode = Mode::from_raw_mode(mode as _);
        for _ in 0..TRIES {
            let name = format!("{PREFIX}{:016x}", RandomState::new().hash_one(()));
            let file = match fs::openat(folder, &name, flags | OFlags::CLOEXEC, mode) {
                Err(Errno::EXIST) => continue,
                file => File::from(file?),
            };
            // Before it was locked, it may have been taken for an abandoned one and removed. Where
            // no file can be locked, nobody removes any.
            let locked = fs::flock(&file, FlockOperation::NonBlockingLockExclusive);
            if locked == Err(Errno::WOULDBLOCK) || locked.is_ok() && fs::fstat(&file)?.st_nlink == 0
            {
                continue;
            }
            return Ok(Temporary { folder, name, file });
        }
        Err(Errno::AGAIN)
    }
}

impl Drop for Temporary<'_> {
    fn drop(&mut self) {
        if !self.name.is_empty() {
            let _ = fs::unlinkat(self.folder, &self.name, AtFlags::empty());
        }
        // Closing it is not enough: a process that another thread is starting has it open too.
        let _ = fs::flock(&self.file, FlockOperation::Unlock);
    }
}

/// Removes the temporary files that nobody is writing: a killed server left them.
pub(super) fn remove_dead(folder: &Folder) {
    let Ok(entries) = fs::Dir::read_from(folder) else { return };
    for entry in entries.flatten() {
        let Ok(name) = entry.file_name().to_str() else { continue };
        if !name.starts_with(PREFIX) {
            continue;
        }
        let Ok(Some((file, _))) = folder.open(name) else { continue };
        if fs::flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok() {
            let _ = fs::unlinkat(folder, name, AtFlags::empty());
        }
    }
}

/// # Errors
/// [`Errno::ACCESS`] and the like for a file that we may not write.
fn expect_writable(folder: &Folder, name: &str) -> Result<()> {
    match fs::accessat(folder, name, Access::WRITE_OK, AtFlags::EACCESS) {
        // faccessat2(2) is from 2020: an older container's profile forbids what it does not know.
        // The older call checks the real user, who is the same unless we are set-user-ID.
        Err(Errno::PERM) => fs::accessat(folder, name, Access::WRITE_OK, AtFlags::empty()),
        judged => judged,
    }
}

fn errno(e: std::io::Error) -> Errno {
    Errno::from_io_error(&e).unwrap_or(Errno::IO)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A process that another thread is starting has copies of all descriptors.
    #[test]
    fn a_file_that_was_written_is_not_locked_while_a_copy_of_its_descriptor_is_open() {
        let path = std::env::temp_dir().join(format!("telefile-temporary-{}", std::process::id()));
        let _ = std::fs::create_dir(&path);
        let folder = Folder::root(&path).unwrap();
        let mut temporary = Temporary::new(&folder, 0o600).unwrap();
        let copy = temporary.file.try_clone().unwrap();
        fs::renameat(&folder, &temporary.name, &folder, "f").unwrap();
        temporary.name.clear();
        drop(temporary);
        File::open(path.join("f")).unwrap().try_lock().unwrap();
        drop(copy);
        std::fs::remove_dir_all(path).unwrap();
    }
}
