//! The files in the folder of a store. They are found from the folder's descriptor, not from its path: a
//! folder that is renamed while it is in use keeps its files, and what is at the old path then is left alone.

use super::whole::synced;
use crate::rights;
use crate::store::medium::{FileSet, Medium};
use rustix::fs::{AtFlags, Mode, OFlags, openat, renameat, statat, unlinkat};
use rustix::io::Errno;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::PathBuf;

/// The name of the database's file.
pub(in crate::store) const DATABASE: &str = "telefile.redb";

/// What a folder is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum Use {
    /// Changes, by one process alone.
    Change,
    /// Reads, by any number while none changes it. Needs no write permission.
    Read,
}

/// The files in the folder of a database. They are left unchanged if it is only read.
#[derive(Debug)]
pub(in crate::store) struct FolderFiles {
    pub(in crate::store) folder: File,
    /// The path of the folder, for errors.
    pub(in crate::store) path: PathBuf,
    pub(in crate::store) to: Use,
}

/// Opens a file in a folder; `None` if there is none. A symbolic link is followed only if `flags` say so.
pub(in crate::store) fn open_in(
    folder: &File,
    name: &str,
    to: Use,
    flags: OFlags,
) -> io::Result<Option<File>> {
    let access = match to {
        Use::Change => OFlags::RDWR,
        Use::Read => OFlags::RDONLY,
    };
    match openat(folder, name, access | flags | OFlags::CLOEXEC, Mode::empty()) {
        Err(Errno::NOENT) => Ok(None),
        file => Ok(Some(file?.into())),
    }
}

impl FileSet for FolderFiles {
    fn path(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    fn open(&self, name: &str) -> io::Result<Option<Box<dyn Medium>>> {
        let irregular = || io::Error::new(ErrorKind::InvalidData, "is not a regular file");
        // A pipe would block.
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
        let opened = open_in(&self.folder, name, self.to, flags);
        match opened.map_err(|e| (Errno::from_io_error(&e), e)) {
            Ok(Some(file)) if file.metadata()?.is_file() => Ok(Some(Box::new(file))),
            Ok(Some(_)) => Err(irregular()),
            Ok(None) => Ok(None),
            // A symbolic link (FreeBSD: EMLINK), a folder, a device without a driver.
            Err((Some(Errno::LOOP | Errno::MLINK | Errno::ISDIR | Errno::NXIO), _)) => {
                Err(irregular())
            }
            Err((_, e)) => Err(e),
        }
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn Medium>> {
        self.remove(name)?;
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let mode = Mode::RUSR | Mode::WUSR;
        let file = File::from(openat(&self.folder, name, flags, mode)?);
        synced(&self.path, self.folder.sync_all())?;
        Ok(Box::new(file))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        if self.to == Use::Read {
            return Err(ErrorKind::ReadOnlyFilesystem.into());
        }
        match unlinkat(&self.folder, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(e) => Err(e.into()),
        }
    }

    fn replace_database(&self, name: &str) -> io::Result<()> {
        let old = statat(&self.folder, DATABASE, AtFlags::SYMLINK_NOFOLLOW)?;
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let new = File::from(openat(&self.folder, name, flags, Mode::empty())?);
        rights::take(&new, &old)?;
        new.sync_all()?; // before the name: the rights are the database's from then on
        Ok(renameat(&self.folder, name, &self.folder, DATABASE)?)
    }

    fn sync_names(&self) -> io::Result<()> {
        self.folder.sync_all()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::folder::Folder;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};

    #[test]
    fn a_new_database_has_the_rights_of_the_old_one() {
        let path = std::env::temp_dir().join(format!("telefile-rights-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        let (folder, made) = Folder::make(&path).unwrap();
        let database = path.join(DATABASE);
        let rights = || fs::metadata(&database).map(|m| (m.mode() & 0o7777, m.uid(), m.gid()));
        for (mode, expected) in [(0o640, 0o640), (0o600, 0o600), (0o4751, 0o751)] {
            fs::write(&database, "old").unwrap();
            // The superuser alone may give a file away.
            let _ = chown(&database, Some(7), Some(8));
            fs::set_permissions(&database, Permissions::from_mode(mode)).unwrap();
            let (_, owner, group) = rights().unwrap();
            let files = folder.files().unwrap();
            files.create("new").unwrap().write(0, b"new").unwrap();
            files.replace_database("new").unwrap();
            assert_eq!(rights().unwrap(), (expected, owner, group));
            assert_eq!(fs::read(&database).unwrap(), b"new");
            fs::remove_file(&database).unwrap();
        }
        made.keep();
        fs::remove_dir_all(path).unwrap();
    }
}
