//! A file as the table keeps it.

use super::code::Code;
use super::descriptors::Fd;
use super::expiry::End;
use super::registry::MEMORY_FILE;
use super::table::Stat;
use crate::budget::Charge;
use crate::contents::Contents;
use std::sync::Arc;
use std::time::Duration;

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) version: u64,
    pub(super) body: Body,
    /// What will end it; `None` if it has no name.
    pub(super) end: Option<End>,
    /// For the name and the entry itself; the contents bring their own.
    pub(super) charge: Charge,
    /// While it is open. A file of code always is.
    pub(super) fd: Option<Fd>,
}

#[derive(Clone, Debug)]
pub(super) enum Body {
    /// A MemoryFile.
    Bytes(Contents),
    /// A MemoryFile whose contents are in the store, and how long they are.
    Stored(u64),
    /// A file of any other type, and the size that it last told.
    Code(Arc<Code>, u64),
}

impl Entry {
    /// The type's name.
    pub(super) fn kind(&self) -> &'static str {
        match &self.body {
            Body::Bytes(_) | Body::Stored(_) => MEMORY_FILE,
            Body::Code(code, _) => code.kind(),
        }
    }

    /// Whether its time is over.
    pub(super) fn is_over(&self, now: Duration) -> bool {
        self.end.is_some_and(|end| end.is_over(now))
    }

    pub(super) fn stat(&self, now: Duration) -> Stat {
        Stat::new(self.version, &self.body, self.end, now)
    }
}

impl Body {
    /// The length of the contents, as far as it is known without the type's code.
    pub(super) fn numbytes(&self) -> u64 {
        match self {
            Body::Bytes(contents) => contents.len() as u64,
            Body::Stored(numbytes) | Body::Code(_, numbytes) => *numbytes,
        }
    }

    /// What it counts in the bytes of all files.
    pub(super) fn bytes(&self) -> u64 {
        match self {
            Body::Bytes(contents) => contents.len() as u64,
            Body::Stored(numbytes) => *numbytes,
            Body::Code(..) => 0,
        }
    }

    /// What it takes of memory beside contents.
    pub(super) fn cost(&self) -> u64 {
        match self {
            Body::Bytes(_) | Body::Stored(_) => 0,
            Body::Code(code, _) => code.cost(),
        }
    }

    /// The body once it is in the store, and what needs no memory any more.
    pub(super) fn in_store(self, stored_from: usize) -> (Body, Option<Contents>) {
        match self {
            Body::Bytes(contents) if contents.len() >= stored_from => {
                (Body::Stored(contents.len() as u64), Some(contents))
            }
            body => (body, None),
        }
    }

    /// What a store has to keep of it.
    pub(super) fn contents(&self) -> Option<Contents> {
        match self {
            Body::Bytes(contents) => Some(contents.clone()),
            Body::Stored(_) | Body::Code(..) => None,
        }
    }

    /// The descriptor of a file of code, which is always open.
    pub(super) fn descriptor(&self) -> Option<Fd> {
        match self {
            Body::Code(code, _) => Some(code.fd()),
            Body::Bytes(_) | Body::Stored(_) => None,
        }
    }
}
