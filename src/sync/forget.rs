//! Removes a session from its server.

use super::error::Error;
use super::server::remote::Remote;
use super::settings::Settings;
use crate::name::{IdForLog, is_session_id};

/// Removes a session and all that belongs to it from a server, and returns the number of its files and
/// folders. The synchronised folders stay as they are.
///
/// # Errors
/// See [`Error`].
pub fn forget(settings: &Settings, id: &str) -> Result<u64, Error> {
    if !is_session_id(id) {
        return Err(Error::Refused(format!("{} is no id: 32 hex digits", IdForLog(id))));
    }
    let remote = Remote::connect(settings.builder(), &settings.address, id)?;
    if !remote.exists()? {
        return Err(Error::Refused(format!("the server does not know {}", IdForLog(id))));
    }
    // First what says that it exists: clients stop at that, instead of taking it for deletions.
    remote.delete("m", None)?;
    let mut count = 0;
    loop {
        let names: Vec<_> = remote.list("")?.versions.into_iter().map(|(name, _)| name).collect();
        if names.is_empty() {
            return Ok(count);
        }
        // The other names are chunks, and what the clients need.
        count += names.iter().filter(|name| name.starts_with("e/")).count() as u64;
        remote.delete_all(&names)?;
    }
}
