//! The file types of a table, by name.

use super::file_type::{Create, FileType};
use super::kinds::{self, Root, TextFile};
use crate::budget::Budget;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

/// The type of a file that `write`, `cas` or `open NAME MemoryFile` creates.
pub(crate) const MEMORY_FILE: &str = "MemoryFile";

/// The type of a file that `open NAME` creates.
pub(super) const DEFAULT: &str = "File";

/// All types of a table: the built-in ones, and those of the program.
pub(crate) struct Registry(Vec<FileType>);

impl Registry {
    /// Adds `TextFile`, whose files are in the folder `root`. A file of more than `max_bytes` is
    /// not read. Contents that are read take their memory from `budget`.
    ///
    /// # Errors
    /// The same as for [`with`](Registry::with).
    pub(crate) fn with_text_files(
        self,
        root: PathBuf,
        max_bytes: u64,
        budget: &Arc<Budget>,
    ) -> Result<Self, String> {
        let root = Arc::new(Root::new(root, max_bytes, budget));
        self.with(vec![FileType::with::<TextFile, _>("TextFile", root)])
    }

    /// Adds types.
    ///
    /// # Errors
    /// A message, if two types have the same name, or if a name is not valid in a line.
    pub(crate) fn with(self, types: Vec<FileType>) -> Result<Self, String> {
        types.into_iter().try_fold(self, |mut registry, file_type| {
            if !file_type.has_valid_name() {
                let name = file_type.name;
                return Err(format!("the file type {name:?} has no name that fits into a line"));
            }
            if registry.names().any(|known| known == file_type.name) {
                return Err(format!("two file types are called {}", file_type.name));
            }
            registry.0.push(file_type);
            Ok(registry)
        })
    }

    /// Returns the names, in the order in which they were added.
    pub(crate) fn names(&self) -> impl Iterator<Item = &'static str> {
        std::iter::once(MEMORY_FILE).chain(self.0.iter().map(FileType::name))
    }

    /// Returns the type of this name: the name with a static lifetime, and how to create a file of
    /// the type, unless it is [`MEMORY_FILE`].
    pub(super) fn find(&self, name: &str) -> Option<(&'static str, Option<&Create>)> {
        if name == MEMORY_FILE {
            return Some((MEMORY_FILE, None));
        }
        let found = self.0.iter().find(|known| known.name == name)?;
        Some((found.name, Some(&*found.create)))
    }
}

/// The built-in types that need nothing from the server: all but `TextFile`.
impl Default for Registry {
    fn default() -> Self {
        let built_in = Registry(Vec::new()).with(kinds::built_in());
        built_in.expect("the built-in types have different names")
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.names()).finish()
    }
}
