//! A client that sends bytes and reads lines. Every read and write of it has a time-out.

use super::{PATIENCE, eventually};
use socket2::{Domain, SockAddr, Socket, Type};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::Shutdown;
use std::time::Duration;
use telefile::net::Address;

pub(crate) struct Client {
    input: BufReader<Socket>,
}

impl Client {
    #[track_caller]
    pub(crate) fn connect(address: &Address) -> Client {
        Client::try_connect(address).unwrap_or_else(|e| panic!("{address}: {e}"))
    }

    pub(crate) fn try_connect(address: &Address) -> io::Result<Client> {
        let (domain, address) = match address {
            Address::Tcp(tcp) => (Domain::for_address(*tcp), SockAddr::from(*tcp)),
            Address::Host(name) => return Err(io::Error::other(format!("{name}: not looked up"))),
            Address::Unix(path) => (Domain::UNIX, SockAddr::unix(path)?),
            other => unreachable!("{other}"),
        };
        let socket = Socket::new(domain, Type::STREAM, None)?;
        socket.connect(&address)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.set_write_timeout(Some(PATIENCE))?;
        Ok(Client { input: BufReader::new(socket) })
    }

    /// A second hand on the same connection, to send while the first one reads.
    pub(crate) fn sender(&self) -> Client {
        Client { input: BufReader::new(self.socket().try_clone().unwrap()) }
    }

    pub(crate) fn socket(&self) -> &Socket {
        self.input.get_ref()
    }

    #[track_caller]
    pub(crate) fn send(&self, bytes: impl AsRef<[u8]>) {
        self.try_send(bytes).expect("the server takes what is sent");
    }

    pub(crate) fn try_send(&self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.socket().write_all(bytes.as_ref())
    }

    /// The next line without its end, which has to be there.
    #[track_caller]
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.input.read_line(&mut line).expect("a line");
        line.strip_suffix("\r\n").unwrap_or_else(|| panic!("no whole line: {line:?}")).to_string()
    }

    /// Sends a line; the first line of the reply.
    #[track_caller]
    pub(crate) fn ask(&mut self, line: &str) -> String {
        self.send(format!("{line}\r\n"));
        self.line()
    }

    /// Writes a file; the reply.
    #[track_caller]
    pub(crate) fn write(&mut self, name: &str, contents: &[u8]) -> String {
        self.send(format!("write {name} {}\r\n", contents.len()));
        self.send(contents);
        self.ask("")
    }

    /// Reads this many bytes of contents and their line end.
    #[track_caller]
    pub(crate) fn contents(&mut self, numbytes: usize) -> Vec<u8> {
        let mut contents = vec![0; numbytes + 2];
        self.input.read_exact(&mut contents).expect("contents");
        assert!(contents.ends_with(b"\r\n"), "no line end after contents");
        contents.truncate(numbytes);
        contents
    }

    /// Reads something, at most `buffer`; 0 is the end.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.input.read(buffer) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {} // suspended and resumed
                read => return read,
            }
        }
    }

    /// All that still comes, up to the end of the stream.
    #[track_caller]
    pub(crate) fn read_to_end(&mut self) -> String {
        let mut rest = Vec::new();
        self.input.read_to_end(&mut rest).expect("the end of the stream, and no reset");
        String::from_utf8(rest).expect("text")
    }

    /// All that still comes, up to the end of the stream or a reset; not a time-out.
    #[track_caller]
    pub(crate) fn read_to_reset(&mut self) -> String {
        let mut rest = Vec::new();
        if let Err(e) = self.input.read_to_end(&mut rest) {
            assert_eq!(e.kind(), io::ErrorKind::ConnectionReset, "after {} bytes", rest.len());
        }
        String::from_utf8(rest).expect("text")
    }

    pub(crate) fn half_close(&self) {
        self.socket().shutdown(Shutdown::Write).unwrap();
    }

    /// Vanishes like a program that is killed with unread bytes: with a reset.
    pub(crate) fn reset(self) {
        self.socket().set_linger(Some(Duration::ZERO)).unwrap();
    }

    /// A value of `stats`.
    #[track_caller]
    pub(crate) fn stat(&mut self, name: &str) -> u64 {
        let head = self.ask("stats");
        let count = head.strip_prefix("STATS ").unwrap_or_else(|| panic!("{head}"));
        let lines: Vec<_> = (0..count.parse().unwrap()).map(|_| self.line()).collect();
        let values = lines.iter().filter_map(|line| line.split_once(' '));
        let value = values.filter(|(n, _)| *n == name).map(|(_, value)| value).next();
        value.unwrap_or_else(|| panic!("no {name} in {lines:?}")).parse().unwrap()
    }

    /// Waits until `stats` shows that this client is the only one.
    #[track_caller]
    pub(crate) fn alone(&mut self) {
        eventually("all other connections have ended", || self.stat("connections") == 1);
    }
}
