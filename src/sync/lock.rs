//! A file that this process has locked.

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use std::fs::File;
use std::io;
use std::ops::Deref;

/// A locked file. It is unlocked when this is dropped, and not only when every descriptor of it is
/// closed: a process that another thread is starting has copies of all of them until it runs.
#[derive(Debug)]
pub(super) struct Lock(File);

impl Lock {
    /// Locks a file; `None` if another process has it locked.
    pub(super) fn of(file: File) -> io::Result<Option<Self>> {
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(Lock(file))),
            Err(Errno::WOULDBLOCK) => Ok(None),
            Err(e) => Err(e.into()),
        }
    }

    /// Locks a file, and waits for that.
    pub(super) fn wait_for(file: File) -> io::Result<Self> {
        flock(&file, FlockOperation::LockExclusive)?;
        Ok(Lock(file))
    }
}

impl Deref for Lock {
    type Target = File;

    fn deref(&self) -> &File {
        &self.0
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let _ = flock(&self.0, FlockOperation::Unlock);
    }
}
