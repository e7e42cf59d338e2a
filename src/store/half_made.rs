//! What this process has made and not finished, so that it can be removed whatever the end: a
//! failure, or a signal that ends the process.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

static ALL: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// A file, or an empty folder, that is removed when this is dropped, or by [`remove_all`].
#[derive(Debug)]
pub(super) struct HalfMade(PathBuf);

impl HalfMade {
    pub(super) fn new(path: &Path) -> Self {
        all().push(path.to_path_buf());
        HalfMade(path.to_path_buf())
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// It is finished, or has another name now.
    pub(super) fn keep(self) {
        self.forget();
        std::mem::forget(self);
    }

    fn forget(&self) {
        let mut all = all();
        if let Some(at) = all.iter().rposition(|path| *path == self.0) {
            all.remove(at);
        }
    }
}

impl Drop for HalfMade {
    fn drop(&mut self) {
        remove(&self.0);
        self.forget();
    }
}

/// Removes all of it, what was made last first, for a process that ends now.
#[cfg(feature = "cli")]
pub(crate) fn remove_all() {
    all().drain(..).rev().for_each(|path| remove(&path));
}

fn all() -> MutexGuard<'static, Vec<PathBuf>> {
    ALL.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A folder with something in it stays.
fn remove(path: &Path) {
    let _ = fs::remove_file(path).or_else(|_| fs::remove_dir(path));
}
