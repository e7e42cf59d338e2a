//! Waiting for one file to leave a version.

use super::Table;
use super::locked::Locked;
use crate::files::state::watchers::{Awaited, News};
use crate::name::FileRef;
use crate::refusal::Refusal;
use crate::waker::Waker;
use std::sync::Arc;

/// The result of [`Table::wait`].
#[derive(Debug)]
pub(crate) enum Wait<'a> {
    /// The version that the file is at; 0 if there is no file.
    Now(u64),
    /// The file is still at the version that it has to leave.
    Later(Waiter<'a>),
}

/// A wait for one file.
#[derive(Debug)]
pub(crate) struct Waiter<'a> {
    place: Place<'a>,
    version: u64,
}

/// A place among the waiters for something, released on drop.
#[derive(Debug)]
pub(in crate::files) struct Place<'a> {
    table: &'a Table,
    awaited: Awaited,
    news: Arc<News>,
    left: bool,
}

impl<'a> Waiter<'a> {
    /// Returns the waker, which becomes readable when the file has changed or the table is closed.
    pub(crate) fn waker(&self) -> &Waker {
        self.place.waker()
    }

    /// Looks at the file again. Goes on waiting only if [woken](Waiter::waker) with the file still
    /// at the old version: a file that was made and deleted again is at 0 as before.
    ///
    /// # Errors
    /// [`Refusal::Internal`] if no file descriptor is left to wait with.
    pub(crate) fn look(self) -> Result<Wait<'a>, Refusal> {
        let Waiter { place, version } = self;
        let (table, awaited) = (place.table, place.awaited.clone());
        let (locked, news) = place.leave();
        drop(locked);
        table.wait_for(awaited, version, news.first().is_some())
    }
}

impl<'a> Place<'a> {
    /// Joins the waiters. Returns `None` if the table is closed.
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

    /// Releases the place. The news holds everything that changed before this lock.
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
            Awaited::Name(name) => Some(FileRef::Name(name.as_name_ref())),
            Awaited::File(fd) => Some(FileRef::Descriptor(*fd)),
        }
    }
}

impl Table {
    /// Waits until the file is not at `version`; 0 is the version of a name without a file. Without
    /// `waits` it only looks. No change of another file wakes it, whatever its name.
    ///
    /// A file given by its descriptor has a version even when it has lost its name. Somebody has to
    /// have it open during the whole wait.
    ///
    /// # Errors
    /// [`Refusal::Internal`] if no file descriptor is left to wait with.
    pub(crate) fn wait(
        &self,
        file: FileRef<'_>,
        version: u64,
        waits: bool,
    ) -> Result<Wait<'_>, Refusal> {
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
