//! Names that are busy: a type is making or ending their files, and opens and writes of them wait.

use super::Table;
use super::locked::Locked;
use crate::name::Name;

/// A name whose file a type is making or ending. Others wait until this is dropped.
#[derive(Debug)]
pub(super) struct Busy<'a> {
    pub(super) table: &'a Table,
    pub(super) name: Name,
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.table.calm(self.name.as_name_ref());
    }
}

impl Table {
    /// Marks a name as busy.
    pub(super) fn busy(&self, table: &mut Locked<'_>, name: Name) -> Busy<'_> {
        table.state.busy.insert(name.clone());
        Busy { table: self, name }
    }
}
