//! Whether a change fits what is stored. If not, the table and its store differ.

use super::Core;
use crate::files::store::Mutation;
use crate::name::Name;
use crate::store::error::{Result, damaged};

impl Core {
    /// Compares a batch with what is stored. Returns the versions whose large contents end with it.
    pub(super) fn check(&self, batch: &[Mutation]) -> Result<Vec<u64>> {
        let mut replaced = Vec::new();
        let mut unknown = Vec::new();
        for change in batch {
            let Some(name) = name_of(change) else { continue };
            match self.log.file(name) {
                Some(found) => replaced.extend(check_one(change, name, found)?),
                None => unknown.push((change, name)),
            }
        }
        if !unknown.is_empty() {
            replaced.extend(self.look(|view| {
                let files = view.lookup()?;
                let check = |(change, name): &(&Mutation, &Name)| {
                    check_one(change, name, files.file(name)?)
                };
                let checked: Result<Vec<_>> = unknown.iter().map(check).collect();
                Ok(checked?.into_iter().flatten().collect::<Vec<_>>())
            })?);
        }
        Ok(replaced)
    }
}

/// Returns the name that a change is about.
fn name_of(change: &Mutation) -> Option<&Name> {
    match change {
        Mutation::Put { name, .. }
        | Mutation::Touch { name, .. }
        | Mutation::Remove { name, .. }
        | Mutation::Pass { name, .. } => Some(name),
        Mutation::Unnamed { .. } => None,
    }
}

/// Compares a change with what is stored under its name: a version, and whether its contents are
/// large. Returns the version whose large contents end with this change.
///
/// # Errors
/// What is stored is not what the change expects.
fn check_one(change: &Mutation, name: &Name, found: Option<(u64, bool)>) -> Result<Option<u64>> {
    let version = found.map(|(version, _)| version);
    let expected = match change {
        Mutation::Put { old, .. } => *old,
        Mutation::Remove { old, .. } => Some(*old),
        Mutation::Touch { .. } if version.is_some() => return Ok(None),
        Mutation::Touch { .. } => {
            let name = name.as_name_ref().for_log();
            return Err(damaged(format!("{name} does not exist and cannot be touched")));
        }
        Mutation::Pass { .. } | Mutation::Unnamed { .. } => None,
    };
    if version != expected {
        let name = name.as_name_ref().for_log();
        return Err(damaged(format!("{name} is at {version:?} and should be at {expected:?}")));
    }
    Ok(found.filter(|(_, is_large)| *is_large).map(|(version, _)| version))
}
