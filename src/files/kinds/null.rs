//! `File`: does nothing. Its purpose is to be open: a name that lives as long as its clients.

use crate::contents::Contents;
use crate::files::file::File;
use crate::name::Name;
use crate::refusal::Refusal;

/// Reads are empty; writes are accepted and dropped.
pub(super) struct NullFile;

impl File for NullFile {
    fn create(_name: &Name, _: &()) -> Result<Self, Refusal> {
        Ok(NullFile)
    }

    fn read(&mut self) -> Result<Contents, Refusal> {
        Ok(Contents::from(Vec::new()))
    }

    fn write(&mut self, _contents: Contents) -> Result<(), Refusal> {
        Ok(())
    }
}
