//! `telefile serve`: the server.

mod inherited;
mod signals;

use crate::cli::etcd::{self, Place};
use crate::cli::failure::{Failure, Outcome};
use crate::cli::log::Log;
use crate::cli::manager;
use crate::cli::streams::say;
use crate::cli::values;
use crate::files::FileType;
use crate::net::Address;
use crate::server::{BindError, Builder, Server};
#[cfg(feature = "etcd")]
use crate::store::etcd::Etcd;
use clap::Args;
use std::path::PathBuf;
use std::time::Duration;

/// How long a service manager may take to receive that the server is ready; a stop waits for that.
const READY_PATIENCE: Duration = Duration::from_millis(500);

/// Share files with many clients until SIGINT or SIGTERM
#[derive(Args)]
#[command(after_help = "\
BYTES may end in K, M, G or T, for 1024 and its powers. In the environment a switch is 1 or 0, and
TELEFILE_LISTEN has its addresses separated by commas. The log goes to stderr: RUST_LOG=debug shows
each connection and each command, RUST_LOG=warn only what is wrong.

Options come from the command line, else from the environment, else from the file of --config. That
is TOML, with names of options as keys: listen = [\"127.0.0.1:8080\"], max-memory = \"1G\", insecure =
false. Sockets from systemd replace the default address (LISTEN_FDS), and readiness is reported to
NOTIFY_SOCKET. Without a terminal SIGHUP reads the token file again; with one it stops the server.

Examples:
  telefile serve
  telefile serve --data /var/lib/telefile --listen unix:/run/telefile/socket
  telefile serve --listen 0.0.0.0:8080 --token-file token --connections 500")]
pub(crate) struct Settings {
    /// Listen on HOST:PORT, [IPV6]:PORT or unix:PATH; port 0 is a free one. May be repeated
    /// [default: 127.0.0.1:8080]
    #[arg(
        long,
        value_name = "ADDR",
        env = "TELEFILE_LISTEN",
        value_parser = values::LISTEN,
        help_heading = ACCESS
    )]
    listen: Vec<Vec<Address>>,
    /// Require the token in this file from each client: hello TOKEN
    #[arg(long, value_name = "FILE", env = "TELEFILE_TOKEN_FILE", help_heading = ACCESS)]
    token_file: Option<PathBuf>,
    /// Listen on addresses that other machines can reach, without a token, and for --metrics
    #[arg(long, env = "TELEFILE_INSECURE", value_parser = values::SWITCH, help_heading = ACCESS)]
    insecure: bool,
    /// Serve metrics for Prometheus at http://ADDR/metrics, or over a Unix socket; no token protects
    /// them [default: do not]
    #[arg(
        long,
        value_name = "ADDR",
        env = "TELEFILE_METRICS",
        value_parser = values::OWN_ADDRESS,
        help_heading = ACCESS
    )]
    metrics: Option<Address>,
    /// Keep the files in this folder, over restarts and crashes [default: in memory]
    #[cfg(feature = "durable")]
    #[arg(long, value_name = "DIR", env = "TELEFILE_DATA", help_heading = STORAGE)]
    data: Option<PathBuf>,
    /// Let that folder, or the table in etcd, grow to at most this many bytes; a folder needs 4M at
    /// least [default: what the disk has]
    #[cfg(feature = "durable")]
    #[arg(
        long,
        value_name = "BYTES",
        env = "TELEFILE_MAX_DATA",
        value_parser = values::SIZE,
        help_heading = STORAGE
    )]
    max_data: Option<u64>,
    #[command(flatten)]
    place: Place,
    /// Be reached by the other servers of a table in etcd at this address [default: the first TCP
    /// address of --listen]
    #[arg(
        long,
        value_name = "ADDR",
        env = "TELEFILE_ADVERTISE",
        value_parser = values::OWN_ADDRESS,
        help_heading = etcd::HEADING
    )]
    advertise: Option<Address>,
    /// Give backups over TCP too, with all secret names; a Unix socket gives them anyway
    #[cfg(feature = "durable")]
    #[arg(
        long,
        env = "TELEFILE_ALLOW_BACKUP",
        value_parser = values::SWITCH,
        help_heading = ACCESS
    )]
    allow_backup: bool,
    /// Keep TextFiles below this folder, which the first write to one makes
    #[arg(
        long,
        value_name = "DIR",
        env = "TELEFILE_ROOT",
        default_value = "./files",
        help_heading = STORAGE
    )]
    root: PathBuf,
    /// Serve at most N clients at once; Linux carries about 15,900 by default
    #[arg(
        long,
        value_name = "N",
        env = "TELEFILE_CONNECTIONS",
        default_value = "4096",
        value_parser = values::COUNT,
        help_heading = LIMITS
    )]
    connections: usize,
    /// Refuse files of more bytes than this [default: 64M, with --etcd 1M]
    #[arg(
        long,
        value_name = "BYTES",
        env = "TELEFILE_MAX_CONTENTS",
        value_parser = values::SIZE,
        help_heading = LIMITS
    )]
    max_contents: Option<u64>,
    /// Let all files take at most this many bytes of memory [default: half of the machine's, or of
    /// the cgroup's]
    #[arg(
        long,
        value_name = "BYTES",
        env = "TELEFILE_MAX_MEMORY",
        value_parser = values::SIZE,
        help_heading = LIMITS
    )]
    max_memory: Option<u64>,
    /// Disconnect a client that is silent for SECS seconds [default: never]
    #[arg(
        long,
        value_name = "SECS",
        env = "TELEFILE_IDLE_TIMEOUT",
        value_parser = values::SECONDS,
        help_heading = LIMITS
    )]
    idle_timeout: Option<Duration>,
    /// Disconnect a client that takes longer than SECS seconds for a MiB of replies
    #[arg(
        long,
        value_name = "SECS",
        env = "TELEFILE_WRITE_TIMEOUT",
        default_value = "30",
        value_parser = values::SECONDS,
        help_heading = LIMITS
    )]
    write_timeout: Duration,
    /// Read options from this file, which is TOML
    #[arg(long, value_name = "FILE", env = "TELEFILE_CONFIG")]
    config: Option<PathBuf>,
    /// Be faster if nothing else runs on the machine, but a third slower if something does
    #[arg(long, env = "TELEFILE_DEDICATED", value_parser = values::SWITCH)]
    dedicated: bool,
}

/// Parts of the help.
const ACCESS: &str = "Access";
const STORAGE: &str = "Storage";
const LIMITS: &str = "Limits";

/// The command line of a program with file types of its own: that of `telefile serve`.
#[derive(clap::Parser)]
#[command(name = "telefile")]
pub(crate) struct Program {
    #[command(flatten)]
    pub(crate) settings: Settings,
}

impl Settings {
    fn builder(self, types: impl IntoIterator<Item = FileType>) -> Result<Builder, Failure> {
        self.check_place()?;
        let mut builder = Server::builder()
            .types(types)
            .insecure(self.insecure)
            .root(self.root)
            .connections(self.connections)
            .idle_timeout(self.idle_timeout)
            .write_timeout(self.write_timeout)
            .dedicated(self.dedicated);
        builder = self.listen.into_iter().flatten().fold(builder, Builder::listen);
        builder = self.metrics.into_iter().fold(builder, Builder::metrics);
        builder = self.token_file.into_iter().fold(builder, Builder::token_file);
        builder = self.max_contents.into_iter().fold(builder, Builder::max_contents);
        builder = self.max_memory.into_iter().fold(builder, Builder::max_memory);
        #[cfg(feature = "etcd")]
        if self.place.is_given() {
            let options = self.place.options()?.max_data(self.max_data);
            builder = builder.etcd(Etcd::new(options).map_err(Failure::usage)?);
            builder = self.advertise.into_iter().fold(builder, Builder::advertise);
            return Ok(builder.allow_backup(self.allow_backup));
        }
        #[cfg(feature = "durable")]
        {
            builder = self.data.into_iter().fold(builder, Builder::data);
            builder = self.max_data.into_iter().fold(builder, Builder::max_data);
            builder = builder.allow_backup(self.allow_backup);
        }
        Ok(builder)
    }

    /// Checks that the table has one place, which this build knows.
    fn check_place(&self) -> Result<(), Failure> {
        #[cfg(feature = "durable")]
        if self.place.is_given() && self.data.is_some() {
            return Err(Failure::usage("--etcd and --data exclude each other"));
        }
        if !self.place.is_given() && self.advertise.is_some() {
            return Err(Failure::usage("--advertise needs --etcd"));
        }
        // A table in memory would be lost, where one in etcd was meant.
        if let Some(option) = self.place.stray().filter(|_| !self.has_folder()) {
            return Err(Failure::usage(format!("{option} needs --etcd")));
        }
        #[cfg(not(feature = "etcd"))]
        if self.place.is_given() {
            return Err(self.place.missing());
        }
        Ok(())
    }

    /// Returns whether the table is on disk.
    fn has_folder(&self) -> bool {
        #[cfg(feature = "durable")]
        return self.data.is_some();
        #[cfg(not(feature = "durable"))]
        false
    }

    /// Serves files of these types beside the built-in ones.
    pub(crate) fn run(self, types: impl IntoIterator<Item = FileType>) -> Outcome {
        // Before anything else opens a descriptor.
        let inherited = inherited::listeners()?;
        let _log = Log::start().map_err(Failure::no_thread)?;
        keep_freed_memory();
        #[cfg(feature = "durable")]
        crate::cli::panics::report_once(crate::store::is_guarded);
        let token_file = self.token_file.clone();
        let server = self.builder(types)?.bind_beside(inherited).map_err(not_bound)?;
        signals::obey(server.handle(), token_file).map_err(Failure::failed)?;
        let addresses: Vec<_> = server.addresses().iter().map(ToString::to_string).collect();
        let addresses = addresses.join(" ");
        let version = env!("CARGO_PKG_VERSION");
        server.warnings().iter().for_each(|warning| log::warn!("{warning}"));
        log::info!("telefile {version} on {addresses}, {}", server.limits());
        for address in server.metrics_addresses() {
            log::info!("metrics on {address}");
        }
        // Programs that read this line rely on it.
        let ready = || {
            say(&format!("telefile {version} listening on {addresses}\n"));
            manager::report(&format!("READY=1\nSTATUS=Listening on {addresses}"), READY_PATIENCE);
        };
        let served = server.run_then(ready).map_err(etcd::failed);
        log::info!("stopped");
        served
    }
}

/// Returns the failure of a server that cannot start: which flag is wrong, if one is.
fn not_bound(e: BindError) -> Failure {
    match e {
        BindError::Exposed { .. } => {
            Failure::usage(format!("{e}: give --token-file, or --insecure to allow that"))
        }
        BindError::MetricsExposed { .. } => {
            Failure::usage(format!("{e}: give --insecure to allow that"))
        }
        BindError::NoDataFolder => Failure::usage("--max-data needs --data"),
        BindError::MaxDataTooSmall(_) => {
            Failure::usage("--max-data is less than 4M, the least that a table needs")
        }
        #[cfg(feature = "etcd")]
        BindError::MaxContentsTooLarge(_) => {
            Failure::usage(format!("--max-contents is too large: {e}"))
        }
        #[cfg(feature = "etcd")]
        BindError::NotAdvertised(_) => Failure::usage(format!("{e}: give --advertise")),
        BindError::FileType(_) => Failure::usage(e),
        BindError::Data(e) => etcd::failed(e),
        _ => Failure::failed(e),
    }
}

/// Makes the allocator keep some of what large files leave behind, instead of returning every
/// mebibyte to the system and faulting it in again: a quarter more throughput for large writes.
///
/// At the end of each arena glibc keeps twice the size of the largest block with a mapping of its
/// own that was ever freed (mallopt(3), M_MMAP_THRESHOLD, "dynamic"). So this frees a block that is
/// never touched. Other allocators are not affected.
fn keep_freed_memory() {
    const BLOCK_BYTES: usize = (8 << 20) - 4096;
    drop(std::hint::black_box(Vec::<u8>::with_capacity(BLOCK_BYTES)));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::Clock;
    use clap::builder::Resettable;
    use clap::{CommandFactory, FromArgMatches};

    #[test]
    fn the_defaults_are_those_of_the_library() {
        let clock = Clock::system(); // shown with its start
        let default = Server::builder().clock(clock.clone());
        let command = Program::command().mut_args(|arg| arg.env(Resettable::Reset));
        let parsed = Program::from_arg_matches(&command.get_matches_from(["test"])).unwrap();
        let builder = parsed.settings.builder([]).ok().unwrap().clock(clock);
        assert_eq!(format!("{builder:?}"), format!("{default:?}"));
    }
}
