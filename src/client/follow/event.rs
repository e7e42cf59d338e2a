//! What a follower reports.

use crate::client::Error;
use crate::version::{Epoch, Version};

/// What a [`Follow`](super::Follow) has found.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// A file exists: it was there from the start, or it is new, or it has changed. Between two of
    /// these the file may have changed several times, or been deleted and made again.
    Put {
        /// The file's name.
        name: String,
        /// The version of its latest change.
        version: Version,
        /// The length of its contents, as far as it is known without running a type's code.
        numbytes: u64,
        /// Whether the file was not known to exist before this event.
        is_new: bool,
    },
    /// A file that was reported no longer exists.
    Deleted {
        /// The name that it had.
        name: String,
        /// The version that its end has taken. If the server has forgotten that, the version of the
        /// list that the file was missing from, which is later.
        version: Version,
    },
    /// The events so far add up to the state of the table at this version: all files that exist then
    /// have been reported, and all others that were reported have been reported as deleted.
    ///
    /// Comes after the first list, after each group of changes, and after everything that interrupts
    /// them.
    Current(Version),
    /// The server has forgotten deletions, so it cannot say what has changed. The files are listed
    /// again: the events up to the next [`Current`](Event::Current) are what the list shows to be
    /// different.
    Compacted,
    /// The connection is lost, or cannot be made yet, or the server has no room: this is why. Until
    /// the next [`Current`](Event::Current) the files may have changed without an event. The next
    /// call tries again after a pause, and to stop trying is to drop the follower.
    ///
    /// Only if the follower [reconnects](super::Follow::reconnect), or its client has several
    /// addresses.
    Interrupted(Error),
    /// The new connection is to another table, of this epoch: the server was restarted without its
    /// files, or with those of a backup. The versions of all events before mean nothing there.
    ///
    /// Its files are listed from scratch. Until the next [`Current`](Event::Current) there is a
    /// [`Put`](Event::Put) for each of them, also for one that looks the same, and a
    /// [`Deleted`](Event::Deleted) for each file that was reported before and does not exist there.
    OtherTable(Epoch),
}
