//! The system calls without which no folder is safe. Only Linux has them: elsewhere each of these
//! fails with [`ErrorKind::Unsupported`](std::io::ErrorKind::Unsupported).

#[cfg(target_os = "linux")]
pub(in crate::sync) use linux::{open, open_for_mode, rename, sync_file_system};
#[cfg(not(target_os = "linux"))]
pub(in crate::sync) use other::{open, open_for_mode, rename, sync_file_system};

/// What is at a name during a rename.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sync) enum Rename {
    /// Fails with `EEXIST` if the new name exists.
    ToFree,
    /// Both names have to exist.
    Exchange,
}

#[cfg(target_os = "linux")]
mod linux {
    use super::Rename;
    use rustix::fd::{AsFd, OwnedFd};
    use rustix::fs::{Mode, OFlags, RenameFlags, ResolveFlags, openat2, renameat_with, syncfs};
    use rustix::path::Arg;
    use std::io;

    const BENEATH: ResolveFlags = ResolveFlags::BENEATH
        .union(ResolveFlags::NO_SYMLINKS)
        .union(ResolveFlags::NO_MAGICLINKS)
        .union(ResolveFlags::NO_XDEV);

    /// Opens a path beneath a folder, and follows no symlink: not one that is swapped in between two
    /// calls either.
    pub(in crate::sync) fn open(
        dir: impl AsFd,
        path: impl Arg,
        flags: OFlags,
        mode: Mode,
    ) -> io::Result<OwnedFd> {
        Ok(openat2(dir, path, flags, mode, BENEATH)?)
    }

    /// Opens a path for nothing but its mode, which needs no permission to read it.
    pub(in crate::sync) fn open_for_mode(dir: impl AsFd, path: impl Arg) -> io::Result<OwnedFd> {
        open(dir, path, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())
    }

    /// Renames in one step.
    pub(in crate::sync) fn rename(
        from_dir: impl AsFd,
        from: impl Arg,
        to_dir: impl AsFd,
        to: impl Arg,
        how: Rename,
    ) -> io::Result<()> {
        let flags = match how {
            Rename::ToFree => RenameFlags::NOREPLACE,
            Rename::Exchange => RenameFlags::EXCHANGE,
        };
        Ok(renameat_with(from_dir, from, to_dir, to, flags)?)
    }

    /// Flushes the file system that a folder is on.
    pub(in crate::sync) fn sync_file_system(dir: impl AsFd) -> io::Result<()> {
        Ok(syncfs(dir)?)
    }
}

#[cfg(any(test, not(target_os = "linux")))]
mod other {
    use super::Rename;
    use rustix::fd::{AsFd, OwnedFd};
    use rustix::fs::{Mode, OFlags};
    use rustix::path::Arg;
    use std::io::{self, ErrorKind};

    pub(in crate::sync) fn open(
        _: impl AsFd,
        _: impl Arg,
        _: OFlags,
        _: Mode,
    ) -> io::Result<OwnedFd> {
        Err(ErrorKind::Unsupported.into())
    }

    pub(in crate::sync) fn open_for_mode(_: impl AsFd, _: impl Arg) -> io::Result<OwnedFd> {
        Err(ErrorKind::Unsupported.into())
    }

    pub(in crate::sync) fn rename(
        _: impl AsFd,
        _: impl Arg,
        _: impl AsFd,
        _: impl Arg,
        _: Rename,
    ) -> io::Result<()> {
        Err(ErrorKind::Unsupported.into())
    }

    pub(in crate::sync) fn sync_file_system(_: impl AsFd) -> io::Result<()> {
        Err(ErrorKind::Unsupported.into())
    }
}

#[cfg(test)]
mod tests {
    use super::{Rename, other};
    use rustix::fs::{CWD, Mode, OFlags};
    use std::io::ErrorKind;

    #[test]
    fn a_system_that_is_not_linux_refuses_every_call() {
        let kinds = [
            other::open(CWD, ".", OFlags::RDONLY, Mode::empty()).map(drop),
            other::open_for_mode(CWD, ".").map(drop),
            other::rename(CWD, "a", CWD, "b", Rename::ToFree),
            other::sync_file_system(CWD),
        ];
        for done in kinds {
            assert_eq!(done.unwrap_err().kind(), ErrorKind::Unsupported);
        }
    }
}
