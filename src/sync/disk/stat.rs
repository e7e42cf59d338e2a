//! What a file system says about a file, as far as a change of it can be seen.

#[cfg(test)]
use crate::sync::steps::{Fault, has};
use rustix::fs::{FileType, Stat as Raw};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Linux writes what was changed after 30 s, a file system its journal some seconds later.
const WRITTEN_BACK: Duration = Duration::from_secs(120);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sync) enum FileKind {
    Dir,
    File,
    /// A symlink, a socket, a device: left alone.
    Other,
}

/// Two equal ones are of the same file with the same contents, if the later one is of a moment when
/// the clock had moved on since `ctime`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sync) struct Stat {
    pub(in crate::sync) kind: FileKind,
    /// The permission bits alone.
    pub(in crate::sync) mode: u32,
    pub(in crate::sync) size: u64,
    /// In nanoseconds since 1970.
    pub(in crate::sync) mtime: i64,
    pub(in crate::sync) ctime: i64,
    pub(in crate::sync) inode: u64,
    pub(in crate::sync) device: u64,
}

impl Stat {
    /// Returns whether it is the same file with the same contents, even if it was renamed or its
    /// mode was changed: those move `ctime` alone.
    pub(in crate::sync) fn is_same_content(&self, other: &Stat) -> bool {
        let identity = |s: &Stat| (s.kind, s.size, s.mtime, s.inode, s.device);
        identity(self) == identity(other)
    }

    /// Returns whether it changed so lately that the system may not have written it to the disk yet.
    pub(in crate::sync) fn may_be_unflushed(&self) -> bool {
        #[cfg(test)]
        if has(Fault::PushedUnflushed) {
            return false;
        }
        let before = SystemTime::now().checked_sub(WRITTEN_BACK).unwrap_or(UNIX_EPOCH);
        let before = before.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
        i128::from(self.ctime.max(self.mtime)) > before.cast_signed()
    }

    /// Returns whether the disk seems to keep no parts of seconds, as FAT: a file that is written
    /// twice within two seconds has the same times.
    pub(in crate::sync) fn has_whole_seconds(&self) -> bool {
        self.ctime % 1_000_000_000 == 0
    }
}

#[allow(
    clippy::useless_conversion,
    clippy::unnecessary_cast,
    clippy::unnecessary_fallible_conversions,
    reason = "the fields are of other types on other systems"
)]
impl From<Raw> for Stat {
    fn from(raw: Raw) -> Self {
        let kind = match FileType::from_raw_mode(raw.st_mode) {
            FileType::Directory => FileKind::Dir,
            FileType::RegularFile => FileKind::File,
            _ => FileKind::Other,
        };
        let nanoseconds =
            |seconds: i64, rest: i64| seconds.saturating_mul(1_000_000_000).saturating_add(rest);
        Stat {
            kind,
            mode: (raw.st_mode & 0o777).into(),
            size: u64::try_from(raw.st_size).unwrap_or(0),
            mtime: nanoseconds(raw.st_mtime.into(), raw.st_mtime_nsec as i64),
            ctime: nanoseconds(raw.st_ctime.into(), raw.st_ctime_nsec as i64),
            inode: raw.st_ino as u64,
            device: raw.st_dev as u64,
        }
    }
}
