//! The types that a table knows, by their names.

use super::file::{File, FileType};
use super::kinds;
use crate::name::Name;
use crate::refusal::Refusal;
use std::fmt;

/// The type of a file that `write`, `cas` or `open NAME MemoryFile` makes.
pub const MEMORY_FILE: &str = "MemoryFile";

/// The type of a file that `open NAME` makes.
pub(super) const DEFAULT: &str = "File";

/// How files of a type are made.
pub(super) type Create = dyn Fn(&Name) -> Result<Box<dyn File>, Refusal> + Send + Sync;

/// All types of a table: those that are built in, and those of the program.
pub struct Registry(Vec<(&'static str, Box<Create>)>);

impl Registry {
    /// The built-in types and `types`.
    ///
    /// # Errors
    /// A name that two types have, or that cannot stand in a line; in words.
    pub fn new(types: &[FileType]) -> Result<Self, String> {
        let mut registry = Registry(Vec::new());
        for file_type in kinds::BUILT_IN.iter().chain(types) {
            let name = file_type.name;
            if !file_type.has_valid_name() {
                return Err(format!("the file type {name:?} has no name that fits into a line"));
            }
            if registry.names().any(|known| known == name) {
                return Err(format!("two file types are called {name}"));
            }
            registry.0.push((name, Box::new(file_type.create)));
        }
        Ok(registry)
    }

    /// The names, built-in ones first.
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

/// The built-in types.
impl Default for Registry {
    fn default() -> Self {
        Registry::new(&[]).expect("the built-in types have different names")
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.names()).finish()
    }
}
