//! The server that a transcript talks to: one of its own in this process, or one elsewhere.

use super::parse::{Settings, Store};
use crate::server::{Folder, PATIENCE, Running, Tables};
use socket2::Socket;
use std::collections::BTreeSet;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::{Duration, Instant};
use telefile::net::Address;
use telefile::{Clock, Server, Token};

/// How long a server elsewhere may take to give a sign of life.
const PROBE_TIME: Duration = Duration::from_secs(3);

/// In the order of [`Running::addresses`].
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Transport {
    Tcp,
    Unix,
}

pub(super) enum Target {
    Fresh(Box<Running>, Clock),
    /// With the time that a reply may take, which may never arrive.
    Elsewhere(SocketAddr, Duration),
}

impl Target {
    pub(super) fn fresh(settings: &Settings) -> Self {
        let (clock, folder) = (Clock::manual(), Folder::new());
        let mut builder = Server::builder().root(folder.path().join("files")).clock(clock.clone());
        let tables = match settings.store {
            None => Tables::asked(),
            Some(Store::Memory) => Tables::Memory,
            Some(Store::Durable) => Tables::Disk,
            Some(Store::Local) if Tables::asked().are_in_etcd() => Tables::Memory,
            Some(Store::Local) => Tables::asked(),
        };
        if let Some(max) = settings.max_contents {
            builder = builder.max_contents(max);
        }
        if let Some(max) = settings.max_memory {
            builder = builder.max_memory(max);
        }
        if let Some(max) = settings.connections {
            builder = builder.connections(max as usize);
        }
        builder = builder.idle_timeout(settings.idle_timeout);
        if let Some(token) = &settings.token {
            builder = builder.token(Token::new(token).unwrap());
        }
        Target::Fresh(Box::new(Running::start_in(folder, tables, builder)), clock)
    }

    pub(super) fn elsewhere(address: &str, patience: Duration) -> Result<Self, String> {
        let found = address.to_socket_addrs().map_err(|e| format!("{address}: {e}"))?.next();
        let found = found.ok_or_else(|| format!("{address}: the name has no address"))?;
        Ok(Target::Elsewhere(found, patience))
    }

    pub(super) fn is_fresh(&self) -> bool {
        matches!(self, Target::Fresh(..))
    }

    /// How long anything awaited may take.
    pub(super) fn patience(&self) -> Duration {
        match self {
            Target::Fresh(..) => PATIENCE,
            Target::Elsewhere(_, patience) => *patience,
        }
    }

    pub(super) fn connect(&self, transport: Transport) -> io::Result<Socket> {
        let patience = self.patience();
        let tcp = |address| {
            let stream = TcpStream::connect_timeout(address, patience)?;
            stream.set_nodelay(true)?;
            Ok::<Socket, io::Error>(stream.into())
        };
        let socket = match self {
            Target::Fresh(running, _) => match running.addresses()[transport as usize] {
                Address::Tcp(address) => tcp(address)?,
                Address::Unix(path) => UnixStream::connect(path)?.into(),
                other => unreachable!("{other}"),
            },
            Target::Elsewhere(address, _) => tcp(address)?,
        };
        socket.set_read_timeout(Some(patience))?;
        socket.set_write_timeout(Some(patience))?;
        Ok(socket)
    }

    /// Returns whether a server elsewhere answers `hello`, with any line.
    pub(super) fn probe(&self) -> io::Result<()> {
        let Target::Elsewhere(address, patience) = self else { return Ok(()) };
        let time = PROBE_TIME.min(*patience);
        let stream = TcpStream::connect_timeout(address, time)?;
        stream.set_read_timeout(Some(time))?;
        (&stream).write_all(b"hello\r\n")?;
        match BufReader::new(&stream).read_until(b'\n', &mut Vec::new()) {
            Ok(0) => Err(io::Error::other("it closed the connection")),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                Err(io::Error::other(format!("nothing came to hello within {time:?}")))
            }
            answered => answered.map(drop),
        }
    }

    /// How many files it has, if it says so, to `stats` or to `list`.
    pub(super) fn files(&self) -> Option<u64> {
        let socket = self.connect(Transport::Tcp).ok()?;
        if let Ok(lines) = stats(&socket, &mut BufReader::new(&socket)) {
            return lines.iter().find_map(|line| line.strip_prefix("files ")?.trim().parse().ok());
        }
        let mut socket = self.connect(Transport::Tcp).ok()?;
        socket.write_all(b"list * 1\r\n").ok()?;
        let mut head = String::new();
        BufReader::new(&socket).read_line(&mut head).ok()?;
        head.strip_prefix("LIST ")?.split_whitespace().nth(1)?.parse().ok()
    }

    pub(super) fn wait(&self, time: Duration) {
        match self {
            Target::Fresh(_, clock) => clock.advance(time),
            Target::Elsewhere(..) => thread::sleep(time),
        }
    }

    /// Waits until a client of its own sees this value in `stats`.
    pub(super) fn wait_until(&self, by: Transport, name: &str, value: u64) -> Result<(), String> {
        const PAUSE: Duration = Duration::from_millis(1);
        let patience = self.patience();
        let deadline = Instant::now() + patience;
        let socket = self.connect(by).map_err(|e| format!("cannot connect: {e}"))?;
        let mut replies = BufReader::new(&socket);
        let wanted = format!("{name} {value}\r\n");
        loop {
            let seen = stats(&socket, &mut replies).map_err(|e| format!("stats: {e}"))?;
            if seen.contains(&wanted) {
                return Ok(());
            }
            if Instant::now() >= deadline {
                return Err(format!("{seen:?}, for {patience:?}"));
            }
            thread::sleep(PAUSE);
        }
    }

    /// Removes what an earlier run may have left on a server that others use too.
    pub(super) fn delete_names(&self, names: &BTreeSet<Vec<u8>>) -> Result<(), String> {
        let delete = || {
            let socket = self.connect(Transport::Tcp)?;
            let mut replies = BufReader::new(&socket);
            for name in names {
                (&socket).write_all(&[b"delete ", &name[..], b"\r\n"].concat())?;
                replies.read_until(b'\n', &mut Vec::new())?;
            }
            Ok(())
        };
        delete().map_err(|e: io::Error| format!("cannot delete what was left: {e}"))
    }
}

/// The lines of `stats`, with their ends.
fn stats(mut socket: &Socket, replies: &mut impl BufRead) -> io::Result<Vec<String>> {
    socket.write_all(b"stats\r\n")?;
    let mut line = || {
        let mut line = String::new();
        replies.read_line(&mut line).map(|_| line)
    };
    let head = line()?;
    let count = head.strip_prefix("STATS ").and_then(|count| count.trim_end().parse().ok());
    let count: usize = count.ok_or_else(|| io::Error::other(format!("{head:?}")))?;
    (0..count).map(|_| line()).collect()
}
