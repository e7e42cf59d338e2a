//! The built-in file types, except MemoryFile, which is the table's own.

mod counter;
mod log;
mod null;
mod text;

pub(crate) use text::MAX_DESCRIPTORS;
pub(super) use text::Root;

use super::file::FileType;

/// The types by their names on the wire, without `TextFile`: its files need to know where they are.
pub(super) const BUILT_IN: &[FileType] = &[
    FileType::new::<null::NullFile>("File"),
    FileType::new::<counter::Counter>("Counter"),
    FileType::new::<log::LogFile>("LogFile"),
];
