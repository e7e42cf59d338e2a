//! A file as the table keeps it.

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
    /// What will end it; `None` if it has no name.
    pub(in crate::files) end: Option<End>,
    /// For the name and the entry itself; the contents bring their own.
    pub(in crate::files) charge: Charge,
    /// While it is open. A file of code always is.
    pub(in crate::files) fd: Option<Fd>,
}

#[derive(Clone, Debug)]
pub(in crate::files) enum Body {
    /// A MemoryFile.
    Bytes(Contents),
    /// A MemoryFile whose contents are in the store, and how long they are.
    Stored(u64),
    /// A file of any other type, and the size that it last told.
    Code(Arc<Code>, u64),
}

impl Entry {
    /// What it takes of memory. Its contents bring their own charge.
    pub(in crate::files) const COST: u64 = block(size_of::<Entry>());

    /// What a file of this name takes, without its contents or its value.
    pub(in crate::files) fn cost_with(name: NameRef<'_>) -> u64 {
        Entry::COST + cost::NAMED + cost::name(name)
    }

    /// The type's name.
    pub(in crate::files) fn kind(&self) -> &'static str {
        match &self.body {
            Body::Bytes(_) | Body::Stored(_) => MEMORY_FILE,
            Body::Code(code, _) => code.kind(),
        }
    }

    /// Whether its time is over.
    pub(in crate::files) fn is_over(&self, now: Duration) -> bool {
        self.end.is_some_and(|end| end.is_over(now))
    }

    pub(in crate::files) fn stat(&self, now: Duration) -> Stat {
        Stat::new(self.version, &self.body, self.end, now)
    }
}

impl Body {
    /// The length of the contents, as far as it is known without the type's code.
    pub(in crate::files) fn numbytes(&self) -> u64 {
        match self {
            Body::Bytes(contents) => contents.len() as u64,
            Body::Stored(numbytes) | Body::Code(_, numbytes) => *numbytes,
        }
    }

    /// What it counts in the bytes of all files.
    pub(in crate::files) fn bytes(&self) -> u64 {
        match self {
            Body::Bytes(contents) => contents.len() as u64,
            Body::Stored(numbytes) => *numbytes,
            Body::Code(..) => 0,
        }
    }

    /// What it takes of memory beside contents.
    pub(in crate::files) fn cost(&self) -> u64 {
        match self {
            Body::Bytes(_) | Body::Stored(_) => 0,
            Body::Code(code, _) => code.cost(),
        }
    }

    /// The body once it is in the store, and what needs no memory any more.
    pub(in crate::files) fn in_store(self, stored_from: usize) -> (Body, Option<Contents>) {
        match self {
            Body::Bytes(contents) if contents.len() >= stored_from => {
                (Body::Stored(contents.len() as u64), Some(contents))
            }
            body => (body, None),
        }
    }

    /// What a store has to keep of it.
    pub(in crate::files) fn contents(&self) -> Option<Contents> {
        match self {
            Body::Bytes(contents) => Some(contents.clone()),
            Body::Stored(_) | Body::Code(..) => None,
        }
    }

    /// The descriptor of a file of code, which is always open.
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
