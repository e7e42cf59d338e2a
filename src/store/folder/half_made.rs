//! What this process has created and not finished, so that it can be removed in any case: after a
//! failure, or at a signal that ends the process.

use rustix::fs::{AtFlags, unlinkat};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

static ALL: Mutex<Vec<Arc<Entry>>> = Mutex::new(Vec::new());

/// A file, or an empty folder, that dropping this or [`remove_all`] removes.
#[derive(Debug)]
pub(in crate::store) struct HalfMade(Arc<Entry>);

/// It is found from its folder's descriptor: the folder may be renamed meanwhile, and what is at its
/// old path then is another's.
#[derive(Debug)]
struct Entry {
    folder: Arc<File>,
    name: PathBuf,
}

impl HalfMade {
    pub(in crate::store) fn new(folder: &Arc<File>, name: &Path) -> Self {
        let entry = Arc::new(Entry { folder: folder.clone(), name: name.to_path_buf() });
        all().push(entry.clone());
        HalfMade(entry)
    }

    pub(in crate::store) fn name(&self) -> &Path {
        &self.0.name
    }

    /// Keeps it: it is finished, or has another name now.
    pub(in crate::store) fn keep(self) {
        self.forget();
        std::mem::forget(self);
    }

    fn forget(&self) {
        all().retain(|entry| !Arc::ptr_eq(entry, &self.0));
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
    all().drain(..).rev().for_each(|entry| remove(&entry));
}

fn all() -> MutexGuard<'static, Vec<Arc<Entry>>> {
    ALL.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Removes it; a folder that is not empty stays.
fn remove(Entry { folder, name }: &Entry) {
    let _ = unlinkat(folder, name, AtFlags::empty())
        .or_else(|_| unlinkat(folder, name, AtFlags::REMOVEDIR));
}
