//! Changing a file by what is in it: read, compute, write only if nobody was faster, or else again.

use super::failure::Failure;
use super::remote::change_failed;
use crate::client::{Client, Error};
use crate::exptime::Exptime;
use crate::name::ForLog;
use crate::refusal::Refusal;
use crate::version::Version;
use std::time::{Duration, Instant};

/// A file before a change.
pub(super) struct Old {
    pub(super) contents: Vec<u8>,
    /// 0 if there is no file.
    pub(super) version: Version,
}

impl Old {
    pub(super) fn is_absent(&self) -> bool {
        self.version == Version::ABSENT
    }
}

/// A file after a change.
pub(super) struct Changed {
    pub(super) version: Version,
    /// Whether something was written.
    pub(super) is_new: bool,
}

/// What to do about a file.
pub(super) struct Change<'a> {
    pub(super) name: &'a str,
    /// What an absent file counts as; without that, it is a failure.
    pub(super) default: Option<&'a [u8]>,
    /// When the file expires; without that, as before.
    pub(super) exptime: Option<Exptime>,
}

impl Change<'_> {
    /// Writes what `compute` returns for the contents of the file, or nothing if that is `None`.
    /// Computes again for each change that another client makes meanwhile: each of those attempts
    /// means that somebody else's change has succeeded.
    pub(super) fn make<E: From<Failure>>(
        &self,
        client: &Client,
        mut compute: impl FnMut(&Old) -> Result<Option<Vec<u8>>, E>,
    ) -> Result<Changed, E> {
        loop {
            let asked = Instant::now();
            let (old, exptime) = self.read(client)?;
            let Some(new) = compute(&old)? else {
                return Ok(Changed { version: old.version, is_new: false });
            };
            let exptime = self.exptime.unwrap_or_else(|| left(exptime, asked.elapsed()));
            match client.cas_expiring(self.name, old.version, new, exptime) {
                Ok(version) => return Ok(Changed { version, is_new: true }),
                Err(Error::Refused { refusal: Refusal::Version(_), .. }) => {}
                Err(e) => return Err(change_failed(e).into()),
            }
        }
    }

    fn read(&self, client: &Client) -> Result<(Old, Exptime), Failure> {
        let file = match (client.read(self.name), self.default) {
            (Err(Error::Refused { refusal: Refusal::NotFound, .. }), Some(default)) => {
                let old = Old { contents: default.to_vec(), version: Version::ABSENT };
                return Ok((old, Exptime::Never));
            }
            (file, _) => file?,
        };
        if file.exptime == Exptime::Connection && self.exptime.is_none() {
            let name = ForLog(self.name);
            return Err(Failure::failed(format!(
                "{name} ends with the connection of another client, which a change would alter; \
                 --exptime does that"
            )));
        }
        let old = Old { contents: file.contents.to_vec(), version: file.version };
        Ok((old, file.exptime))
    }
}

/// Returns what is left of an exptime after some time. At least a second: 0 is never.
fn left(exptime: Exptime, time: Duration) -> Exptime {
    match exptime {
        Exptime::Seconds(seconds) => {
            Exptime::Seconds(seconds.saturating_sub(time.as_secs()).max(1))
        }
        exptime => exptime,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exptime_does_not_start_again() {
        let after = |exptime, ms| left(exptime, Duration::from_millis(ms));
        assert_eq!(after(Exptime::Seconds(9), 900), Exptime::Seconds(9));
        assert_eq!(after(Exptime::Seconds(9), 3000), Exptime::Seconds(6));
        assert_eq!(after(Exptime::Seconds(9), 99_000), Exptime::Seconds(1));
        assert_eq!(after(Exptime::Never, 99_000), Exptime::Never);
    }
}
