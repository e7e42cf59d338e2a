//! The server that a transcript talks to: one of its own in this process, or one elsewhere.

use super::parse::{Settings, Store};
use crate::server::{PATIENCE, kept_if_asked, kept_in};
use socket2::Socket;
use std::collections::BTreeSet;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};
use telefile::net::Address;
use telefile::server::Handle;
use telefile::{Clock, Server, Token};

/// How long a server elsewhere may take to give a sign of life.
const PROBE_TIME: Duration = Duration::from_secs(3);

#[derive(Clone, Copy, PartialEq)]
pub(super) enum Transport {
    Tcp,
    Unix,
}

pub(super) enum Target {
    Fresh(Running),
    /// With the time that a reply may take, which may never arrive.
    Elsewhere(SocketAddr, Duration),
}

/// A server on threads of this process, until it is dropped.
pub(super) struct Running {
    tcp: SocketAddr,
    unix: PathBuf,
    root: PathBuf,
    clock: Clock,
    handle: Handle,
    /// Disconnected when the server has ended.
    ended: Receiver<()>,
}

impl Target {
    pub(super) fn fresh(settings: &Settings) -> Self {
        let (clock, unix) = (Clock::manual(), temporary("sock"));
        let root = temporary("files");
        let mut builder = Server::builder()
            .listen("127.0.0.1:0".parse().unwrap())
            .listen(Address::Unix(unix.clone()))
            .root(root.clone())
            .clock(clock.clone());
        let data = root.with_extension("data");
        builder = match settings.store {
            None => kept_if_asked(builder, &data),
            Some(Store::Memory) => builder,
            Some(Store::Durable) => kept_in(builder, &data),
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
        let server = builder.bind().unwrap();
        let Address::Tcp(tcp) = *server.addresses()[0] else { unreachable!() };
        let handle = server.handle();
        let (runs, ended) = mpsc::channel::<()>();
        thread::spawn(|| {
            let _runs = runs;
            server.run().unwrap();
        });
        Target::Fresh(Running { tcp, unix, root, clock, handle, ended })
    }

    pub(super) fn elsewhere(address: &str, patience: Duration) -> Result<Self, String> {
        let found = address.to_socket_addrs().map_err(|e| format!("{address}: {e}"))?.next();
        let found = found.ok_or_else(|| format!("{address}: the name has no address"))?;
        Ok(Target::Elsewhere(found, patience))
    }

    pub(super) fn is_fresh(&self) -> bool {
        matches!(self, Target::Fresh(_))
    }

    /// How long anything awaited may take.
    pub(super) fn patience(&self) -> Duration {
        match self {
            Target::Fresh(_) => PATIENCE,
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
        let socket = match (self, transport) {
            (Target::Fresh(running), Transport::Tcp) => tcp(&running.tcp)?,
            (Target::Fresh(running), Transport::Unix) => UnixStream::connect(&running.unix)?.into(),
            (Target::Elsewhere(address, _), _) => tcp(address)?,
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
            Target::Fresh(running) => running.clock.advance(time),
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

impl Drop for Running {
    fn drop(&mut self) {
        self.handle.stop();
        let ended = self.ended.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Disconnected);
        let _ = std::fs::remove_dir_all(&self.root);
        let _ = std::fs::remove_dir_all(self.root.with_extension("data"));
        assert!(ended || thread::panicking(), "the server does not end");
    }
}

fn temporary(suffix: &str) -> PathBuf {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let (process, n) = (std::process::id(), COUNT.fetch_add(1, Relaxed));
    std::env::temp_dir().join(format!("telefile-it-{process}-{n}.{suffix}"))
}
