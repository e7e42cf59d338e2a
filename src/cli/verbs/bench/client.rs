//! One client of the load: sends a batch, checks every reply, and repeats.

use super::phase;
use super::settings::{Mix, Settings};
use crate::cli::failure::Failure;
use crate::cli::remote::hello;
use crate::client::{Error, first_answer};
use crate::exptime::Exptime;
use crate::name::{FileRef, Name, NameRef};
use crate::net::{Addresses, BufferedStream, Stream};
use crate::refusal::Refusal;
use crate::token::Token;
use crate::wire::{MAX_LINE_BYTES, Reply, Request};
use hdrhistogram::Histogram;
use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// A batch must fit into the sockets' buffers, requests one way and replies the other.
pub(super) const MAX_BATCH_BYTES: u64 = 128 << 10;

/// What all clients share. The files are `bench/PID/0` and so on; 64 MiB together at most.
pub(super) struct Load {
    addresses: Addresses,
    token: Option<Token>,
    timeout: Duration,
    names: Vec<Name>,
    contents: Vec<u8>,
    depth: usize,
    mix: Mix,
}

impl Load {
    /// # Errors
    /// Invalid addresses.
    pub(super) fn new(settings: &Settings, token: Option<Token>) -> io::Result<Self> {
        let size = settings.size as usize;
        let files = ((64 << 20) / size.max(1)).clamp(16, 10_000);
        let name = |i| format!("bench/{}/{i}", std::process::id());
        Ok(Load {
            addresses: settings.remote.place.address.parse()?,
            token,
            timeout: settings.remote.patience.timeout,
            names: (0..files).filter_map(|i| Some(NameRef::new(&name(i))?.to_name())).collect(),
            contents: (0..size).map(|i| b'0' + ((i * 7 + i / 61) % 75) as u8).collect(),
            depth: settings.depth,
            mix: settings.mix,
        })
    }
}

/// What was done, and how long it took.
#[derive(Clone)]
pub(super) struct Counts {
    pub(super) nanoseconds: Histogram<u32>,
    pub(super) reads: u64,
    pub(super) writes: u64,
    pub(super) cas_ok: u64,
    pub(super) cas_refused: u64,
    pub(super) errors: u64,
    pub(super) first_error: Option<(ErrorKind, String)>,
}

impl Default for Counts {
    fn default() -> Self {
        // Up to a minute, with two digits: always valid bounds.
        let nanoseconds = Histogram::new_with_max(60_000_000_000, 2).expect("valid bounds");
        let (reads, writes, cas_ok, cas_refused, errors) = (0, 0, 0, 0, 0);
        Counts { nanoseconds, reads, writes, cas_ok, cas_refused, errors, first_error: None }
    }
}

impl Counts {
    pub(super) fn operations(&self) -> u64 {
        self.reads + self.writes + self.cas_ok + self.cas_refused
    }

    pub(super) fn fail(&mut self, e: &io::Error) {
        self.errors += 1;
        self.first_error.get_or_insert((e.kind(), e.to_string()));
    }

    pub(super) fn add(&mut self, other: &Counts) {
        let _ = self.nanoseconds.add(&other.nanoseconds); // the bounds are equal, so it fits
        self.reads += other.reads;
        self.writes += other.writes;
        self.cas_ok += other.cas_ok;
        self.cas_refused += other.cas_refused;
        self.errors += other.errors;
        if self.first_error.is_none() {
            self.first_error.clone_from(&other.first_error);
        }
    }
}

#[derive(Clone, Copy)]
enum Operation {
    Read,
    Write,
    Cas,
    Delete,
}

/// One connection. A `Connection` serves both ends: it sends what it has collected before it waits.
/// Not a [`crate::Client`]: that stores the contents of each reply separately and locks for each
/// request, and this measures the server.
pub(super) struct Client<'a> {
    load: &'a Load,
    connection: BufferedStream,
    /// Requests without a reply yet: the operation, and the index of the file.
    asked: VecDeque<(Operation, usize)>,
    /// The version of each file as this client last saw it, if needed.
    versions: Vec<u64>,
    line: Vec<u8>,
    contents: Vec<u8>,
    random: u64,
    counts: Counts,
}

impl<'a> Client<'a> {
    pub(super) fn connect(load: &'a Load, seed: u64) -> Result<Self, Error> {
        let connect = |address: &_, timeout| {
            let stream = Stream::connect(address, timeout).map_err(Error::Connect)?;
            stream.set_idle_timeout(timeout).map_err(Error::Connect)?;
            let stream = Arc::new(stream);
            let mut connection = BufferedStream::new(stream.clone(), MAX_LINE_BYTES, load.timeout);
            hello(&mut connection, address, load.token.as_ref())?;
            stream.set_idle_timeout(Some(load.timeout)).map_err(Error::Connect)?;
            Ok(connection)
        };
        let (_, connection) = first_answer(&load.addresses, 0, Some(load.timeout), connect)?;
        let versions = vec![0; if load.mix.cas > 0 { load.names.len() } else { 0 }];
        Ok(Client {
            load,
            connection,
            asked: VecDeque::with_capacity(load.depth),
            versions,
            line: Vec::new(),
            contents: Vec::with_capacity(load.contents.len()),
            random: (seed + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1,
            counts: Counts::default(),
        })
    }

    /// Creates all files.
    pub(super) fn write_all_files(&mut self) -> io::Result<()> {
        self.for_all_files(Operation::Write)
    }

    /// Deletes all files, so that the server is as it was.
    pub(super) fn delete_all_files(&mut self) -> io::Result<()> {
        self.asked.clear();
        self.for_all_files(Operation::Delete)
    }

    fn for_all_files(&mut self, operation: Operation) -> io::Result<()> {
        for file in 0..self.load.names.len() {
            self.ask(operation, file)?;
            self.take_reply()?;
        }
        self.counts = Counts::default();
        Ok(())
    }

    /// Sends batches and checks the replies until `phase` says stop, or something is wrong.
    pub(super) fn run(&mut self, phase: &AtomicU8) -> Counts {
        let mut measuring = false;
        loop {
            match phase.load(Relaxed) {
                phase::STOP => break,
                phase::MEASURE if !measuring => {
                    (self.counts, measuring) = (Counts::default(), true);
                }
                _ => {}
            }
            if let Err(e) = self.batch() {
                self.counts.fail(&e);
                break;
            }
        }
        std::mem::take(&mut self.counts)
    }

    fn batch(&mut self) -> io::Result<()> {
        let start = Instant::now();
        let Mix { read, write, cas } = self.load.mix;
        for _ in 0..self.load.depth {
            let random = self.next_random();
            let file = (random >> 32) as usize % self.load.names.len();
            let operation = match random as u32 % (read + write + cas) {
                n if n < read => Operation::Read,
                n if n < read + write => Operation::Write,
                _ => Operation::Cas,
            };
            self.ask(operation, file)?;
        }
        while !self.asked.is_empty() {
            self.take_reply()?;
            let nanoseconds = start.elapsed().as_nanos() as u64;
            self.counts.nanoseconds.saturating_record(nanoseconds);
        }
        Ok(())
    }

    fn ask(&mut self, operation: Operation, index: usize) -> io::Result<()> {
        let file = FileRef::Name(self.load.names[index].as_name_ref());
        // A killed run leaves no file behind: each ends with the connection that wrote it last.
        let (numbytes, exptime) = (self.load.contents.len() as u64, Exptime::Connection);
        let request = match operation {
            Operation::Read => Request::Read { file },
            Operation::Write => Request::Write { file, numbytes, exptime },
            Operation::Cas => {
                Request::Cas { file, version: self.versions[index], numbytes, exptime }
            }
            Operation::Delete => Request::Delete { file, version: None },
        };
        request.write_to(self.connection.output());
        self.asked.push_back((operation, index));
        match request.numbytes() {
            Some(_) => self.connection.send_contents(&self.load.contents),
            None => Ok(()),
        }
    }

    /// Reads the next reply, and checks that it fits its request.
    fn take_reply(&mut self) -> io::Result<()> {
        let Some((operation, index)) = self.asked.pop_front() else { return Ok(()) };
        let load = self.load;
        let size = load.contents.len();
        match (operation, self.reply()?) {
            (Operation::Read, Reply::Contents { numbytes, .. }) if numbytes == size as u64 => {
                self.contents.clear();
                while self.contents.len() < size {
                    self.connection.read_contents(&mut self.contents)?;
                }
                self.connection.read_line_end()?;
                if self.contents != self.load.contents {
                    return Err(invalid("the contents are not what was written"));
                }
                self.counts.reads += 1;
            }
            (Operation::Write, Reply::Version(_)) => self.counts.writes += 1,
            (Operation::Cas, Reply::Version(version)) => {
                self.versions[index] = version;
                self.counts.cas_ok += 1;
            }
            (Operation::Cas, Reply::Refused(Refusal::Version(version))) => {
                self.versions[index] = version.0;
                self.counts.cas_refused += 1;
            }
            (Operation::Delete, Reply::Done) => {}
            (_, other) => return Err(unexpected(load.names[index].as_str(), other)),
        }
        Ok(())
    }

    fn reply(&mut self) -> io::Result<Reply<'_>> {
        if !self.connection.read_line(&mut self.line)? {
            return Err(io::Error::new(
                ErrorKind::UnexpectedEof,
                "the server closed the connection",
            ));
        }
        let shown = |line: &[u8]| String::from_utf8_lossy(line).escape_debug().to_string();
        Reply::parse(&self.line)
            .ok_or_else(|| invalid(&format!("not a reply: {}", shown(&self.line))))
    }

    /// Returns a xorshift64 number: choosing the next file and operation needs nothing better.
    fn next_random(&mut self) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random
    }
}

fn unexpected(file: &str, reply: Reply<'_>) -> io::Error {
    match reply {
        Reply::Refused(refusal) => {
            let refused = Error::Refused { file: Some(file.to_string()), refusal };
            invalid(&Failure::from(refused).message)
        }
        other => {
            let mut line = Vec::new();
            other.write_to(&mut line);
            let line = String::from_utf8_lossy(line.trim_ascii_end());
            invalid(&format!("{file}: unexpected reply: {line}"))
        }
    }
}

fn invalid(why: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, why)
}
