//! `telefile backup`: saves the table in the folder of a server that is not running into one file.

use crate::cli::failure::{Failure, Outcome};
use crate::cli::half_made::remove_half_made_on_signals;
use crate::cli::panics::report_once;
use crate::store::{ReadOnly, create_whole};
use clap::Args;
use std::io;
use std::path::PathBuf;

/// Save the files in a folder of --data, which no server may be using, to a new file
#[derive(Args)]
#[command(after_help = "\
Examples:
  telefile backup /var/lib/telefile monday.telefile
  telefile backup /var/lib/telefile - | gzip > monday.telefile.gz")]
pub(crate) struct Settings {
    /// The folder of --data; it is only read
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// The file to make, which must not exist; - is stdout
    file: PathBuf,
}

impl Settings {
    pub(crate) fn run(self) -> Outcome {
        report_once(crate::store::is_guarded);
        remove_half_made_on_signals();
        let store = ReadOnly::open(&self.folder).map_err(Failure::failed)?;
        let written = match self.file.as_os_str() == "-" {
            true => store.backup(io::stdout().lock(), "stdout"),
            false => {
                let name = self.file.display().to_string();
                create_whole(&self.file, |to| store.backup(to, &name))
            }
        };
        written.map_err(Failure::failed)
    }
}
