//! The servers that are compared: how each is started, and which protocol it speaks.

use crate::dialect::{Dialect, Etcd, Memcached, Redis, Telefile};
use std::io::ErrorKind;
use std::path::Path;
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
    /// `telefile serve --data`
    Kept,
    /// Redis that replies when its log is on disk.
    RedisKept,
    Etcd,
    /// No server: threads of this program that append to a file.
    Append,
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
            Peer::Kept => "telefile --data",
            Peer::RedisKept => "redis, fsync always",
            Peer::Etcd => "etcd",
            Peer::Append => "append and fdatasync",
        }
    }

    pub(crate) fn dialect(self) -> Box<dyn Dialect> {
        match self {
            Peer::Telefile | Peer::Dedicated | Peer::Kept | Peer::Null | Peer::Append => {
                Box::new(Telefile)
            }
            Peer::MemcachedOne | Peer::MemcachedFour => Box::new(Memcached),
            Peer::Etcd => Box::new(Etcd),
            Peer::Redis | Peer::RedisKept => Box::<Redis>::default(),
        }
    }

    fn program(self) -> &'static str {
        match self {
            Peer::Telefile | Peer::Dedicated | Peer::Kept => env!("CARGO_BIN_EXE_telefile"),
            Peer::Null | Peer::Append => "/proc/self/exe",
            Peer::MemcachedOne | Peer::MemcachedFour => "memcached",
            Peer::Redis | Peer::RedisKept => "redis-server",
            Peer::Etcd => "etcd",
        }
    }

    /// Returns whether its program can be started here.
    pub(crate) fn is_here(self) -> bool {
        let mut command = Command::new(self.program());
        command.arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        !command.status().is_err_and(|e| e.kind() == ErrorKind::NotFound)
    }

    /// Starts it on a port of the loopback interface. `null` replies with values of `size` bytes. A
    /// server that stores its table stores it in `folder`.
    pub(crate) fn command(self, port: u16, size: usize, folder: &Path) -> Command {
        let mut command = Command::new(self.program());
        match self {
            Peer::Telefile | Peer::Dedicated | Peer::Kept => {
                command = telefile(port, Path::new(self.program()));
                command.args(["--connections", CONNECTIONS]);
                if self == Peer::Dedicated {
                    command.arg("--dedicated");
                }
                if self == Peer::Kept {
                    command.arg("--data").arg(folder);
                }
            }
            Peer::Etcd => {
                let url = format!("http://127.0.0.1:{port}");
                command.args(["--listen-peer-urls", "http://127.0.0.1:0", "--log-level", "error"]);
                command.args(["--logger", "zap", "--listen-client-urls", &url]);
                command
                    .args(["--advertise-client-urls", &url, "--data-dir"])
                    .arg(folder.join("etcd"));
            }
            Peer::Append => {} // it is no server
            Peer::Null => {
                command.args(["null", &port.to_string(), &size.to_string()]);
            }
            Peer::MemcachedOne | Peer::MemcachedFour => {
                let threads = if self == Peer::MemcachedOne { "1" } else { "4" };
                command.args(["-l", "127.0.0.1", "-p", &port.to_string(), "-U", "0"]);
                command.args(["-t", threads, "-c", CONNECTIONS, "-m", "1024", "-I", "2m"]);
                if rustix::process::geteuid().is_root() {
                    command.args(["-u", "root"]); // otherwise it does not start as root
                }
            }
            Peer::Redis | Peer::RedisKept => {
                command.args(["--bind", "127.0.0.1", "--port", &port.to_string()]);
                command.args(["--save", "", "--io-threads", "1", "--dir"]);
                let appends = if self == Peer::RedisKept { "yes" } else { "no" };
                command.arg(folder).args(["--appendonly", appends, "--appendfsync", "always"]);
                command.args(["--maxclients", CONNECTIONS]);
            }
        }
        command
    }
}

/// Starts `telefile serve` of a program on a port of the loopback interface.
pub(crate) fn telefile(port: u16, program: &Path) -> Command {
    let mut command = Command::new(program);
    let settings = std::env::vars_os().map(|(name, _)| name);
    for name in settings.filter(|n| n.to_string_lossy().starts_with("TELEFILE_")) {
        command.env_remove(name);
    }
    command.env("RUST_LOG", "warn");
    command.args(["serve", "--listen", &format!("127.0.0.1:{port}")]);
    command
}
