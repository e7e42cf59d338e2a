//! Many connections that watch, on one thread: a client that costs less than the server.

use crate::client::{CONTENTS, TIMEOUT, wrong};
use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Instant;

pub(crate) struct Crowd {
    epoll: OwnedFd,
    watchers: Vec<Watcher>,
}

struct Watcher {
    stream: TcpStream,
    prefix: String,
    /// The part of the reply that has arrived.
    input: Vec<u8>,
}

/// When a change reached the watchers.
pub(crate) struct Arrivals {
    /// The times, earliest first.
    pub(crate) at: Vec<Instant>,
    /// The version of the change, the same for all.
    pub(crate) version: u64,
}

impl Crowd {
    /// Opens a connection for each of `prefixes`.
    pub(crate) fn connect(
        address: SocketAddr,
        prefixes: impl Iterator<Item = String>,
    ) -> io::Result<Self> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        let mut watchers = Vec::new();
        for prefix in prefixes {
            let stream = TcpStream::connect(address)?;
            stream.set_nodelay(true)?;
            stream.set_nonblocking(true)?;
            let data = EventData::new_u64(watchers.len() as u64);
            epoll::add(&epoll, &stream, data, EventFlags::IN)?;
            watchers.push(Watcher { stream, prefix, input: Vec::new() });
        }
        Ok(Crowd { epoll, watchers })
    }

    pub(crate) fn len(&self) -> usize {
        self.watchers.len()
    }

    /// Sends a watch for changes after `rev` on each.
    pub(crate) fn watch(&mut self, rev: u64) -> io::Result<()> {
        for watcher in &mut self.watchers {
            let request = format!("watch {} {rev} 86400\r\n", watcher.prefix);
            watcher.stream.write_all(request.as_bytes())?;
        }
        Ok(())
    }

    /// Waits until each has received the change of `name`, and nothing else.
    pub(crate) fn hear(&mut self, name: &str) -> io::Result<Arrivals> {
        const EVENTS: usize = 64; // few, because all count as received when the last of them is handled
        let timeout = Timespec::try_from(TIMEOUT).map_err(|_| Errno::INVAL)?;
        let mut events = Vec::with_capacity(EVENTS);
        let mut answer = Vec::new();
        let mut arrivals = Arrivals { at: Vec::with_capacity(self.len()), version: 0 };
        while arrivals.at.len() < self.len() {
            events.clear();
            match epoll::wait(&self.epoll, spare_capacity(&mut events), Some(&timeout)) {
                Ok(0) => return Err(ErrorKind::TimedOut.into()),
                Ok(_) | Err(Errno::INTR) => {}
                Err(e) => return Err(e.into()),
            }
            for event in &events {
                let watcher = &mut self.watchers[event.data.u64() as usize];
                if !watcher.receive()? {
                    continue;
                }
                arrivals.at.push(Instant::now());
                if arrivals.at.len() == 1 {
                    arrivals.version = version(&watcher.input, name)?;
                    answer.clone_from(&watcher.input);
                } else if watcher.input != answer {
                    return Err(wrong("the version of the first", &watcher.input));
                }
                watcher.input.clear();
            }
        }
        Ok(arrivals)
    }
}

impl Watcher {
    /// Receives. Returns whether the whole reply has arrived, which is two lines.
    fn receive(&mut self) -> io::Result<bool> {
        let mut room = [0; 512];
        match self.stream.read(&mut room)? {
            0 => return Err(ErrorKind::UnexpectedEof.into()),
            n => self.input.extend_from_slice(&room[..n]),
        }
        Ok(self.input.iter().filter(|byte| **byte == b'\n').count() >= 2)
    }
}

/// Returns the version of the change of `name`, if `answer` contains only that change.
fn version(answer: &[u8], name: &str) -> io::Result<u64> {
    let digits = answer.iter().skip("CHANGES ".len()).take_while(|b| b.is_ascii_digit());
    let rev = digits.fold(0, |rev, digit| rev * 10 + u64::from(digit - b'0'));
    let right = format!("CHANGES {rev} 1\r\nput {rev} {} {name}\r\n", CONTENTS.len());
    if answer == right.as_bytes() {
        Ok(rev)
    } else {
        Err(wrong("the change that was made", answer))
    }
}
