//! The `session` command: makes the id under which folders are kept equal.
//!
//! Everything else about a session is ordinary files of the table, below `s/<id>/`.

use super::Session;
use super::answer::{Answer, Outcome};
use crate::contents::Contents;
use crate::files::Expiry;
use crate::name::{FileRef, Name, NameRef};
use crate::random;
use crate::refusal::Refusal;

impl<'a> Session<'a> {
    /// Returns the session with this id if there is one, or else makes one with a new id.
    pub(super) fn session(&self, id: Option<&str>) -> Result<Outcome<'a>, Refusal> {
        let table = &self.server.table;
        let existing = id.filter(|id| table.stat(FileRef::Name(file(id).as_name_ref())).is_ok());
        let epoch = table.epoch();
        if let Some(id) = existing.map(String::from) {
            let rev = table.totals().version;
            return Ok(Outcome::Answer(Answer::Session { id, epoch, rev, is_new: false }));
        }
        let id = new_id()?;
        let (name, empty) = (file(&id), Contents::from(""));
        let decided =
            table.cas(FileRef::Name(name.as_name_ref()), 0, empty, Expiry::Never, self.client)?;
        Outcome::decided(decided, |rev| Answer::Session { id, epoch, rev, is_new: true })
    }
}

/// Returns 32 hex digits that nobody can guess.
fn new_id() -> Result<String, Refusal> {
    random::draw_secret().map_err(|e| {
        log::error!("no session can be made: {e}");
        Refusal::Internal
    })
}

/// Returns the name of the file that exists while the session does.
fn file(id: &str) -> Name {
    let name = format!("s/{id}/m");
    NameRef::new(&name).expect("an id has only hex digits").to_name()
}
