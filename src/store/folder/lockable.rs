//! A file that this process may have locked.

use std::fs::File;
use std::ops::Deref;

/// A file that is unlocked when this is dropped, and not only when every descriptor of it is closed: a
/// process that another thread is starting has copies of all of them until it runs.
#[derive(Debug)]
pub(in crate::store) struct Lockable(pub(in crate::store) File);

impl Deref for Lockable {
    type Target = File;

    fn deref(&self) -> &File {
        &self.0
    }
}

impl Drop for Lockable {
    fn drop(&mut self) {
        let _ = self.0.unlock();
    }
}
