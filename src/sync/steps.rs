//! The moments at which a crash could matter, and what a power loss could undo. In the program these
//! functions do nothing. Tests stop a round at any moment, as a crash would, undo what was not flushed,
//! and break single rules to see that something is lost then.

#[cfg(test)]
pub(super) use super::tests::planted::{Fault, exchanges, has, step};
#[cfg(test)]
pub(super) use super::tests::restarting::shown;
#[cfg(test)]
pub(super) use super::tests::{disk, restarting};

/// Marks a moment between two effects.
#[cfg(not(test))]
#[inline]
pub(super) fn step(_moment: &'static str) -> Result<(), super::error::Error> {
    Ok(())
}

/// Returns whether two files can change places on a disk that can do that.
#[cfg(not(test))]
#[inline]
pub(super) fn exchanges() -> bool {
    true
}

/// Returns the version of a file as the server shows it.
#[cfg(not(test))]
#[inline]
pub(super) fn shown(_name: &str, version: crate::version::Version) -> crate::version::Version {
    version
}

/// Where changes of a folder meet the disk.
#[cfg(not(test))]
pub(super) mod disk {
    use crate::sync::path::RelPath;
    use std::borrow::Cow;
    use std::ffi::OsStr;
    use std::fs::File;
    use std::io::{self, Write};
    use std::os::fd::{AsFd, OwnedFd};

    /// Checks that the disk has room.
    #[inline]
    pub(in crate::sync) fn room() -> io::Result<()> {
        Ok(())
    }

    /// Writes into the index.
    #[inline]
    pub(in crate::sync) fn write_index(file: &mut File, bytes: &[u8]) -> io::Result<()> {
        file.write_all(bytes)
    }

    /// Returns how the disk spells a path.
    #[inline]
    pub(in crate::sync) fn spelled<'a>(_dir: &OwnedFd, path: &'a RelPath) -> Cow<'a, RelPath> {
        Cow::Borrowed(path)
    }

    /// Notes a new file or folder.
    #[inline]
    pub(in crate::sync) fn made(_dir: &OwnedFd, _name: &OsStr) {}

    /// Notes a new file whose contents are going to be written.
    #[inline]
    pub(in crate::sync) fn opened(_file: &File) {}

    #[inline]
    pub(in crate::sync) fn renamed(
        _from: (&OwnedFd, &OsStr),
        _to: (&OwnedFd, &OsStr),
        _is_exchange: bool,
    ) {
    }

    /// Removes a file or an empty folder, as `remove` does.
    #[inline]
    pub(in crate::sync) fn remove(
        _dir: &OwnedFd,
        _name: &OsStr,
        _is_dir: bool,
        remove: impl FnOnce() -> io::Result<()>,
    ) -> io::Result<()> {
        remove()
    }

    /// Notes a new mode of a file, and the old one.
    #[inline]
    pub(in crate::sync) fn mode_set(_file: impl AsFd, _old: u32) {}

    /// Notes that a folder is flushed, or everything.
    #[inline]
    pub(in crate::sync) fn flushed(_dir: Option<&OwnedFd>) {}

    /// Notes that a file's contents are flushed.
    #[inline]
    pub(in crate::sync) fn contents_flushed(_file: &File) {}
}
