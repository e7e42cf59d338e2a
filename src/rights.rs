//! Who may do what with a file that takes the place of another one: what they could do before.

use rustix::fs::{Gid, Mode, Stat, Uid, fchmod, fchown, fstat};
use rustix::io::Result;
use std::os::fd::AsFd;

/// Gives a file the owner, group and permission bits of the file that it will replace, as far as the
/// system allows. Never set-user-ID and the like: the bytes are somebody else's now.
///
/// # Errors
/// The bits cannot be set.
pub(crate) fn take(file: impl AsFd, old: &Stat) -> Result<()> {
    let mut mode = old.st_mode & 0o777;
    let own = fstat(&file)?;
    if own.st_gid != old.st_gid && fchown(&file, None, Some(Gid::from_raw(old.st_gid))).is_err() {
        // The old group's rights do not pass to another group.
        mode = mode & 0o707 | (mode & 0o007) << 3;
    }
    if own.st_uid != old.st_uid {
        let _ = fchown(&file, Some(Uid::from_raw(old.st_uid)), None);
    }
    match fchmod(&file, Mode::from_raw_mode(mode)) {
        // FAT and others give all files the same bits, and refuse to change them.
        Err(_) if fstat(&file)?.st_mode & 0o777 == mode => Ok(()),
        changed => changed,
    }
}
