//! The changes of one file that are decided and not visible yet.

use super::asked::Asked;
use super::chain::Chain;
use super::files::entry::Body;
use super::step::Draft;
use crate::budget::Charge;

/// The decided changes of a name, or of an open file without one.
#[derive(Debug, Default)]
pub(super) struct Pending {
    pub(super) running: Option<Chain>,
    pub(super) next: Option<Chain>,
    /// For the file that `next` creates, if it creates one.
    pub(super) charge: Option<Charge>,
    /// Whether the file is open.
    pub(super) is_open: bool,
    /// Whether contents may be only in the store.
    pub(super) is_large: bool,
    /// Whether a request waits for the visible state. It would hang forever if more were decided.
    pub(super) awaited: bool,
}

impl Pending {
    /// Returns the decided state of the file.
    pub(super) fn file(&self) -> Option<&Draft> {
        self.next.as_ref().or(self.running.as_ref()).and_then(Chain::file)
    }

    /// Returns whether a further request may be decided upon this.
    pub(super) fn takes(&self, asked: Asked, by_name: bool) -> bool {
        // A read of a refused change gets the state without it, which has to be in memory.
        if self.awaited || (asked == Asked::Read && self.is_large) {
            return false;
        }
        match self.file() {
            Some(Draft { body: Body::Code(..), .. }) => false,
            // Its openers keep the state that it has by then.
            Some(_) => !(self.is_open && matches!(asked, Asked::Remove(_) | Asked::End)),
            None => by_name && !self.is_open,
        }
    }
}
