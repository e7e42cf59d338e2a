//! What this process has created and not finished, so that it can be removed in any case: after a
//! failure, or at a signal that ends the process.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

static ALL: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// A file, or an empty folder, that dropping this or [`remove_all`] removes.
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

    /// Keeps it: it is finished, or has another name now.
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

/// Removes everything, newest first, for a process that ends now.
#[cfg(feature = "cli")]
pub(crate) fn remove_all() {
    all().drain(..).rev().for_each(|path| remove(&path));
}

fn all() -> MutexGuard<'static, Vec<PathBuf>> {
    ALL.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Removes it; a folder that is not empty stays.
fn remove(path: &Path) {
    let _ = fs::remove_file(path).or_else(|_| fs::remove_dir(path));
}
