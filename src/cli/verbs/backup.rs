//! `telefile backup` and `telefile restore`: save the table in the folder of a server that is not
//! running into one file, and restore it.

use crate::cli::failure::{Failure, Outcome};
use crate::cli::flags::{self, Flag, Takes};
use crate::cli::panics::report_damage_once;
use crate::cli::signals;
use crate::cli::streams::stdin;
use crate::server::system::draw_epoch;
use crate::store::{CommitError, Durable, Options, ReadOnly, create_whole, remove_half_made};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use std::fs::File;
use std::io;
use std::path::Path;
use std::process;

pub(crate) const BACKUP: &str = "the table in a folder of --data to a new file";
pub(crate) const RESTORE: &str = "a backup to a new folder of --data, as a table of its own";

/// Stands for stdin or stdout instead of a file.
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

pub(crate) fn backup(args: lexopt::Parser) -> Outcome {
    let what = "the table in DIR, where no server may run, to a new FILE; -: to stdout";
    let operands = flags::parse_operands("backup", "DIR FILE", what, &[], args, &mut ())?;
    let Some([folder, file]) = operands.as_deref() else { return Ok(()) };
    report_damage_once();
    remove_half_made_on_signals();
    let store = ReadOnly::open(folder.as_ref()).map_err(Failure::failed)?;
    let written = match &file[..] {
        STREAM => store.backup(io::stdout().lock(), "stdout"),
        file => create_whole(file.as_ref(), |to| store.backup(to, file)),
    };
    written.map_err(Failure::failed)
}

/// Makes SIGINT, SIGTERM and SIGHUP leave nothing half-made behind. What a signal that cannot be
/// handled leaves is removed by the next backup to this file or restore into this folder.
fn remove_half_made_on_signals() {
    let _ = signals::each(&[SIGHUP, SIGINT, SIGTERM], |_| {
        remove_half_made();
        process::exit(130); // 128 + SIGINT, as a shell shows it
    });
}

pub(crate) fn restore(args: lexopt::Parser) -> Outcome {
    let what = "a backup to DIR, which is missing or empty; -: from stdin. Or a new epoch alone";
    let mut new_epoch = false;
    let flags = [NEW_EPOCH];
    let operands =
        flags::parse_operands("restore", "[FILE] DIR", what, &flags, args, &mut new_epoch)?;
    let Some(operands) = operands else { return Ok(()) };
    let epoch = draw_epoch().map_err(Failure::failed)?;
    report_damage_once();
    remove_half_made_on_signals();
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
