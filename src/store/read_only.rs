//! A store that is read and left unchanged.

use super::durable::Durable;
use super::folder::Folder;
use super::folder::files::Use;
use super::medium::overlay::Overlay;
use super::options::Options;
use std::io::{self, Write};
use std::path::Path;

/// The store in a folder, opened for reading. Nothing in the folder is changed, and it need not be
/// writable: a snapshot, another user's folder, and one whose server was killed can be read.
/// Repairs that are needed after that are made in memory.
///
/// Several processes can read a folder at once, and none can change it meanwhile.
#[derive(Debug)]
pub struct ReadOnly(Durable);

impl ReadOnly {
    /// Opens the store in this folder.
    ///
    /// # Errors
    /// Those of [`Durable::open_existing`].
    pub fn open(folder: &Path) -> io::Result<Self> {
        let folder = Folder::open(folder, Use::Read)?;
        let over = |file| Ok(Box::new(Overlay::new(file)?) as Box<_>);
        Durable::in_folder(folder, Options::default(), over).map(ReadOnly)
    }

    /// Writes the table into a backup: see [`Durable::backup`].
    ///
    /// # Errors
    /// Those of [`Durable::backup`].
    pub fn backup(&self, to: impl Write, name: &str) -> io::Result<()> {
        self.0.backup(to, name)
    }
}
