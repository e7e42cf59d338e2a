//! What one connection has open.

use crate::files::{ClientId, Fd, Opened, Table};
use crate::name::NameRef;
use crate::refusal::{Limit, Refusal};
use std::collections::BTreeMap;

/// How many opens a connection may have.
pub(super) const MAX_OPENS: u64 = 1024;

/// The opens of a connection, counted. However it ends, with the drop of this each is closed,
/// exactly once.
pub(super) struct Opens<'a> {
    table: &'a Table,
    client: ClientId,
    counts: BTreeMap<Fd, u64>,
}

impl<'a> Opens<'a> {
    pub(super) fn new(table: &'a Table, client: ClientId) -> Self {
        Opens { table, client, counts: BTreeMap::new() }
    }

    /// Whether this connection may use the descriptor.
    pub(super) fn has(&self, fd: Fd) -> bool {
        self.counts.contains_key(&fd)
    }

    pub(super) fn open(
        &mut self,
        name: NameRef<'_>,
        kind: Option<&str>,
    ) -> Result<Opened, Refusal> {
        if self.counts.values().sum::<u64>() >= MAX_OPENS {
            return Err(Refusal::Limit(Limit::Descriptors, MAX_OPENS));
        }
        let opened = self.table.open(name, kind, self.client)?;
        *self.counts.entry(opened.fd).or_default() += 1;
        Ok(opened)
    }

    pub(super) fn close(&mut self, fd: Fd) -> Result<(), Refusal> {
        let count = self.counts.get_mut(&fd).ok_or(Refusal::BadDescriptor)?;
        // Before the type's code runs: nothing that it does can make this open be closed again.
        *count -= 1;
        if *count == 0 {
            self.counts.remove(&fd);
        }
        self.table.close_file(fd, self.client)
    }

    /// Closes all that is open; last what a file is busy with that does not let others in, so that
    /// it keeps no other file open.
    pub(super) fn close_all(&mut self) {
        let (table, client) = (self.table, self.client);
        self.counts.retain(|fd, count| {
            while *count > 0 && table.try_close_file(*fd, client) != Ok(false) {
                *count -= 1;
            }
            *count > 0
        });
        while let Some(fd) = self.counts.keys().next().copied() {
            let _ = self.close(fd);
        }
    }
}

impl Drop for Opens<'_> {
    fn drop(&mut self) {
        self.close_all();
    }
}
