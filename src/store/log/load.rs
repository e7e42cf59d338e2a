//! The table as it is with the log: the tree's files and removals, changed by a checkpoint that is not
//! made yet.

use super::checkpoint::{Bytes, Change, Checkpoint, To};
use crate::files::store::{Head, Row, RowContents};
use crate::name::Name;
use crate::store::error::{Result, damaged};
use crate::store::tree::view::View;
use std::collections::HashSet;

/// Calls `file` with each file, in the order of the names, and `removal` with each removal that `head`
/// does not forget.
pub(in crate::store) fn load(
    view: &View,
    checkpoint: Option<&Checkpoint>,
    head: &Head,
    file: &mut dyn FnMut(Row),
    removal: &mut dyn FnMut(u64, Name),
) -> Result<()> {
    let changes = || checkpoint.iter().flat_map(|checkpoint| &checkpoint.names);
    let row_of = |(name, change): (&Name, &Change), row| match checkpoint {
        Some(checkpoint) => row_of(checkpoint, name, change, row),
        None => Ok(row),
    };
    let mut rest = changes().peekable();
    view.files(|row| {
        while let Some(change) = rest.next_if(|(name, _)| **name < row.name) {
            row_of(change, None)?.into_iter().for_each(&mut *file);
        }
        match rest.next_if(|(name, _)| **name == row.name) {
            Some(change) => row_of(change, Some(row))?.into_iter().for_each(&mut *file),
            None => file(row),
        }
        Ok(())
    })?;
    for change in rest {
        row_of(change, None)?.into_iter().for_each(&mut *file);
    }
    let forgotten: HashSet<_> = changes().filter_map(|(_, change)| change.removed()).collect();
    view.removals(|version, name| {
        if version > head.forgotten && !forgotten.contains(&version) {
            removal(version, name);
        }
        Ok(())
    })?;
    for (name, change) in changes() {
        match change.to {
            To::Removal(version) if version > head.forgotten => removal(version, name.clone()),
            _ => {}
        }
    }
    Ok(())
}

/// Returns the file of a name after a change, of which the tree has this row.
fn row_of(
    checkpoint: &Checkpoint,
    name: &Name,
    change: &Change,
    row: Option<Row>,
) -> Result<Option<Row>> {
    match &change.to {
        To::File { version, life, bytes } => {
            let contents = match bytes {
                Bytes::Code => RowContents::Code,
                Bytes::Inline(span) => RowContents::Inline(checkpoint.inline.get(*span).into()),
                Bytes::Large(at) => {
                    RowContents::Stored(checkpoint.large[*at as usize].large.numbytes)
                }
            };
            let (name, version, life) = (name.clone(), *version, *life);
            Ok(Some(Row { name, version, life, contents }))
        }
        To::Life(life) => match row {
            Some(row) => Ok(Some(Row { life: *life, ..row })),
            None => {
                let name = name.as_name_ref().for_log();
                Err(damaged(format!("the log touches {name}, which does not exist")))
            }
        },
        To::Removal(_) => Ok(None),
    }
}
