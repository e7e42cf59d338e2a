//! The file types that are built in, beside MemoryFile, which is the table's own.

mod counter;
mod log;
mod null;

use super::file::FileType;

/// Their names on the wire.
pub(super) const BUILT_IN: &[FileType] = &[
    FileType::new::<null::NullFile>("File"),
    FileType::new::<counter::Counter>("Counter"),
    FileType::new::<log::LogFile>("LogFile"),
];
