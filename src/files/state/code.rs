//! Code files: the value of a file, and the lock around each operation on it.

use super::cost;
use crate::files::file_type::AnyFile;
use crate::name::{Fd, FileRef};
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};

/// A code file: a value of its type, and the lock around each operation on it.
pub(in crate::files) struct Code {
    kind: &'static str,
    /// The file's descriptor as long as the value exists, because the file is open.
    fd: Fd,
    /// `None` once the last close has ended it.
    value: Mutex<Option<Box<dyn AnyFile>>>,
    /// See [`is_changed`](Code::is_changed).
    changed: AtomicBool,
    cost: u64,
}

/// The value of a file, locked.
pub(in crate::files) type Value<'a> = MutexGuard<'a, Option<Box<dyn AnyFile>>>;

impl Code {
    pub(in crate::files) fn new(kind: &'static str, fd: Fd, value: Box<dyn AnyFile>) -> Arc<Self> {
        let cost = cost::code::<Code>(&*value);
        let (value, changed) = (Mutex::new(Some(value)), AtomicBool::new(false));
        Arc::new(Code { kind, fd, value, changed, cost })
    }

    pub(in crate::files) fn kind(&self) -> &'static str {
        self.kind
    }

    /// Locks the value, if it is not locked.
    pub(in crate::files) fn try_lock(&self) -> Option<Value<'_>> {
        match self.value.try_lock() {
            Ok(value) => Some(value),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// Locks the value. A type's panic is caught before it can poison the lock; poison is ignored.
    pub(in crate::files) fn lock(&self) -> Value<'_> {
        self.value.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the memory that the file takes, as far as the table knows.
    pub(in crate::files) fn cost(&self) -> u64 {
        self.cost
    }

    pub(in crate::files) fn fd(&self) -> Fd {
        self.fd
    }

    /// Returns whether something outside this table has changed the file since its last version.
    pub(in crate::files) fn is_changed(&self) -> bool {
        self.changed.load(Relaxed)
    }

    pub(in crate::files) fn set_changed(&self, changed: bool) {
        self.changed.store(changed, Relaxed);
    }

    pub(in crate::files) fn descriptor(&self) -> FileRef<'static> {
        FileRef::Descriptor(self.fd)
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}(@{})", self.kind, self.fd)
    }
}
