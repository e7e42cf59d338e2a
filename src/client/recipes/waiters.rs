//! A waiting line: an ephemeral file for each waiter, named after its version, so that byte order
//! is the order of arrival.

use super::deadline::Deadline;
use super::lock::Guard;
use super::token::FencingToken;
use crate::client::{Change, Client, Error, Listed};
use crate::exptime::Exptime;
use crate::name::Stem;
use crate::refusal::Refusal;
use crate::version::Version;

/// A line, identified by the prefix of its places' names.
#[derive(Clone, Debug)]
pub(super) struct Waiters {
    pub(super) client: Client,
    pub(super) prefix: String,
}

impl Waiters {
    /// Returns the line of the recipe `name`: its places are `NAME/` and a number.
    pub(super) fn new(client: &Client, name: &str) -> Self {
        Waiters { client: client.clone(), prefix: format!("{name}/") }
    }

    /// Takes the last place. Dropping the guard leaves it.
    pub(super) fn join(&self, contents: &[u8]) -> Result<Guard, Error> {
        let (version, name) = self.client.create(&self.prefix, contents, Exptime::Connection)?;
        Ok(Guard::new(&self.client, &name, FencingToken(version)))
    }

    /// Returns all places in order, and the version as of which this is true.
    pub(super) fn places(&self) -> Result<(Vec<Listed>, Version), Error> {
        let list = self.client.list(&self.prefix)?;
        let as_of = list.version();
        let mut places = list.collect::<Result<Vec<_>, _>>()?;
        // A file that stays does not belong to a waiter, and would never leave.
        places.retain(|p| self.is_place(&p.name) && p.exptime == Exptime::Connection);
        Ok((places, as_of))
    }

    /// Returns whether a name is a place's: there may be other files beside the places.
    pub(super) fn is_place(&self, name: &str) -> bool {
        let number = name.strip_prefix(&self.prefix).unwrap_or_default();
        number.len() == Stem::DIGITS && number.bytes().all(|b| b.is_ascii_digit())
    }

    /// Waits until fewer than `seats` places are before this one; false if the time is over.
    pub(super) fn wait(
        &self,
        place: &Guard,
        seats: usize,
        deadline: Deadline,
    ) -> Result<bool, Error> {
        loop {
            let (places, mut as_of) = self.places()?;
            let Some(before) = places.iter().position(|p| p.name == place.name()) else {
                let file = Some(place.name().to_string());
                return Err(Error::Refused { file, refusal: Refusal::NotFound });
            };
            if before < seats {
                return Ok(true);
            }
            let waited = match seats {
                // The only place to wait for is the one before this, so no other wakes the waiter.
                1 => {
                    let Listed { name, version, .. } = &places[before - 1];
                    deadline.wait(&self.client, name, *version)?
                }
                _ => self.someone_left(&places[before].name, &mut as_of, deadline)?,
            };
            if !waited {
                return Ok(false);
            }
        }
    }

    /// Waits until a place before `place` is left.
    fn someone_left(
        &self,
        place: &str,
        since: &mut Version,
        deadline: Deadline,
    ) -> Result<bool, Error> {
        while let Some(changes) = deadline.watch(&self.client, &self.prefix, since)? {
            let changes = changes.changes;
            let left = |c: &Change| c.numbytes.is_none() && c.name.as_str() <= place;
            if changes.is_empty() || changes.iter().any(left) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
