//! The folder of a store: made, locked, and given its database whole or not at all.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The database's file in the folder.
const DATABASE: &str = "telefile.redb";

/// What it is called until it is whole.
const UNFINISHED: &str = "telefile.redb.unfinished";

/// A folder that no other process uses as long as this is not dropped.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    /// The folder itself, with a lock of flock(2). The database's file is another one after a
    /// restore; the folder stays.
    handle: File,
}

impl Folder {
    /// # Errors
    /// Also if another process uses it.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let told = |e: io::Error| named(path, e);
        if !fs::metadata(path).map_err(told)?.is_dir() {
            return Err(told(io::Error::new(ErrorKind::NotADirectory, "is not a folder")));
        }
        let handle = File::open(path).map_err(told)?;
        match handle.try_lock() {
            Ok(()) => Ok(Folder { path: path.to_path_buf(), handle }),
            Err(TryLockError::WouldBlock) => {
                Err(told(io::Error::new(ErrorKind::ResourceBusy, "another telefile uses it")))
            }
            Err(TryLockError::Error(e)) => {
                Err(told(io::Error::new(e.kind(), format!("cannot be locked: {e}"))))
            }
        }
    }

    /// The same; made if it is missing, and then for nobody else to look into.
    pub(super) fn make(path: &Path) -> io::Result<Self> {
        let told = |e: io::Error| named(path, e);
        let missing = path.ancestors().take_while(|p| !p.as_os_str().is_empty() && !p.exists());
        let made: Vec<_> = missing.collect();
        if !made.is_empty() {
            DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(told)?;
        }
        for parent in made.iter().filter_map(|made| made.parent()) {
            let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
            File::open(parent).and_then(|parent| parent.sync_all()).map_err(told)?;
        }
        Folder::open(path)
    }

    /// Where the database is, or would be.
    pub(super) fn database_path(&self) -> PathBuf {
        self.path.join(DATABASE)
    }

    /// The database's file; `None` if there is none.
    pub(super) fn database(&self) -> io::Result<Option<File>> {
        let path = self.database_path();
        match OpenOptions::new().read(true).write(true).open(&path) {
            Ok(file) => Ok(Some(file)),
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
            Err(e) => Err(named(&path, e)),
        }
    }

    /// # Errors
    /// There is something in it; what a restore left that was killed does not count.
    pub(super) fn expect_empty(&self) -> io::Result<()> {
        let told = |e: io::Error| named(&self.path, e);
        for entry in fs::read_dir(&self.path).map_err(told)? {
            if entry.map_err(told)?.file_name() != UNFINISHED {
                return Err(told(io::Error::new(ErrorKind::DirectoryNotEmpty, "is not empty")));
            }
        }
        Ok(())
    }

    /// Gives the folder its database. `fill` writes it into a new file for this user alone, which
    /// gets its name when all of it is on disk: after a crash there is a whole one or none.
    ///
    /// # Errors
    /// Those of `fill`, and of the disk. There is no database then.
    pub(super) fn create(&self, fill: impl FnOnce(File) -> io::Result<()>) -> io::Result<()> {
        let unfinished = self.path.join(UNFINISHED);
        let told = |e: io::Error| named(&unfinished, e);
        match fs::remove_file(&unfinished) {
            Err(e) if e.kind() != ErrorKind::NotFound => return Err(told(e)),
            _ => {}
        }
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true).mode(0o600);
        let file = options.open(&unfinished).map_err(told)?;
        let filled = file.try_clone().map_err(told).and_then(fill);
        let named = filled.and_then(|()| {
            file.sync_all().map_err(told)?;
            fs::rename(&unfinished, self.database_path()).map_err(told)?;
            self.handle.sync_all().map_err(told)
        });
        if named.is_err() {
            let _ = fs::remove_file(&unfinished);
        }
        named
    }
}

fn named(path: &Path, e: io::Error) -> io::Error {
    io::Error::new(e.kind(), format!("{}: {e}", path.display()))
}
