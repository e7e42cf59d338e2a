//! The built-in file types, except MemoryFile, which is the table's own.

mod counter;
mod log;
mod null;
mod text;

pub(crate) use text::MAX_DESCRIPTORS;
pub(super) use text::{Root, TextFile};

use super::file_type::FileType;

/// Returns the types that need nothing from the server: all but `TextFile`.
pub(super) fn built_in() -> Vec<FileType> {
    vec![
        FileType::new::<null::NullFile>("File"),
        FileType::new::<counter::Counter>("Counter"),
        FileType::new::<log::LogFile>("LogFile"),
    ]
}
