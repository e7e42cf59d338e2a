//! A file as the table stores it.

use super::code::Code;
use super::cost;
use super::expiry::End;
use crate::budget::{Charge, block};
use crate::contents::Contents;
use crate::exptime::Exptime;
use crate::files::registry::MEMORY_FILE;
use crate::files::stat::{Fd, Stat};
use crate::name::NameRef;
use std::sync::Arc;
use std::time::Duration;

#[derive(Debug)]
pub(in crate::files) struct Entry {
    pub(in crate::files) version: u64,
    pub(in crate::files) body: Body,
    /// What will end the file; always `None` for a file without a name.
    pub(in crate::files) end: Option<End>,
    /// For the name and the entry itself; the contents have their own charge.
    pub(in crate::files) charge: Charge,
    /// Set while the file is open. A code file always is.
    pub(in crate::files) fd: Option<Fd>,
}

#[derive(Clone, Debug)]
pub(in crate::files) enum Body {
    /// A MemoryFile.
    Bytes(Contents),
    /// A MemoryFile whose contents are in the store, and their length in bytes.
    Stored(u64),
    /// A code file (any other type), and the size that it last reported.
    Code(Arc<Code>, u64),
}

impl Entry {
    /// The memory that an entry takes. Its contents have their own charge.
    pub(in crate::files) const COST: u64 = block(size_of::<Entry>());

    /// Returns the memory that a file of this name takes, without its contents or value.
    pub(in crate::files) fn cost_with(name: NameRef<'_>) -> u64 {
        Entry::COST + cost::NAMED + cost::name(name)
    }

    /// Returns the name of the file's type.
    pub(in crate::files) fn kind(&self) -> &'static str {
        match &self.body {
            Body::Bytes(_) | Body::Stored(_) => MEMORY_FILE,
            Body::Code(code, _) => code.kind(),
        }
    }

    /// Returns whether the file has expired.
    pub(in crate::files) fn is_over(&self, now: Duration) -> bool {
        self.end.is_some_and(|end| end.is_over(now))
    }

    pub(in crate::files) fn stat(&self, now: Duration) -> Stat {
        Stat::new(self.version, &self.body, self.end, now)
    }
}

impl Body {
    /// Returns the length of the contents, as far as it is known without calling the type.
    pub(in crate::files) fn numbytes(&self) -> u64 {
        match self {
            Body::Bytes(contents) => contents.len() as u64,
            Body::Stored(numbytes) | Body::Code(_, numbytes) => *numbytes,
        }
    }

    /// Returns what the body adds to the table's count of bytes.
    pub(in crate::files) fn bytes(&self) -> u64 {
        match self {
            Body::Bytes(contents) => contents.len() as u64,
            Body::Stored(numbytes) => *numbytes,
            Body::Code(..) => 0,
        }
    }

    /// Returns the memory that the body takes besides its contents.
    pub(in crate::files) fn cost(&self) -> u64 {
        match self {
            Body::Bytes(_) | Body::Stored(_) => 0,
            Body::Code(code, _) => code.cost(),
        }
    }

    /// Returns the body as it is once stored, and the contents that memory no longer has to hold.
    pub(in crate::files) fn in_store(self, stored_from: usize) -> (Body, Option<Contents>) {
        match self {
            Body::Bytes(contents) if contents.len() >= stored_from => {
                (Body::Stored(contents.len() as u64), Some(contents))
            }
            body => (body, None),
        }
    }

    /// Returns the contents for the store to keep.
    pub(in crate::files) fn contents(&self) -> Option<Contents> {
        match self {
            Body::Bytes(contents) => Some(contents.clone()),
            Body::Stored(_) | Body::Code(..) => None,
        }
    }

    /// Returns the descriptor of a code file, which is always open.
    pub(in crate::files) fn descriptor(&self) -> Option<Fd> {
        match self {
            Body::Code(code, _) => Some(code.fd()),
            Body::Bytes(_) | Body::Stored(_) => None,
        }
    }
}

impl Stat {
    pub(in crate::files) fn new(
        version: u64,
        body: &Body,
        end: Option<End>,
        now: Duration,
    ) -> Self {
        let exptime = end.map_or(Exptime::Never, |end| end.exptime(now));
        Stat { version, numbytes: body.numbytes(), exptime }
    }
}
