//! Which session a folder belongs to: the one that its marker names, the given one, or a new one.

use super::disk::marker::Marker;
use super::error::Error;
use super::path::MARKER;
use super::server::remote::Remote;
use super::settings::Settings;
use super::state::State;
use super::state::index::Index;
use crate::client::Client;
use crate::name::IdForLog;
use crate::version::Epoch;
use std::path::Path;

/// Stands for the id that the server would make, in a dry run.
pub(super) const NOT_MADE: &str = "00000000000000000000000000000000";

/// Returns the id to synchronise a folder under. The server has it, or is going to get it back.
pub(super) fn choose_id(
    settings: &Settings,
    client: &Client,
    marker: &Marker,
    had_marker: bool,
    home: &Path,
    path: &Path,
) -> Result<String, Error> {
    let (id, is_marked) = match (marker.id()?, settings.id.as_deref()) {
        (Some(marked), Some(given))
            if marked != given && !settings.new && settings.is_default_id =>
        {
            (marked, true)
        }
        (Some(marked), Some(given)) if marked != given && !settings.new => {
            return Err(Error::Refused(format!(
                "the folder is synchronised under {}, not {}; --new changes that",
                IdForLog(&marked),
                IdForLog(given)
            )));
        }
        (Some(marked), None) if !settings.new => (marked, true),
        (Some(marked), Some(given)) if marked == given => (marked, true),
        (_, Some(given)) => (given.to_string(), false),
        (_, None) => {
            if !had_marker && !settings.new {
                for state in State::all_of(home, path).map_err(Error::of(home))? {
                    check_marker(state)?;
                }
            }
            return match settings.dry_run {
                true => Ok(NOT_MADE.to_string()),
                false => Ok(client.session(None)?.id),
            };
        }
    };
    let state = || State::at(home, &id, path);
    if !had_marker && !settings.new && state().folder.exists() {
        check_marker(state())?;
    }
    let exists = Remote::new(client.clone(), settings, &id).exists()?;
    match (exists, is_marked) {
        (true, _) => Ok(id),
        // A server that has lost its table: the clients bring everything back.
        (false, true) if epoch_of(state())? != Some(client.epoch()) => match state().server() {
            Some(server) if server != settings.address && !settings.new => {
                Err(Error::Refused(elsewhere(&id, &settings.address, &server)))
            }
            _ => Ok(id),
        },
        (false, _) if settings.new && settings.dry_run => Ok(NOT_MADE.to_string()),
        (false, _) if settings.new => Ok(client.session(Some(&id))?.id),
        (false, true) => Err(Error::Refused(forgotten(&id))),
        (false, false) => Err(Error::Refused(format!(
            "the server does not know {}; --new makes another id",
            IdForLog(&id)
        ))),
    }
}

/// Checks that a folder without a marker has never been synchronised: else it is the empty one under
/// an unmounted disk.
fn check_marker(mut state: State) -> Result<(), Error> {
    state.lock()?;
    let index = Index::open(&state.folder)?;
    match index.rows().is_empty() {
        true => Ok(()),
        false => Err(Error::Guard(format!(
            "the folder was synchronised before, and {MARKER} is not in it: is it mounted? With \
             the id, --new joins again; without one it starts another. Neither deletes anything"
        ))),
    }
}

/// Returns the epoch of the table that the rows of a state belong to.
fn epoch_of(mut state: State) -> Result<Option<Epoch>, Error> {
    if !state.folder.exists() {
        return Ok(None);
    }
    state.lock()?;
    Ok(Index::open(&state.folder)?.epoch())
}

/// Returns what to say about an id that a server at a new address does not know: the folder may be
/// on its way to a stranger.
fn elsewhere(id: &str, address: &str, before: &str) -> String {
    format!(
        "the server at {address} does not know {}, which was last synchronised with {before}; if the \
         new address is right, give the id and --new: nothing is deleted",
        IdForLog(id)
    )
}

/// Returns what to say about an id that was removed on purpose.
pub(super) fn forgotten(id: &str) -> String {
    format!("{} was removed from the server; --new makes another id", IdForLog(id))
}
