//! What must hold for a system and a folder before anything in the folder is changed.

use super::disk::marker::{ID, Marker};
use super::disk::root::{Rename, Root};
use super::error::{Error, is_full};
use super::path::{MARKER, RelPath};
use super::steps::exchanges;
use rustix::io::Errno;
use std::io::ErrorKind;
use std::path::Path;

/// Checks that the system can open a path without following a symlink.
pub(super) fn check_system(root: &Root) -> Result<(), Error> {
    root.open_root(".").map(drop).map_err(|e| {
        let is_refused = Errno::from_io_error(&e) == Some(Errno::PERM);
        match e.kind() == ErrorKind::Unsupported || is_refused {
            true => Error::Unsupported(
                "folder synchronisation needs openat2(2), which Linux has from 5.6 on: this system \
                 lacks it, or a filter refuses it"
                    .to_string(),
            ),
            false => Error::about("the folder")(e),
        }
    })
}

/// Refuses a folder inside of another one that is synchronised, unless it was synchronised before: then
/// the other one leaves it alone.
pub(super) fn check_not_nested(path: &Path) -> Result<(), Error> {
    if path.join(MARKER).join(ID).is_file() {
        return Ok(());
    }
    match path.ancestors().skip(1).find(|above| above.join(MARKER).is_dir()) {
        Some(above) => Err(Error::Refused(format!(
            "{}: it is in {}, which is synchronised itself",
            path.display(),
            above.display()
        ))),
        None => Ok(()),
    }
}

/// Returns whether two files can change places in the folder.
pub(super) fn test_renames(marker: &Marker) -> Result<bool, Error> {
    let temporary = &marker.temporary;
    let name = |text: &str| RelPath::new(text.as_bytes()).expect("one of ours");
    let (a, b) = (name("test-a"), name("test-b"));
    let clear = || [&a, &b].into_iter().for_each(|path| drop(temporary.remove_file(path)));
    clear();
    let test = || {
        temporary.create_file("test-a")?;
        temporary.rename(&a, temporary, &b, Rename::ToFree)?;
        temporary.create_file("test-a")?;
        Ok(temporary.rename(&a, temporary, &b, Rename::Exchange).is_ok() && exchanges())
    };
    let exchanges = test().map_err(|e: std::io::Error| {
        if is_full(&e) {
            return Error::about("the folder")(e);
        }
        let why = "the folder's file system cannot rename without replacing (renameat2(2))";
        Error::Unsupported(format!("{why}: {e}"))
    });
    clear();
    exchanges
}
