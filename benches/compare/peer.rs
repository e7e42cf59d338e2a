//! The servers that are compared: how each is started, and how one speaks to it.

use crate::dialect::{Dialect, Memcached, Redis, Telefile};
use std::io::ErrorKind;
use std::process::{Command, Stdio};

/// More than any scenario opens.
const CONNECTIONS: &str = "12000";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Peer {
    Telefile,
    /// `telefile serve --dedicated`
    Dedicated,
    Null,
    MemcachedOne,
    MemcachedFour,
    Redis,
}

impl Peer {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Peer::Telefile => "telefile",
            Peer::Dedicated => "telefile --dedicated",
            Peer::Null => "null",
            Peer::MemcachedOne => "memcached -t 1",
            Peer::MemcachedFour => "memcached -t 4",
            Peer::Redis => "redis",
        }
    }

    pub(crate) fn dialect(self) -> Box<dyn Dialect> {
        match self {
            Peer::Telefile | Peer::Dedicated | Peer::Null => Box::new(Telefile),
            Peer::MemcachedOne | Peer::MemcachedFour => Box::new(Memcached),
            Peer::Redis => Box::<Redis>::default(),
        }
    }

    fn program(self) -> &'static str {
        match self {
            Peer::Telefile | Peer::Dedicated => env!("CARGO_BIN_EXE_telefile"),
            Peer::Null => "/proc/self/exe",
            Peer::MemcachedOne | Peer::MemcachedFour => "memcached",
            Peer::Redis => "redis-server",
        }
    }

    /// Whether its program can be started here.
    pub(crate) fn is_here(self) -> bool {
        let mut command = Command::new(self.program());
        command.arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        !command.status().is_err_and(|e| e.kind() == ErrorKind::NotFound)
    }

    /// Serves on a port of the loopback; `null` answers values of `size` bytes.
    pub(crate) fn command(self, port: u16, size: usize) -> Command {
        let mut command = Command::new(self.program());
        match self {
            Peer::Telefile | Peer::Dedicated => {
                let settings = std::env::vars_os().map(|(name, _)| name);
                for name in settings.filter(|n| n.to_string_lossy().starts_with("TELEFILE_")) {
                    command.env_remove(name);
                }
                command.env("RUST_LOG", "warn");
                command.args(["serve", "--connections", CONNECTIONS, "--listen"]);
                command.arg(format!("127.0.0.1:{port}"));
                if self == Peer::Dedicated {
                    command.arg("--dedicated");
                }
            }
            Peer::Null => {
                command.args(["null", &port.to_string(), &size.to_string()]);
            }
            Peer::MemcachedOne | Peer::MemcachedFour => {
                let threads = if self == Peer::MemcachedOne { "1" } else { "4" };
                command.args(["-l", "127.0.0.1", "-p", &port.to_string(), "-U", "0"]);
                command.args(["-t", threads, "-c", CONNECTIONS, "-m", "1024", "-I", "2m"]);
                if rustix::process::geteuid().is_root() {
                    command.args(["-u", "root"]); // else it does not start as root
                }
            }
            Peer::Redis => {
                command.args(["--bind", "127.0.0.1", "--port", &port.to_string()]);
                command.args(["--save", "", "--appendonly", "no", "--io-threads", "1"]);
                command.args(["--maxclients", CONNECTIONS]);
            }
        }
        command
    }
}
