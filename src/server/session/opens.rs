//! The files that a connection has open, and what ends with it: those, and its -1 files.

use crate::budget::{Budget, Charge};
use crate::files::{ClientId, Endings, OPEN_COST, Open, Opening, Table};
use crate::name::{Fd, NameRef};
use crate::refusal::{Limit, Refusal};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The most opens that a connection may have.
pub(in crate::server) const MAX_OPENS: u64 = 1024;

/// The opens of a connection. However it ends, dropping this removes its -1 files, and then
/// closes each of its opens exactly once.
pub(super) struct Opens<'a> {
    table: &'a Table,
    client: ClientId,
    /// How many times each file is open.
    counts: BTreeMap<Fd, u64>,
    /// The memory for the opens.
    charge: Charge,
}

impl<'a> Opens<'a> {
    pub(super) fn new(table: &'a Table, client: ClientId, budget: &Arc<Budget>) -> Self {
        Opens { table, client, counts: BTreeMap::new(), charge: Charge::none(budget) }
    }

    /// Returns whether this connection may use the descriptor.
    pub(super) fn has(&self, fd: Fd) -> bool {
        self.counts.contains_key(&fd)
    }

    /// Opens a file. A new one may have to be [finished](Opens::finish).
    pub(super) fn open(
        &mut self,
        name: NameRef<'_>,
        kind: Option<&str>,
    ) -> Result<Open<'a>, Refusal> {
        if self.counts.values().sum::<u64>() >= MAX_OPENS {
            return Err(Refusal::Limit(Limit::Descriptors, MAX_OPENS));
        }
        self.charge.grow(OPEN_COST)?;
        let open = self.table.open(name, kind, self.client);
        self.counted(open)
    }

    /// Blocks until a new file is on disk.
    pub(super) fn finish(&mut self, opening: Opening<'a>) -> Result<Open<'a>, Refusal> {
        self.counted(opening.finish())
    }

    /// Counts an open that is done. One that has failed needs no memory any more.
    fn counted(&mut self, open: Result<Open<'a>, Refusal>) -> Result<Open<'a>, Refusal> {
        match &open {
            Ok(Open::Now(opened)) => *self.counts.entry(opened.fd).or_default() += 1,
            Ok(Open::Later(_)) => {}
            Err(_) => self.charge.shrink(OPEN_COST),
        }
        open
    }

    pub(super) fn close(&mut self, fd: Fd) -> Result<(), Refusal> {
        let count = self.counts.get_mut(&fd).ok_or(Refusal::BadDescriptor)?;
        // Before the type's code runs: nothing that it does can close this open a second time.
        *count -= 1;
        if *count == 0 {
            self.counts.remove(&fd);
        }
        self.charge.shrink(OPEN_COST);
        self.table.close_file(fd, self.client)
    }

    /// Ends all of them. Busy files are closed last, so that they keep no other file open.
    pub(super) fn end(&mut self) {
        let (table, client) = (self.table, self.client);
        table.end_client(client);
        let mut endings = Endings::default();
        self.counts.retain(|fd, count| {
            while *count > 0 && table.try_close_file(*fd, client, &mut endings) {
                *count -= 1;
            }
            *count > 0
        });
        endings.finish();
        while let Some(fd) = self.counts.keys().next().copied() {
            let _ = self.close(fd);
        }
        self.charge.shrink(self.charge.bytes());
    }
}

impl Drop for Opens<'_> {
    fn drop(&mut self) {
        self.end();
    }
}
