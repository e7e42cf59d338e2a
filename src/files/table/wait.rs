//! Waiting until one file is at another version.

use super::Table;
use super::locked::Locked;
use crate::files::state::watchers::{Awaited, News};
use crate::name::FileRef;
use crate::refusal::Refusal;
use crate::waker::Waker;
use std::sync::Arc;

/// What [`Table::wait`] finds.
#[derive(Debug)]
pub enum Wait<'a> {
    /// The version that the file is at; 0 if there is none.
    Now(u64),
    /// It still is at the version from which it has to move.
    Later(Waiter<'a>),
}

/// A wait for one file.
#[derive(Debug)]
pub struct Waiter<'a> {
    place: Place<'a>,
    version: u64,
}

/// A place among those who wait for something. It is given back on drop.
#[derive(Debug)]
pub(in crate::files) struct Place<'a> {
    table: &'a Table,
    awaited: Awaited,
    news: Arc<News>,
    left: bool,
}

impl<'a> Waiter<'a> {
    /// Returns what becomes readable when the file has changed, or the table is closed.
    pub fn waker(&self) -> &Waker {
        self.place.waker()
    }

    /// Looks at the file again. Goes on waiting only if it was [woken](Waiter::waker) and the file
    /// is at the old version all the same: a file that was made and deleted again is at 0 as before.
    ///
    /// # Errors
    /// [`Refusal::Internal`] if no file descriptor is left to wait with.
    pub fn look(self) -> Result<Wait<'a>, Refusal> {
        let Waiter { place, version } = self;
        let (table, awaited) = (place.table, place.awaited.clone());
        let (locked, news) = place.leave();
        drop(locked);
        table.wait_for(awaited, version, news.first().is_some())
    }
}

impl<'a> Place<'a> {
    /// Joins those who wait; `None` if the table is closed.
    ///
    /// # Errors
    /// [`Refusal::Internal`] if no file descriptor is left to wait with.
    pub(in crate::files) fn join(
        table: &'a Table,
        mut locked: Locked<'a>,
        awaited: Awaited,
    ) -> Result<Option<Self>, Refusal> {
        match locked.state.watchers.join(&awaited) {
            Ok(news) => Ok(news.map(|news| Place { table, awaited, news, left: false })),
            Err(e) => {
                let what = if matches!(awaited, Awaited::Prefix(_)) { "watch" } else { "wait" };
                log::error!("a {what} cannot wait: {e}");
                Err(Refusal::Internal)
            }
        }
    }

    pub(in crate::files) fn waker(&self) -> &Waker {
        &self.news.waker
    }

    /// Gives the place back. What has changed up to this lock is in the news.
    pub(in crate::files) fn leave(mut self) -> (Locked<'a>, Arc<News>) {
        let mut locked = self.table.lock();
        self.left = true;
        locked.state.watchers.leave(&self.awaited, &self.news);
        (locked, self.news.clone())
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if !self.left {
            self.table.lock().state.watchers.leave(&self.awaited, &self.news);
        }
    }
}

impl Awaited {
    fn file(&self) -> Option<FileRef<'_>> {
        match self {
            Awaited::Prefix(_) => None,
            Awaited::Name(name) => Some(FileRef::Name(name.as_ref())),
            Awaited::File(fd) => Some(FileRef::Descriptor(*fd)),
        }
    }
}

impl Table {
    /// Waits until the file is not at `version`; 0 is the version of a name without a file. Without
    /// `waits` it only looks. No other file's change wakes it, whatever that is called.
    ///
    /// By its descriptor a file is at its version also when it has lost its name. Somebody has to
    /// have it open as long as this waits.
    ///
    /// # Errors
    /// [`Refusal::Internal`] if no file descriptor is left to wait with.
    pub fn wait(&self, file: FileRef<'_>, version: u64, waits: bool) -> Result<Wait<'_>, Refusal> {
        let awaited = match file {
            FileRef::Name(name) => Awaited::Name(name.to_name()),
            FileRef::Descriptor(fd) => Awaited::File(fd),
        };
        self.wait_for(awaited, version, waits)
    }

    fn wait_for(&self, awaited: Awaited, version: u64, waits: bool) -> Result<Wait<'_>, Refusal> {
        let Some(file) = awaited.file() else { return Err(Refusal::Internal) };
        let (table, found) = self.look(file, |entry, _| entry.version);
        let current = found.unwrap_or(0);
        if current != version || !waits {
            return Ok(Wait::Now(current));
        }
        // Under the same lock as the look.
        let place = Place::join(self, table, awaited)?;
        Ok(place.map_or(Wait::Now(current), |place| Wait::Later(Waiter { place, version })))
    }
}
