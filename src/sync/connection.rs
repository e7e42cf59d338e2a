//! The connection of a folder to its server: whether that has the table that the rows are about, and
//! the session.

use super::error::Error;
use super::folder::Folder;
use super::id::forgotten;
use super::server::listing::Listing;
use super::server::remote::Remote;
#[cfg(test)]
use super::steps::{Fault, has};

impl Folder<'_> {
    /// Compares the table of a new connection with that of the rows.
    pub(super) fn meet(&mut self) -> Result<(), Error> {
        let epoch = self.remote()?.epoch();
        if self.index.epoch().is_some_and(|known| known != epoch) {
            self.notice("the server has another table: both sides are merged, nothing is deleted");
        }
        self.listing = Listing::default();
        self.refused.clear();
        let is_same = self.index.epoch() == Some(epoch);
        #[cfg(test)]
        if has(Fault::NoEpoch) {
            self.index.set_epoch_keeping_rows(epoch);
        }
        // Such as a copy of the server's disk that was put back.
        let newest = self.index.rows().values().map(|row| row.version).max();
        if is_same && (newest > Some(self.remote()?.latest_version()?) || !self.seal_holds()?) {
            self.notice("the server has an older table: both sides are merged, nothing is deleted");
            self.index.forget_all();
        }
        self.index.set_epoch(epoch);
        self.index.commit()?;
        // A server that has lost its table does not know the session either.
        if !self.remote()?.exists()? {
            self.remote()?.make_again()?;
        }
        Ok(())
    }

    /// Connects again, if the connection is lost.
    pub(super) fn connect(&mut self) -> Result<(), Error> {
        if self.remote.is_none() {
            let builder = self.settings.builder();
            let remote = Remote::connect(builder, &self.settings.address, &self.id)?;
            if self.index.epoch() == Some(remote.epoch()) {
                self.check_not_forgotten(&remote)?;
            }
            self.remote = Some(remote);
            self.meet()?;
        }
        Ok(())
    }

    /// Checks that the session was not removed on purpose: that is no deletion of its files.
    pub(super) fn check_not_forgotten(&self, remote: &Remote) -> Result<(), Error> {
        match remote.exists()? {
            true => Ok(()),
            false => Err(Error::Refused(forgotten(&self.id))),
        }
    }

    pub(super) fn remote(&self) -> Result<&Remote, Error> {
        self.remote.as_ref().ok_or(Error::Stopped)
    }
}
