//! One connection that sends a request, waits for the reply, and checks it.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};
use telefile::wire::{Changed, Listed, Reply};

/// A reply that takes longer is an error.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(20);

/// The prefix of the many files.
pub(crate) const FILES: &str = "f/";

/// The prefix of a few files of the same age.
pub(crate) const FEW: &str = "few/";
pub(crate) const FEW_FILES: usize = 10;

pub(crate) const CONTENTS: &str = "abc";

pub(crate) struct Client {
    stream: BufReader<TcpStream>,
    line: Vec<u8>,
}

/// Returns the name of one of the many files.
pub(crate) fn file(index: usize) -> String {
    format!("{FILES}{index:06}")
}

pub(crate) fn wrong(what: &str, got: &[u8]) -> io::Error {
    io::Error::other(format!("not {what}: {}", got.escape_ascii()))
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        Ok(Client { stream: BufReader::with_capacity(64 << 10, stream), line: Vec::new() })
    }

    fn send(&mut self, request: &[u8]) -> io::Result<()> {
        self.stream.get_mut().write_all(request)
    }

    fn next_line(&mut self) -> io::Result<&[u8]> {
        self.line.clear();
        self.stream.read_until(b'\n', &mut self.line)?;
        self.line.strip_suffix(b"\r\n").ok_or_else(|| wrong("a line", &self.line))
    }

    /// Creates the files that every part uses.
    pub(crate) fn fill(&mut self, files: usize) -> io::Result<()> {
        const BATCH: usize = 500;
        let few = (0..FEW_FILES).map(|i| format!("{FEW}{i}"));
        let names: Vec<_> = few.chain((0..files).map(file)).collect();
        names.chunks(BATCH).try_for_each(|names| self.write_all(names))
    }

    /// Writes files in a pipeline.
    pub(crate) fn write_all(&mut self, names: &[impl AsRef<str>]) -> io::Result<()> {
        let writes = names.iter().map(|name| write_request(name.as_ref()));
        self.send(writes.collect::<String>().as_bytes())?;
        names.iter().try_for_each(|_| self.written().map(drop))
    }

    /// Writes a file. Returns its version.
    pub(crate) fn write(&mut self, name: &str) -> io::Result<u64> {
        self.send(write_request(name).as_bytes())?;
        self.written()
    }

    fn written(&mut self) -> io::Result<u64> {
        let line = self.next_line()?;
        match Reply::parse(line) {
            Some(Reply::Version(version)) => Ok(version),
            _ => Err(wrong("a version", line)),
        }
    }

    pub(crate) fn read(&mut self, name: &str) -> io::Result<()> {
        self.send(format!("read {name}\r\n").as_bytes())?;
        let line = self.next_line()?;
        if !matches!(Reply::parse(line), Some(Reply::Contents { numbytes: 3, .. })) {
            return Err(wrong("contents", line));
        }
        let contents = self.next_line()?;
        if contents == CONTENTS.as_bytes() { Ok(()) } else { Err(wrong(CONTENTS, contents)) }
    }

    /// Returns the version of the table.
    pub(crate) fn rev(&mut self) -> io::Result<u64> {
        self.send(b"hello\r\n")?;
        let line = self.next_line()?;
        match Reply::parse(line) {
            Some(Reply::Hello { rev, .. }) => Ok(rev),
            _ => Err(wrong("a welcome", line)),
        }
    }

    /// Waits until `count` watches wait.
    pub(crate) fn await_watches(&mut self, count: usize) -> io::Result<()> {
        const LOOK_AGAIN: Duration = Duration::from_millis(1);
        let deadline = Instant::now() + TIMEOUT;
        while self.stat("watches")? != count as u64 {
            if Instant::now() > deadline {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "the watches do not wait"));
            }
            std::thread::sleep(LOOK_AGAIN);
        }
        Ok(())
    }

    fn stat(&mut self, name: &str) -> io::Result<u64> {
        self.send(b"stats\r\n")?;
        let line = self.next_line()?;
        let Some(Reply::Stats { count }) = Reply::parse(line) else {
            return Err(wrong("stats", line));
        };
        let mut found = None;
        for _ in 0..count {
            let line = self.next_line()?.to_vec();
            if let Some((key, value)) = String::from_utf8_lossy(&line).split_once(' ')
                && key == name
            {
                found = value.parse().ok();
            }
        }
        found.ok_or_else(|| wrong("stats with this", name.as_bytes()))
    }

    /// Lists all files of a prefix by pages. Returns their number.
    pub(crate) fn list(&mut self, prefix: &str, page: usize) -> io::Result<usize> {
        let (mut total, mut after) = (0, prefix.to_string());
        loop {
            self.send(format!("list {prefix} {page} {after}\r\n").as_bytes())?;
            let line = self.next_line()?;
            let Some(Reply::List { count, more, .. }) = Reply::parse(line) else {
                return Err(wrong("a list", line));
            };
            for i in 0..count {
                let line = self.next_line()?;
                let listed = Listed::parse(line).ok_or_else(|| wrong("a file", line))?;
                if i + 1 == count {
                    after = listed.name.as_str().to_string();
                }
            }
            total += count as usize;
            if !more {
                return Ok(total);
            }
        }
    }

    /// Watches all changes of a prefix without waiting. Returns their number.
    pub(crate) fn look_back(&mut self, prefix: &str) -> io::Result<usize> {
        self.send(format!("watch {prefix} 0 0\r\n").as_bytes())?;
        let line = self.next_line()?;
        let Some(Reply::Changes { count, .. }) = Reply::parse(line) else {
            return Err(wrong("changes", line));
        };
        for _ in 0..count {
            let line = self.next_line()?;
            Changed::parse(line).ok_or_else(|| wrong("a change", line))?;
        }
        Ok(count as usize)
    }
}

fn write_request(name: &str) -> String {
    format!("write {name} {}\r\n{CONTENTS}\r\n", CONTENTS.len())
}
