//! The file types that are built in, beside MemoryFile, which is the table's own.

mod null;

use super::file::FileType;

/// Their names on the wire.
pub(super) const BUILT_IN: &[FileType] = &[FileType::new::<null::NullFile>("File")];
