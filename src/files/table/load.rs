//! Loading the table when a server starts.

use super::Table;
use crate::budget::{Budget, Charge};
use crate::contents::Contents;
use crate::files::clock::Clock;
use crate::files::registry::Registry;
use crate::files::state::asked::Asked;
use crate::files::state::expiry::End;
use crate::files::state::files::entry::{Body, Entry};
use crate::files::state::journal::Journal;
use crate::files::store::{BOUND, Life, Row, RowContents, Store};
use crate::name::FileRef;
use std::fmt;
use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::time::Duration;

/// How many leftovers are removed at once. Nobody waits for anything else yet.
const LEFTOVERS: usize = 16 << 10;

/// The stored files are not those of a table.
#[derive(Debug)]
pub(crate) struct Contradiction;

impl fmt::Display for Contradiction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the stored files are damaged: their numbers contradict each other")
    }
}

impl std::error::Error for Contradiction {}

impl Table {
    /// Loads a stored table. Its time continues from where it stood, whatever
    /// `clock` shows. Code files, and files that lived as long as a connection, have ended: they
    /// are removed, now or as soon as there is room to write that down.
    ///
    /// # Errors
    /// Those of the store, and [`ErrorKind::InvalidData`] for what no table has stored: two files
    /// of one name, two changes at one version, one at a version that was never taken, the removal of
    /// a name that has a file, a number beyond its [bound](crate::files::store::BOUND). A table that takes more than the
    /// budget is no error: it is loaded with a warning, and takes no writes until enough is deleted.
    pub(crate) fn load(
        registry: Registry,
        clock: &Clock,
        budget: Arc<Budget>,
        store: Arc<dyn Store>,
    ) -> io::Result<Self> {
        let mut table = Table::new(registry, clock.clone(), budget.clone(), 0);
        let state = table.state.get_mut();
        let (mut is_sound, mut live, mut removals) = (true, Vec::new(), Vec::new());
        let head = store.load(
            &mut |row| {
                is_sound =
                    is_sound && row.is_sound() && state.bytes + row.contents.numbytes() < BOUND;
                is_sound = is_sound && state.files.is_new(row.name.as_bytes());
                if is_sound {
                    let version = row.version;
                    live.push((version, state.add(entry_of(row, &budget), Charge::default())));
                }
            },
            &mut |version, name| removals.push((version, name)),
        )?;
        state.changes.begin(live);
        for (version, name) in removals {
            let has_file = state.files.find(FileRef::Name(name.as_name_ref())).is_some();
            is_sound =
                is_sound && version > 0 && !has_file && state.changes.removed(&name).is_none();
            if is_sound {
                state.changes.recall(version, name);
            }
        }
        state.changes.forget_to(head.forgotten);
        if !(is_sound
            && head.is_sound()
            && state.changes.is_sound(state.files.named(), head.version))
        {
            return Err(io::Error::new(ErrorKind::InvalidData, Contradiction));
        }
        (state.version, state.taken) = (head.version, head.version);
        state.journal = Some(Journal::new(store.stored_from(), store.whole(), &table.to_commit));
        table.clock = clock.showing(head.time);
        (table.epoch, table.store) = (head.epoch, Some(store));
        table.end_leftovers()?;
        table.state.get_mut().expired = 0; // those were an earlier server's
        let (used, max) = (budget.used(), budget.max());
        if used > max {
            log::warn!(
                "the files take {used} bytes of memory, more than the limit of {max}: nothing can be \
                 written until enough of them are deleted, or the limit is raised"
            );
        }
        Ok(table)
    }

    /// Removes ended files, as far as there is room.
    fn end_leftovers(&self) -> io::Result<()> {
        loop {
            let mut table = self.lock();
            let now = table.now();
            let due = table.state.ends.due(now, None).take(LEFTOVERS);
            let ids: Vec<_> = due.map(|(_, id)| id).collect();
            // The ids stay, because nothing is removed before it is committed.
            let tickets: Vec<_> = ids.iter().map(|id| table.remove(*id, Asked::End)).collect();
            drop(table);
            self.commit_waiting();
            let journal = &mut self.lock().state.journal;
            journal.as_mut().and_then(Journal::outcome).unwrap_or(Ok(()))?;
            if tickets.is_empty() || tickets.iter().any(|ticket| ticket.wait().is_err()) {
                return Ok(());
            }
        }
    }
}

/// Makes the entry of a stored file. Its contents count, even beyond the budget.
fn entry_of(row: Row, budget: &Arc<Budget>) -> Entry {
    let end = match (&row.contents, row.life) {
        (RowContents::Code, _) | (_, Life::Connection) => Some(End::At(Duration::ZERO)),
        (_, Life::Until(time)) => Some(End::At(time)),
        (_, Life::Unlimited) => None,
    };
    let body = match row.contents {
        RowContents::Code => Body::Stored(0),
        RowContents::Inline(contents) => {
            let mut charge = Charge::none(budget);
            charge.grow_over(Contents::cost(contents.len()));
            Body::Bytes(contents.with_charge(charge))
        }
        RowContents::Stored(numbytes) => Body::Stored(numbytes),
    };
    Entry::new(row.name, row.version, body, end)
}
