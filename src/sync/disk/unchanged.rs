//! Reads files that were found, unless they have changed since or change meanwhile.

use super::root::{Root, file_stat};
use super::scan::Found;
use super::stat::Stat;
use crate::sync::decide::{Kind, Thing};
use crate::sync::error::{Error, is_gone};
use crate::sync::hash::Hasher;
use crate::sync::path::RelPath;
use std::fs::File;
use std::io::{self, Read};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Two writes within one tick of the kernel's clock leave the same times: up to 10 ms.
const TICK: Duration = Duration::from_millis(20);
/// On a disk that keeps whole seconds: only every second one, on FAT.
const COARSE_TICK: Duration = Duration::from_millis(2020);

/// A file that changed while it was read: it is looked at again later.
#[derive(Debug)]
pub(in crate::sync) struct Busy;

/// Returns the content of a file that was found, by reading it.
pub(in crate::sync) fn read_thing(
    root: &Root,
    path: &RelPath,
    found: &Found,
) -> Result<Result<Thing, Busy>, Error> {
    if let Some(thing) = found.thing {
        return Ok(Ok(thing));
    }
    let mut hasher = Hasher::default();
    let read = read_unchanged(root, path, &found.stat, |file| {
        let mut buffer = vec![0; 256 << 10];
        loop {
            match file.read(&mut buffer)? {
                0 => return Ok(()),
                n => hasher.update(&buffer[..n]),
            }
        }
    })?;
    let kind = |()| Kind::File(hasher.finish());
    Ok(read.map(|read| Thing { kind: kind(read), mode: found.stat.mode }))
}

/// Calls `read` with a file that was found, unless it has changed before or changes meanwhile.
pub(in crate::sync) fn read_unchanged<T>(
    root: &Root,
    path: &RelPath,
    stat: &Stat,
    read: impl FnOnce(&mut File) -> io::Result<T>,
) -> Result<Result<T, Busy>, Error> {
    let mut file = match open_unchanged(root, path, stat)? {
        Ok(file) => file,
        Err(busy) => return Ok(Err(busy)),
    };
    let value = read(&mut file).map_err(Error::at(path))?;
    let now = file_stat(&file).map_err(Error::at(path))?;
    Ok(if now == *stat { Ok(value) } else { Err(Busy) })
}

/// Opens a file that was found, unless it has changed since.
pub(in crate::sync) fn open_unchanged(
    root: &Root,
    path: &RelPath,
    stat: &Stat,
) -> Result<Result<File, Busy>, Error> {
    wait_for_tick(stat);
    match root.open_file_and_stat(path) {
        Ok((file, now)) if now == *stat => Ok(Ok(file)),
        Ok(_) => Ok(Err(Busy)),
        Err(e) if is_gone(&e) => Ok(Err(Busy)),
        Err(e) => Err(Error::at(path)(e)),
    }
}

/// Waits until a further write of the file would show in its times.
fn wait_for_tick(stat: &Stat) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let changed = Duration::from_nanos(u64::try_from(stat.ctime).unwrap_or(0));
    // A time in the future, after the clock was set back, is none to wait for.
    let tick = if stat.has_whole_seconds() { COARSE_TICK } else { TICK };
    if let Some(age) = now.checked_sub(changed)
        && age < tick
    {
        std::thread::sleep(tick - age);
    }
}
