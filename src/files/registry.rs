//! The types that a table knows, by their names.

use super::file::{File, FileType};
use super::kinds::{self, Root};
use crate::budget::Budget;
use crate::name::Name;
use crate::refusal::Refusal;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

/// The type of a file that `write`, `cas` or `open NAME MemoryFile` makes.
pub const MEMORY_FILE: &str = "MemoryFile";

/// The type of a file that `open NAME` makes.
pub(super) const DEFAULT: &str = "File";

const TEXT_FILE: &str = "TextFile";

/// How files of a type are made.
pub(super) type Create = dyn Fn(&Name) -> Result<Box<dyn File>, Refusal> + Send + Sync;

/// All types of a table: those that are built in, and those of the program.
pub struct Registry(Vec<(&'static str, Box<Create>)>);

impl Registry {
    /// Adds `TextFile`, whose files are in the folder `root`. One of more than `max_bytes` is not
    /// read; what is read takes its memory from `budget`.
    ///
    /// # Errors
    /// As [`with`](Registry::with).
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
    /// A name that two types have, or that cannot stand in a line; in words.
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

    /// The names, in the order in which they were added.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        std::iter::once(MEMORY_FILE).chain(self.0.iter().map(|(name, _)| *name))
    }

    /// The type of this name: its name as it lives as long as the program, and how to make a file
    /// of it, unless it is [`MEMORY_FILE`].
    pub(super) fn find(&self, name: &str) -> Option<(&'static str, Option<&Create>)> {
        if name == MEMORY_FILE {
            return Some((MEMORY_FILE, None));
        }
        let (name, create) = self.0.iter().find(|(known, _)| *known == name)?;
        Some((name, Some(&**create)))
    }
}

/// The built-in types that need nothing of the server: all but `TextFile`.
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
