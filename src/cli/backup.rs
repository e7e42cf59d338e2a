//! `telefile backup` and `telefile restore`: the table in the folder of a server that does not
//! run, into one file and back.

use super::flags::{self, Flag, Takes};
use super::streams::stdin;
use super::{Failure, Outcome, tell_damage_once};
use crate::server::system::draw_epoch;
use crate::store::{CommitError, Durable, Options};
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

pub(super) const BACKUP: &str = "the table in a folder of --data to a new file";
pub(super) const RESTORE: &str = "a backup to a new folder of --data, as a table of its own";

/// stdin or stdout instead of a file.
const STREAM: &str = "-";

const NEW_EPOCH: Flag<bool> = Flag {
    name: "new-epoch",
    takes: Takes::Nothing,
    variable: "",
    help: "no backup: DIR was put back by other means, and becomes a table of its own",
    set: |new_epoch, _| {
        *new_epoch = true;
        Ok(())
    },
};

pub(super) fn backup(args: lexopt::Parser) -> Outcome {
    let what = "the table in DIR, where no server may run, to a new FILE; -: to stdout";
    let operands = flags::parse_operands("backup", "DIR FILE", what, &[], args, &mut ())?;
    let Some([folder, file]) = operands.as_deref() else { return Ok(()) };
    let file = Path::new(file);
    let to_stream = file == Path::new(STREAM);
    if !to_stream && file.symlink_metadata().is_ok() {
        return Err(Failure::failed(format!("{}: is there already", file.display())));
    }
    tell_damage_once();
    let store = Durable::open_existing(folder.as_ref(), Options::default());
    let store = store.map_err(Failure::failed)?;
    let written = match to_stream {
        true => store.backup(io::stdout().lock(), "stdout"),
        false => whole(file, |to| store.backup(to, &file.to_string_lossy())),
    };
    written.map_err(Failure::failed)
}

/// Writes a file under another name beside it, which becomes its own when all of it is on disk.
fn whole(path: &Path, write: impl FnOnce(&File) -> io::Result<()>) -> io::Result<()> {
    let told = |e: io::Error| io::Error::new(e.kind(), format!("{}: {e}", path.display()));
    let mut unfinished = OsString::from(path);
    unfinished.push(".unfinished");
    let unfinished = Path::new(&unfinished);
    match fs::remove_file(unfinished) {
        Err(e) if e.kind() != ErrorKind::NotFound => return Err(told(e)),
        _ => {}
    }
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(unfinished);
    let file = file.map_err(told)?;
    let written = write(&file).and_then(|()| {
        file.sync_all().map_err(told)?;
        fs::rename(unfinished, path).map_err(told)?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new("."))).and_then(|f| f.sync_all()).map_err(told)
    });
    if written.is_err() {
        let _ = fs::remove_file(unfinished);
    }
    written
}

pub(super) fn restore(args: lexopt::Parser) -> Outcome {
    let what = "a backup to DIR, which is missing or empty; -: from stdin. Or a new epoch alone";
    let mut new_epoch = false;
    let flags = [NEW_EPOCH];
    let operands =
        flags::parse_operands("restore", "[FILE] DIR", what, &flags, args, &mut new_epoch)?;
    let Some(operands) = operands else { return Ok(()) };
    let epoch = draw_epoch().map_err(Failure::failed)?;
    tell_damage_once();
    match (new_epoch, &operands[..]) {
        (true, [folder]) => renew(folder.as_ref(), epoch),
        (true, _) => Err(Failure::usage("restore: --new-epoch takes DIR alone")),
        (false, [file, folder]) => put_back(file, folder.as_ref(), epoch),
        (false, _) => Err(Failure::usage("restore: DIR is missing")),
    }
}

fn put_back(file: &str, folder: &Path, epoch: u64) -> Outcome {
    let restored = if file == STREAM {
        Durable::restore(folder, stdin()?, "stdin", epoch)
    } else {
        let from = File::open(file).map_err(|e| Failure::failed(format!("{file}: {e}")))?;
        Durable::restore(folder, from, file, epoch)
    };
    restored.map_err(Failure::failed)
}

fn renew(folder: &Path, epoch: u64) -> Outcome {
    let store = Durable::open_existing(folder, Options::default()).map_err(Failure::failed)?;
    store.renew_epoch(epoch).map_err(|e| match e {
        CommitError::Failed(e) => Failure::failed(e),
        CommitError::Full(_) => Failure::failed(format!("{}: the disk is full", folder.display())),
    })
}
