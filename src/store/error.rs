//! One type for what can go wrong below, and what it becomes above.

use crate::panics::panic_text;
use redb::Error;
use std::cell::Cell;
use std::fmt;
use std::io::{self, ErrorKind};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

pub(super) type Result<T, E = Error> = std::result::Result<T, E>;

/// Why another program's file is refused.
pub(super) const NO_STORE: &str = "is not a telefile store";

/// The data is not what was written.
pub(super) fn damaged(what: impl Into<String>) -> Error {
    Error::Corrupted(what.into())
}

/// The data is another program's, or a later version's.
pub(super) fn foreign(what: impl Into<String>) -> Error {
    Error::Io(io::Error::new(ErrorKind::InvalidData, what.into()))
}

/// The text of an error that names its file.
#[derive(Debug)]
struct Located(String);

impl fmt::Display for Located {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Located {}

/// Returns an error for callers that know files but not databases: with the file's path in front,
/// unless it names another file already.
pub(super) fn at(path: &Path, error: Error) -> io::Error {
    let (kind, text) = match error {
        Error::Io(e) if e.get_ref().is_some_and(|e| e.is::<Located>()) => return e,
        Error::Io(e) => (e.kind(), e.to_string()),
        Error::Corrupted(what) => (ErrorKind::InvalidData, format!("damaged: {what}")),
        Error::PreviousIo => {
            (ErrorKind::Other, "is not written, because the disk failed before".into())
        }
        Error::DatabaseClosed => {
            let why = "is closed, because the server stops, or because the disk failed before";
            (ErrorKind::Other, why.into())
        }
        other => (ErrorKind::Other, other.to_string()),
    };
    io::Error::new(kind, Located(format!("{}: {text}", path.display())))
}

/// Returns an error of a file that is not the database.
pub(super) fn of_file(path: &Path, error: Error) -> Error {
    Error::Io(at(path, error))
}

thread_local! {
    static IS_GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Runs work that reads or changes a database, which panics where a page of it is damaged.
pub(super) fn guarded<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    let before = IS_GUARDED.replace(true);
    let done = catch_unwind(AssertUnwindSafe(work));
    IS_GUARDED.set(before);
    done.unwrap_or_else(|panic| {
        Err(damaged(format!("a page cannot be read: {}", panic_text(&*panic))))
    })
}

/// Returns whether a panic of this thread is caught and reported as damage.
#[cfg(feature = "cli")]
pub(crate) fn is_guarded() -> bool {
    IS_GUARDED.get()
}
