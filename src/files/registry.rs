//! The file types of a table, by name.

use super::file::{File, FileType};
use super::kinds::{self, Root};
use crate::budget::Budget;
use crate::name::Name;
use crate::refusal::Refusal;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

/// The type of a file that `write`, `cas` or `open NAME MemoryFile` creates.
pub const MEMORY_FILE: &str = "MemoryFile";

/// The type of a file that `open NAME` creates.
pub(super) const DEFAULT: &str = "File";

const TEXT_FILE: &str = "TextFile";

/// Creates a file of a type.
pub(super) type Create = dyn Fn(&Name) -> Result<Box<dyn File>, Refusal> + Send + Sync;

/// All types of a table: the built-in ones, and those of the program.
pub struct Registry(Vec<(&'static str, Box<Create>)>);

impl Registry {
    /// Adds `TextFile`, whose files are in the folder `root`. A file of more than `max_bytes` is
    /// not read. Contents that are read take their memory from `budget`.
    ///
    /// # Errors
    /// The same as for [`with`](Registry::with).
    pub fn with_text_files(
        self,
        root: PathBuf,
        max_bytes: u64,
        budget: &Arc<Budget>,
    ) -> Result<Self, String> {
        let root = Arc::new(Root::new(root, max_bytes, budget));
        self.add(TEXT_FILE, Box::new(move |name| Ok(Box::new(root.file(name)?))))
    }

    /// Adds types.
    ///
    /// # Errors
    /// A message, if two types have the same name, or if a name is not valid in a line.
    pub fn with(self, types: &[FileType]) -> Result<Self, String> {
        types.iter().try_fold(self, |registry, file_type| {
            if !file_type.has_valid_name() {
                let name = file_type.name;
                return Err(format!("the file type {name:?} has no name that fits into a line"));
            }
            registry.add(file_type.name, Box::new(file_type.create))
        })
    }

    fn add(mut self, name: &'static str, create: Box<Create>) -> Result<Self, String> {
        if self.names().any(|known| known == name) {
            return Err(format!("two file types are called {name}"));
        }
        self.0.push((name, create));
        Ok(self)
    }

    /// Returns the names, in the order in which they were added.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        std::iter::once(MEMORY_FILE).chain(self.0.iter().map(|(name, _)| *name))
    }

    /// Returns the type of this name: the name with a static lifetime, and how to create a file of
    /// the type, unless it is [`MEMORY_FILE`].
    pub(super) fn find(&self, name: &str) -> Option<(&'static str, Option<&Create>)> {
        if name == MEMORY_FILE {
            return Some((MEMORY_FILE, None));
        }
        let (name, create) = self.0.iter().find(|(known, _)| *known == name)?;
        Some((name, Some(&**create)))
    }
}

/// The built-in types that need nothing from the server: all but `TextFile`.
impl Default for Registry {
    fn default() -> Self {
        let built_in = Registry(Vec::new()).with(kinds::BUILT_IN);
        built_in.expect("the built-in types have different names")
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.names()).finish()
    }
}
