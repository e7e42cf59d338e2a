//! A file as the table keeps it.

use super::code::Code;
use super::descriptors::Fd;
use super::expiry::End;
use super::registry::MEMORY_FILE;
use super::table::Stat;
use crate::contents::{Charge, Contents};
use crate::exptime::Exptime;
use std::sync::Arc;
use std::time::Duration;

/// What an entry counts in the memory budget beside its name and contents, in bytes.
pub(super) const ENTRY_BYTES: u64 = 100;

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) version: u64,
    pub(super) body: Body,
    /// What will end it; `None` if it has no name.
    pub(super) end: Option<End>,
    /// For the name and the entry itself; the contents bring their own.
    pub(super) _charge: Charge,
    /// While it is open. A file of code always is.
    pub(super) fd: Option<Fd>,
}

#[derive(Clone, Debug)]
pub(super) enum Body {
    /// A MemoryFile.
    Bytes(Contents),
    /// A file of any other type, and the size that it last told.
    Code(Arc<Code>, u64),
}

impl Entry {
    /// The type's name.
    pub(super) fn kind(&self) -> &'static str {
        match &self.body {
            Body::Bytes(_) => MEMORY_FILE,
            Body::Code(code, _) => code.kind(),
        }
    }

    pub(super) fn stat(&self, now: Duration) -> Stat {
        let exptime = self.end.map_or(Exptime::Never, |end| end.exptime(now));
        Stat { version: self.version, numbytes: self.numbytes(), exptime }
    }

    /// As far as it is known without the type's code.
    pub(super) fn numbytes(&self) -> u64 {
        match &self.body {
            Body::Bytes(contents) => contents.len() as u64,
            Body::Code(_, numbytes) => *numbytes,
        }
    }
}

impl Body {
    /// What it holds in the table's memory.
    pub(super) fn bytes(&self) -> u64 {
        match self {
            Body::Bytes(contents) => contents.len() as u64,
            Body::Code(..) => 0,
        }
    }
}
