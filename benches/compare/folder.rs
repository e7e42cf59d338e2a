//! The folder in which a server keeps its files: on a disk, because the system's folder for
//! temporary files may be in memory.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Returns its path, beside the programs that were built.
const PLACE: &str = env!("CARGO_TARGET_TMPDIR");

/// An empty folder, removed when dropped.
pub(crate) struct Folder(PathBuf);

impl Folder {
    /// Creates one, in place of any other of this name.
    pub(crate) fn fresh(name: &str) -> io::Result<Self> {
        let path = Path::new(PLACE).join(name);
        match fs::remove_dir_all(&path) {
            Err(e) if e.kind() != ErrorKind::NotFound => return Err(e),
            _ => {} // it may remain from a killed run
        }
        fs::create_dir_all(&path)?;
        Ok(Folder(path))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0); // the next run tries again
    }
}

/// The kind of file system on which the folders are, and its device (proc_pid_mountinfo(5)).
pub(crate) fn file_system() -> io::Result<String> {
    fs::create_dir_all(PLACE)?;
    let device = fs::metadata(PLACE)?.dev();
    let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
    let mounts = fs::read_to_string("/proc/self/mountinfo")?;
    let found = mounts.lines().find_map(|line| {
        let (mount, system) = line.split_once(" - ")?;
        let is_it = mount.split(' ').nth(2)? == format!("{major}:{minor}");
        let mut fields = system.split(' ').filter(|_| is_it);
        Some(format!("{} on {}", fields.next()?, fields.next()?))
    });
    Ok(found.unwrap_or_else(|| "a file system that is not known".to_string()))
}
