//! Temporary files in the marker's folder.

use super::root::Root;
use super::stat::Stat;
use crate::sync::error::Error;
use crate::sync::hash::{Hash, Hasher};
use crate::sync::path::RelPath;
use std::fs::File;
use std::io::{ErrorKind, Read};

/// What temporary files are called while they arrive, and before they are put in place. Neither has
/// ever been in the folder.
pub(in crate::sync) const PART: &str = "part-";
pub(in crate::sync) const NEW: &str = "new-";

/// A file in the marker's folder that is complete.
#[derive(Debug)]
pub(in crate::sync) struct Temporary {
    pub(in crate::sync) name: RelPath,
    pub(in crate::sync) stat: Stat,
    /// Kept by the first few of a batch, to be flushed alone.
    pub(in crate::sync) file: Option<File>,
}

pub(in crate::sync) fn hash_of(root: &Root, path: &RelPath) -> Result<Hash, Error> {
    let mut hasher = Hasher::default();
    let mut buffer = vec![0; 64 << 10];
    let mut file = root.open_file(path).map_err(Error::at(path))?;
    loop {
        match file.read(&mut buffer).map_err(Error::at(path))? {
            0 => return Ok(hasher.finish()),
            n => hasher.update(&buffer[..n]),
        }
    }
}

pub(in crate::sync) fn remove_if_there(root: &Root, path: &RelPath) -> std::io::Result<()> {
    match root.remove_file(path) {
        Err(e) if e.kind() != ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}

pub(in crate::sync) fn swap_name(n: usize) -> RelPath {
    fixed(&format!("swap-{n}"))
}

/// Where the old file goes if it cannot change places with the new one.
pub(in crate::sync) fn out_name(n: usize) -> RelPath {
    fixed(&format!("out-{n}"))
}

pub(in crate::sync) fn fixed(name: &str) -> RelPath {
    RelPath::new(name.as_bytes()).expect("one of ours")
}
