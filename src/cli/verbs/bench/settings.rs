//! The command line of `telefile bench`.

use crate::cli::remote::Remote;
use crate::cli::values::{self, Parser};
use clap::Args;
use std::time::Duration;

/// Load a server with requests, check every reply, and print rates and latencies
#[derive(Args)]
#[command(after_help = "\
Each connection sends a batch of requests after the replies to the one before. The files that this
makes, bench/PID/0 and so on, are deleted at the end.

Examples:
  telefile bench --conns 100 --secs 10
  telefile bench --mix 0/0/1 --depth 16 --json")]
pub(crate) struct Settings {
    /// Open N connections, a thread each
    #[arg(
        long,
        value_name = "N",
        default_value = "50",
        value_parser = values::COUNT
    )]
    pub(super) conns: usize,
    /// Send N requests as one batch on each connection
    #[arg(
        long,
        value_name = "N",
        default_value = "1",
        value_parser = values::COUNT
    )]
    pub(super) depth: usize,
    /// Write files of this many bytes
    #[arg(
        long,
        value_name = "BYTES",
        default_value = "100",
        value_parser = SIZE
    )]
    pub(super) size: u64,
    /// Send reads, writes and cas in these shares
    #[arg(long, value_name = "R/W/C", default_value = "90/10/0", value_parser = MIX)]
    pub(super) mix: Mix,
    /// Measure for SECS seconds
    #[arg(
        long,
        value_name = "SECS",
        default_value = "3",
        value_parser = values::SECONDS
    )]
    pub(super) secs: Duration,
    /// Print one line of JSON instead of text
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) remote: Remote,
}

/// The shares of reads, writes and cas.
#[derive(Clone, Copy)]
pub(super) struct Mix {
    pub(super) read: u32,
    pub(super) write: u32,
    pub(super) cas: u32,
}

/// Each connection has memory for the contents of a file.
const MAX_SIZE: u64 = 1 << 30;

const SIZE: Parser<u64> = Parser::new(|text| match values::size(text)? {
    size if size <= MAX_SIZE => Ok(size),
    _ => Err("over 1G, which is the most".to_string()),
});

const MIX: Parser<Mix> = Parser::new(|text| {
    let bad = || "not three numbers up to 1000, such as 90/10/0".to_string();
    let shares: Result<Vec<u32>, _> = text.split('/').map(str::parse).collect();
    match shares.map_err(|_| bad())?[..] {
        [read, write, cas] if read.max(write).max(cas) <= 1000 && read + write + cas > 0 => {
            Ok(Mix { read, write, cas })
        }
        _ => Err(bad()),
    }
});
