//! A file as the table stores it.

use super::directory::Named;
use crate::budget::block;
use crate::contents::Contents;
use crate::exptime::Exptime;
use crate::files::registry::MEMORY_FILE;
use crate::files::stat::Stat;
use crate::files::state::code::Code;
use crate::files::state::expiry::End;
use crate::files::state::key::Key;
use crate::name::{Fd, Name};
use std::sync::Arc;
use std::time::Duration;

/// A file. It is one cache line: whatever few files have is elsewhere.
#[derive(Debug)]
#[repr(align(64))]
pub(in crate::files) struct Entry {
    pub(in crate::files) version: u64,
    /// `None` once the name was deleted or has expired. The file is open then.
    pub(in crate::files) name: Option<Name>,
    pub(in crate::files) body: Body,
    more: Option<Box<More>>,
}

const _: () = assert!(size_of::<Entry>() == 64);

/// What few files have. A file without any of it has no `More`.
#[derive(Debug, Default)]
struct More {
    /// What will end the file; always `None` for a file without a name.
    end: Option<End>,
    /// Set while the file is open. A code file always is.
    fd: Option<Fd>,
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

impl Named for Entry {
    fn name(&self) -> &[u8] {
        self.name.as_ref().map_or(&[], Name::as_bytes)
    }
}

impl Entry {
    /// Makes the entry of a file that is new, or was loaded.
    pub(in crate::files) fn new(name: Name, version: u64, body: Body, end: Option<End>) -> Self {
        let fd = body.descriptor();
        let mut entry = Entry { version, name: Some(name), body, more: None };
        entry.set_end(end);
        entry.set_fd(fd);
        entry
    }

    /// Returns what changes of the file refer to. A file has a name, or it is open.
    pub(in crate::files) fn key(&self) -> Option<Key> {
        match &self.name {
            Some(name) => Some(Key::Name(name.clone())),
            None => self.fd().map(Key::Open),
        }
    }

    /// Returns the memory that the entry takes. Its contents have their own charge, and what its
    /// name takes elsewhere is not included.
    pub(in crate::files) fn cost(&self) -> u64 {
        let more = if self.more.is_some() { block(size_of::<More>()) } else { 0 };
        size_of::<Entry>() as u64 + more + self.body.cost()
    }

    /// Returns what will end the file.
    pub(in crate::files) fn end(&self) -> Option<End> {
        self.more.as_ref()?.end
    }

    /// Returns the file's descriptor, if it is open.
    pub(in crate::files) fn fd(&self) -> Option<Fd> {
        self.more.as_ref()?.fd
    }

    /// Sets what will end the file. Returns what would have.
    pub(in crate::files) fn set_end(&mut self, end: Option<End>) -> Option<End> {
        self.set(end, |more| &mut more.end)
    }

    pub(in crate::files) fn set_fd(&mut self, fd: Option<Fd>) {
        self.set(fd, |more| &mut more.fd);
    }

    fn set<T>(
        &mut self,
        value: Option<T>,
        field: impl Fn(&mut More) -> &mut Option<T>,
    ) -> Option<T> {
        if value.is_none() && self.more.is_none() {
            return None;
        }
        let more = self.more.get_or_insert_default();
        let old = std::mem::replace(field(more), value);
        self.more.take_if(|more| more.end.is_none() && more.fd.is_none());
        old
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
        self.end().is_some_and(|end| end.is_over(now))
    }

    pub(in crate::files) fn stat(&self, now: Duration) -> Stat {
        Stat::new(self.version, &self.body, self.end(), now)
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
    fn cost(&self) -> u64 {
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
