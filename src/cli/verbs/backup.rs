//! `telefile backup`: saves all files of a server into one file, of a running one through a
//! connection, of one that is not running from its folder, and of any from etcd.

use crate::cli::bar::{ProgressBar, bar_of_bytes};
use crate::cli::etcd;
use crate::cli::failure::{Failure, Outcome};
use crate::cli::half_made::remove_half_made_on_signals;
use crate::cli::panics::report_once;
use crate::cli::remote::{HEADING, Patience, TokenFile, with_settings};
use crate::cli::values;
use crate::client::{Backup, Client, Error};
use crate::refusal::Refusal;
use crate::store::{ReadOnly, create_whole};
use clap::Args;
use std::io::{self, BufRead, Write};
use std::path::{Path, PathBuf};

/// Save all files of a server, as they are at one moment, to a new file
#[derive(Args)]
#[command(
    allow_missing_positional = true,
    override_usage = "\
telefile backup --addr ADDR FILE
       telefile backup DIR FILE
       telefile backup --etcd URL[,URL...] FILE",
    after_help = "\
A running server gives backups if it has --data: over its Unix sockets, and over TCP only with the
flag --allow-backup. FILE gets its name when it is whole. It has every secret name, so only you can
read it.

Examples:
  telefile backup --addr unix:/run/telefile/socket monday.telefile
  telefile backup /var/lib/telefile monday.telefile
  telefile backup /var/lib/telefile - | gzip > monday.telefile.gz
  telefile backup --etcd http://10.0.0.1:2379,http://10.0.0.2:2379 monday.telefile"
)]
pub(crate) struct Settings {
    /// The folder of --data, which no server may be using; it is only read
    #[arg(value_name = "DIR", conflicts_with = "address")]
    folder: Option<PathBuf>,
    /// The file to make, which must not exist; - is stdout
    file: PathBuf,
    /// Save the files of the running server at HOST:PORT, [IPV6]:PORT or unix:PATH; of several, with
    /// commas, one that answers
    #[arg(
        long = "addr",
        value_name = "ADDR",
        value_parser = values::ADDRESSES,
        help_heading = HEADING
    )]
    address: Option<String>,
    #[command(flatten)]
    token: TokenFile,
    #[command(flatten)]
    patience: Patience,
    #[command(flatten)]
    etcd: etcd::Place,
}

impl Settings {
    pub(crate) fn run(self) -> Outcome {
        remove_half_made_on_signals();
        match (&self.address, &self.folder) {
            (None, None) if self.etcd.is_given() => self.of_etcd(),
            _ if self.etcd.is_given() => {
                Err(Failure::usage("--etcd excludes <DIR> and --addr: one of them has the files"))
            }
            (Some(address), _) => self.of_server(address),
            (None, Some(folder)) => self.of_folder(folder),
            (None, None) => Err(Failure::usage(
                "<DIR>, --addr or --etcd is missing; try `telefile backup --help`",
            )),
        }
    }

    #[cfg(feature = "etcd")]
    fn of_etcd(&self) -> Outcome {
        let etcd = self.etcd.etcd()?;
        let written = match self.file.as_os_str() == "-" {
            true => etcd.backup(io::stdout().lock(), "stdout"),
            false => create_whole(&self.file, |to| etcd.backup(to, &self.name())),
        };
        written.map_err(etcd::failed)
    }

    #[cfg(not(feature = "etcd"))]
    fn of_etcd(&self) -> Outcome {
        Err(self.etcd.missing())
    }

    fn of_folder(&self, folder: &Path) -> Outcome {
        report_once(crate::store::is_guarded);
        let store = ReadOnly::open(folder).map_err(Failure::failed)?;
        let written = match self.file.as_os_str() == "-" {
            true => store.backup(io::stdout().lock(), "stdout"),
            false => create_whole(&self.file, |to| store.backup(to, &self.name())),
        };
        written.map_err(Failure::failed)
    }

    fn of_server(&self, address: &str) -> Outcome {
        let builder = with_settings(Client::builder(), &self.patience, &self.token)?;
        let client = self.patience.retrying(|| builder.clone().connect(address))?;
        let mut backup = client.backup().map_err(not_begun)?;
        let bar = bar_of_bytes(Some(backup.numbytes()));
        bar.set_message("received");
        let written = match self.file.as_os_str() == "-" {
            true => copy(&mut backup, io::stdout().lock(), "stdout", &bar),
            false => create_whole(&self.file, |to| copy(&mut backup, to, &self.name(), &bar)),
        };
        bar.finish_and_clear();
        written.map_err(not_whole)
    }

    fn name(&self) -> String {
        self.file.display().to_string()
    }
}

/// Copies a backup to its file, called `name` in errors.
fn copy(
    backup: &mut Backup<'_>,
    mut to: impl Write,
    name: &str,
    bar: &ProgressBar,
) -> io::Result<()> {
    let located = |e: io::Error| io::Error::new(e.kind(), format!("{name}: {e}"));
    loop {
        let bytes = backup.fill_buf()?;
        if bytes.is_empty() {
            return to.flush().map_err(located);
        }
        to.write_all(bytes).map_err(located)?;
        let count = bytes.len();
        backup.consume(count);
        bar.inc(count as u64);
    }
}

/// Returns the failure of a backup that the server does not begin.
fn not_begun(error: Error) -> Failure {
    let is_denied = error.refusal() == Some(&Refusal::Denied);
    let failure = Failure::from(error);
    match is_denied {
        true => Failure::failed(format!(
            "{}; it needs --data or --etcd, over TCP --allow-backup too, and an active server",
            failure.message
        )),
        false => failure,
    }
}

/// Returns the failure of a backup that has ended too early: for the client, or for its file.
fn not_whole(e: io::Error) -> Failure {
    if !e.get_ref().is_some_and(|inner| inner.is::<Error>()) {
        return Failure::failed(e);
    }
    Failure::no_connection(format!("{e}; no backup was made"))
}
