//! What is there when a server begins.

use super::journal::Journal;
use super::store::{Kept, Life, Row, Store};
use crate::contents::{Budget, Charge};
use crate::files::clock::Clock;
use crate::files::entry::{Body, ENTRY_BYTES, Entry};
use crate::files::expiry::End;
use crate::files::housekeeping::SWEEP_NAMES;
use crate::files::registry::Registry;
use crate::files::table::{Table, lost};
use crate::refusal::Refusal;
use std::io;
use std::sync::Arc;
use std::time::Duration;

impl Table {
    /// The table that a store has kept. Its time goes on where it stood, whatever `clock` shows.
    /// Files of code, and those that lived as long as a connection, are over: they are removed, now
    /// or as soon as there is room to write that down.
    ///
    /// # Errors
    /// Those of the store; also if names and small contents take more than the budget.
    pub fn load(
        registry: Registry,
        clock: &Clock,
        budget: Arc<Budget>,
        store: Arc<dyn Store>,
    ) -> io::Result<Self> {
        let mut table = Table::new(registry, clock.clone(), budget.clone(), 0);
        let state = table.state.get_mut().unwrap_or_else(|_| lost());
        let (mut refused, mut removals) = (None, Vec::new());
        let head = store.load(
            &mut |row| match entry_of(&row, &budget) {
                Ok(entry) => state.insert(row.name, entry),
                Err(refusal) => refused = Some(refusal),
            },
            &mut |version, name| removals.push((version, name)),
        )?;
        if refused.is_some() {
            let max = budget.max();
            let why = format!("names and small contents of the files take more than {max} bytes");
            return Err(io::Error::new(io::ErrorKind::OutOfMemory, why));
        }
        removals.into_iter().for_each(|(version, name)| state.changes.recall(version, name));
        state.changes.forget_to(head.forgotten);
        (state.version, state.taken) = (head.version, head.version);
        state.journal = Some(Journal::default());
        table.clock = clock.showing(head.time);
        (table.epoch, table.store) = (head.epoch, Some(store));
        table.end_leftovers()?;
        Ok(table)
    }

    /// Removes what is over, as far as there is room.
    fn end_leftovers(&self) -> io::Result<()> {
        loop {
            let mut table = self.lock();
            let now = table.now();
            let names: Vec<_> = table.state.ends.due(now).take(SWEEP_NAMES).cloned().collect();
            let tickets: Vec<_> = names.iter().map(|name| table.remove(name.as_ref())).collect();
            drop(table);
            self.commit_waiting()?;
            if tickets.is_empty() || tickets.iter().any(|ticket| ticket.wait().is_err()) {
                return Ok(());
            }
        }
    }
}

/// The entry of a file that was kept.
fn entry_of(row: &Row, budget: &Arc<Budget>) -> Result<Entry, Refusal> {
    let mut charge = Charge::none(budget);
    charge.grow(row.name.as_str().len() as u64 + ENTRY_BYTES)?;
    let body = match &row.contents {
        Kept::Code => Body::Stored(0),
        Kept::Here(contents) => Body::Bytes(contents.clone().charged(budget)?),
        Kept::Stored(numbytes) => Body::Stored(*numbytes),
    };
    let end = match (&row.contents, row.life) {
        (Kept::Code, _) | (_, Life::Connection) => Some(End::At(Duration::ZERO)),
        (_, Life::Until(time)) => Some(End::At(time)),
        (_, Life::Unlimited) => None,
    };
    Ok(Entry { version: row.version, body, end, charge, fd: None })
}
