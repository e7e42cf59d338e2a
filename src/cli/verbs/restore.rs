//! `telefile restore`: makes a folder of `--data` from a backup, or a table in etcd, as a table of its own.

use crate::cli::etcd;
use crate::cli::failure::{Failure, Outcome};
use crate::cli::half_made::remove_half_made_on_signals;
use crate::cli::panics::report_once;
use crate::cli::streams::stdin;
use crate::random;
use crate::store::{CommitError, Durable, Options};
use clap::Args;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Restore a backup to a folder for --data, or to etcd, with a new epoch
#[derive(Args)]
#[command(
    allow_missing_positional = true,
    override_usage = "\
telefile restore FILE DIR
       telefile restore --new-epoch DIR
       telefile restore --etcd URL[,URL...] FILE
       telefile restore --etcd URL[,URL...] --new-epoch",
    after_help = "\
In etcd the prefix may have no table yet. Stop all servers of the prefix first.

Examples:
  telefile restore monday.telefile /var/lib/telefile2
  telefile restore --new-epoch /var/lib/telefile    # after you have copied a folder back yourself
  telefile restore --etcd http://10.0.0.1:2379 monday.telefile
  telefile restore --etcd http://10.0.0.1:2379 --new-epoch   # after a snapshot of etcd was restored"
)]
pub(crate) struct Settings {
    /// The backup; - is stdin
    #[arg(conflicts_with = "new_epoch")]
    file: Option<PathBuf>,
    /// The folder, which is missing or empty, unless --new-epoch is given
    #[arg(value_name = "DIR")]
    folder: Option<PathBuf>,
    /// Restore nothing: give the files in DIR or etcd, which you put back yourself, a new epoch
    #[arg(long)]
    new_epoch: bool,
    #[command(flatten)]
    etcd: etcd::Place,
}

impl Settings {
    pub(crate) fn run(self) -> Outcome {
        let epoch = random::draw().map_err(Failure::failed)?;
        report_once(crate::store::is_guarded);
        remove_half_made_on_signals();
        let missing = |what: &str| {
            Err(Failure::usage(format_args!("{what} is missing; try `telefile restore --help`")))
        };
        if self.etcd.is_given() {
            // The only argument is in the place of the last one.
            return match (self.file, self.folder, self.new_epoch) {
                (None, Some(file), false) => put_back_in_etcd(&self.etcd, &file, epoch),
                (None, None, true) => renew_in_etcd(&self.etcd, epoch),
                (None, None, false) => missing("<FILE> or --new-epoch"),
                (Some(_), ..) => {
                    Err(Failure::usage("--etcd excludes <DIR>: one of them gets the files"))
                }
                (None, Some(_), true) => Err(Failure::usage(
                    "--etcd with --new-epoch restores nothing, and takes no file",
                )),
            };
        }
        match (self.file, self.folder) {
            (Some(file), Some(folder)) => put_back(&file, &folder, epoch),
            (None, Some(folder)) if self.new_epoch => renew(&folder, epoch),
            (None, Some(_)) => missing("<FILE> or <DIR>"),
            (_, None) if self.new_epoch => missing("<DIR> or --etcd"),
            (_, None) => missing("<FILE> with <DIR> or --etcd"),
        }
    }
}

/// Calls `restore` with a backup and its name for errors.
fn with_backup(
    file: &Path,
    restore: impl FnOnce(Box<dyn Read>, &str) -> io::Result<()>,
) -> Outcome {
    let restored = if file.as_os_str() == "-" {
        restore(Box::new(stdin()?), "stdin")
    } else {
        let name = file.display().to_string();
        let from = File::open(file).map_err(|e| Failure::failed(format!("{name}: {e}")))?;
        restore(Box::new(from), &name)
    };
    restored.map_err(etcd::failed)
}

/// Restores a backup into a folder.
fn put_back(file: &Path, folder: &Path, epoch: u64) -> Outcome {
    with_backup(file, |from, name| Durable::restore(folder, from, name, epoch))
}

/// Restores a backup into etcd.
#[cfg(feature = "etcd")]
fn put_back_in_etcd(place: &etcd::Place, file: &Path, epoch: u64) -> Outcome {
    let etcd = place.etcd()?;
    with_backup(file, |from, name| etcd.restore(from, name, epoch))
}

#[cfg(not(feature = "etcd"))]
fn put_back_in_etcd(place: &etcd::Place, _file: &Path, _epoch: u64) -> Outcome {
    Err(place.missing())
}

/// Gives the table in etcd a new epoch.
#[cfg(feature = "etcd")]
fn renew_in_etcd(place: &etcd::Place, epoch: u64) -> Outcome {
    place.etcd()?.renew_epoch(epoch).map_err(etcd::failed)
}

#[cfg(not(feature = "etcd"))]
fn renew_in_etcd(place: &etcd::Place, _epoch: u64) -> Outcome {
    Err(place.missing())
}

/// Gives the table in a folder a new epoch.
fn renew(folder: &Path, epoch: u64) -> Outcome {
    let store = Durable::open_existing(folder, Options::default()).map_err(Failure::failed)?;
    store.renew_epoch(epoch).map_err(|e| match e {
        CommitError::Failed(e) => Failure::failed(e),
        CommitError::Full(_) => Failure::failed(format!("{}: the disk is full", folder.display())),
    })
}
