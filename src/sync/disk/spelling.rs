//! Different names that are one file on this disk: some file systems ignore case, or the Unicode form of a
//! character. The second of two such names stays on the server alone.

use crate::sync::error::{Error, OTHER_NAME};
use crate::sync::folder::Folder;
use crate::sync::path::RelPath;
use std::io;

impl Folder<'_> {
    /// Checks that no folder above a path is there under another name.
    ///
    /// # Errors
    /// One about the path.
    pub(in crate::sync) fn check_spelling(&mut self, path: &RelPath) -> Result<(), Error> {
        let Some(folder) = path.parent() else { return Ok(()) };
        if self.spelled.contains(&folder) {
            return Ok(());
        }
        self.check_spelling(&folder)?;
        if self.root.stat(&folder).map_err(Error::at(path))?.is_some() {
            self.check_name(&folder)?;
        }
        self.spelled.insert(folder);
        Ok(())
    }

    /// Checks that what is at a path has this name.
    pub(in crate::sync) fn check_name(&self, path: &RelPath) -> Result<(), Error> {
        let names = self.root.names(path.parent().as_ref()).map_err(Error::at(path))?;
        match names.iter().any(|name| name == path.name()) {
            true => Ok(()),
            false => Err(Error::at(path)(io::Error::other(OTHER_NAME))),
        }
    }
}
