//! `telefile restore`: makes a folder of `--data` from a backup, as a table of its own.

use crate::cli::failure::{Failure, Outcome};
use crate::cli::half_made::remove_half_made_on_signals;
use crate::cli::panics::report_once;
use crate::cli::streams::stdin;
use crate::server::system::draw_epoch;
use crate::store::{CommitError, Durable, Options};
use clap::Args;
use std::fs::File;
use std::path::{Path, PathBuf};

/// Restore a backup to a folder for --data, with a new epoch
#[derive(Args)]
#[command(
    allow_missing_positional = true,
    override_usage = "\
telefile restore FILE DIR
       telefile restore --new-epoch DIR",
    after_help = "\
Examples:
  telefile restore monday.telefile /var/lib/telefile2
  telefile restore --new-epoch /var/lib/telefile    # after you have copied a folder back yourself"
)]
pub(crate) struct Settings {
    /// The backup; - is stdin
    #[arg(required_unless_present = "new_epoch", conflicts_with = "new_epoch")]
    file: Option<PathBuf>,
    /// The folder, which is missing or empty, unless --new-epoch is given
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// Restore nothing: give the files in DIR, which you copied there yourself, a new epoch
    #[arg(long)]
    new_epoch: bool,
}

impl Settings {
    pub(crate) fn run(self) -> Outcome {
        let epoch = draw_epoch().map_err(Failure::failed)?;
        report_once(crate::store::is_guarded);
        remove_half_made_on_signals();
        match self.file {
            Some(file) => put_back(&file, &self.folder, epoch),
            None => renew(&self.folder, epoch),
        }
    }
}

/// Restores a backup into a folder.
fn put_back(file: &Path, folder: &Path, epoch: u64) -> Outcome {
    let restored = if file.as_os_str() == "-" {
        Durable::restore(folder, stdin()?, "stdin", epoch)
    } else {
        let name = file.display().to_string();
        let from = File::open(file).map_err(|e| Failure::failed(format!("{name}: {e}")))?;
        Durable::restore(folder, from, &name, epoch)
    };
    restored.map_err(Failure::failed)
}

/// Gives the table in a folder a new epoch.
fn renew(folder: &Path, epoch: u64) -> Outcome {
    let store = Durable::open_existing(folder, Options::default()).map_err(Failure::failed)?;
    store.renew_epoch(epoch).map_err(|e| match e {
        CommitError::Failed(e) => Failure::failed(e),
        CommitError::Full(_) => Failure::failed(format!("{}: the disk is full", folder.display())),
    })
}
