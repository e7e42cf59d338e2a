//! Reads in request order, behind requests that are not visible yet.

use super::Table;
use super::write::Decided;
use crate::files::registry::MEMORY_FILE;
use crate::files::stat::{Looked, Stat};
use crate::files::state::asked::Asked;
use crate::files::state::chain::Done;
use crate::files::state::files::entry::Body;
use crate::files::state::ticket::Ticket;
use crate::name::FileRef;
use crate::refusal::Refusal;

impl Table {
    /// Reads as if every decided change were visible, which is so when the ticket is done. Returns
    /// `None` if the read has to wait for that: for a code file, an expired file, and large
    /// contents that are not on disk yet.
    pub(crate) fn read_in_turn(&self, file: FileRef<'_>) -> Option<Decided<Looked>> {
        Some(self.look_in_turn(file)?.0)
    }

    /// Does the same for [`stat`](Table::stat).
    pub(crate) fn stat_in_turn(
        &self,
        file: FileRef<'_>,
    ) -> Option<Decided<(Stat, &'static str, u64)>> {
        let is_pending = self.lock().state.is_pending(file);
        if !is_pending {
            return Some(Decided { outcome: self.stat(file), ticket: Ticket::DONE });
        }
        let (looked, opens) = self.look_in_turn(file)?;
        Some(looked.map(|looked| (looked.stat, MEMORY_FILE, opens)))
    }

    /// Returns a look at the file, and how many opens the file has.
    fn look_in_turn(&self, file: FileRef<'_>) -> Option<(Decided<Looked>, u64)> {
        let mut table = self.lock();
        let opens = table.state.files.opens(file); // constant while something is pending
        if let Some((key, _)) = table.decided(file, Asked::Read) {
            let now = table.now();
            let journal = table.state.journal.as_ref()?;
            let outcome = match journal.decided(key.as_ref(), Asked::Read, true)? {
                Some(draft) => Ok(draft.look(now)?),
                None => Err(Refusal::NotFound),
            };
            let ticket = table.decide(&key, Asked::Read, Done::Nothing);
            return Some((Decided { outcome, ticket }, opens));
        }
        if table.state.is_pending(file) {
            return None;
        }
        let found = table.find(file).ok()?;
        let found = found.map(|(_, entry, now)| (entry.stat(now), entry.body.clone()));
        drop(table);
        let outcome = match found {
            None => Err(Refusal::NotFound),
            Some((stat, Body::Bytes(contents))) => Ok(Looked { stat, contents }),
            Some((stat, Body::Stored(numbytes))) => {
                let contents = self.stored_contents(stat.version, numbytes).transpose()?;
                contents.map(|contents| Looked { stat, contents })
            }
            Some((_, Body::Code(..))) => return None,
        };
        Some((Decided { outcome, ticket: Ticket::DONE }, opens))
    }
}
