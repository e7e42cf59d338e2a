//! One client connection: sends a batch, receives, and checks each reply. It works with blocking
//! and non-blocking streams, so both engines use the same client.

use crate::dialect::{Expected, Outcome};
use crate::load::{Load, Mix, append_small};
use crate::tally::Tally;
use crate::window::Phase;
use socket2::SockRef;
use std::collections::VecDeque;
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// A reply that takes longer is an error.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(20);

/// Connects, and makes closing a reset: the port is free at once. Otherwise thousands of ports
/// would stay in use for a minute each.
fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    SockRef::from(&stream).set_linger(Some(Duration::ZERO))?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    Ok(stream)
}

pub(crate) struct Client<'a> {
    pub(crate) stream: TcpStream,
    load: &'a Load,
    output: Vec<u8>,
    /// The value and CR LF come after `output`.
    value_follows: bool,
    /// Of `output` and what follows it.
    sent: usize,
    /// `input[start..end]` is received and not checked.
    input: Vec<u8>,
    start: usize,
    end: usize,
    asked: VecDeque<(Expected, usize)>,
    asked_at: Instant,
    /// A cas whose first request is answered: the key and the version that it read.
    guard: Option<(usize, u64)>,
    /// The versions by key as this client last read them, if it does cas.
    versions: Vec<u64>,
    random: u64,
}

impl<'a> Client<'a> {
    pub(crate) fn connect(load: &'a Load, address: SocketAddr, seed: u64) -> io::Result<Self> {
        let room = (load.value.bytes().len() + 4096).max(16 << 10);
        Ok(Client {
            stream: connect(address)?,
            load,
            output: Vec::new(),
            value_follows: false,
            sent: 0,
            input: vec![0; room],
            start: 0,
            end: 0,
            asked: VecDeque::with_capacity(load.depth),
            asked_at: Instant::now(),
            guard: None,
            versions: vec![0; if load.mix.cas > 0 { load.keys.len() } else { 0 }],
            random: (seed + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1,
        })
    }

    /// Writes every key once.
    pub(crate) fn write_all(&mut self) -> io::Result<()> {
        const BATCH: usize = 32;
        let batch = if self.load.is_direct() { 1 } else { BATCH };
        let keys: Vec<_> = (0..self.load.keys.len()).collect();
        for keys in keys.chunks(batch) {
            self.begin();
            keys.iter().for_each(|key| self.ask_write(*key));
            self.finish_batch(&mut Tally::default(), &Phase::new())?;
        }
        Ok(())
    }

    /// Reads one key, without counting it.
    pub(crate) fn read_one(&mut self, key: usize) -> io::Result<()> {
        self.begin();
        self.ask_read(key % self.load.keys.len());
        self.finish_batch(&mut Tally::default(), &Phase::new())
    }

    /// Begins the next batch, or the second request of a cas; the one before must be complete.
    pub(crate) fn ask_batch(&mut self) {
        if let Some((key, version)) = self.guard.take() {
            let asked_at = self.asked_at; // an attempt is both requests
            self.begin();
            self.asked_at = asked_at;
            return self.ask_cas(key, version);
        }
        self.begin();
        let Mix { read, write, cas } = self.load.mix;
        for _ in 0..self.load.depth {
            let random = self.next_random();
            let key = (random >> 32) as usize % self.load.keys.len();
            match random as u32 % (read + write + cas) {
                n if n < read => self.ask_read(key),
                n if n < read + write => self.ask_write(key),
                _ if self.load.dialect.read_version(&mut self.output, &self.load.keys[key]) => {
                    self.asked.push_back((Expected::VersionedContents, key));
                }
                _ => self.ask_cas(key, self.versions[key]),
            }
        }
    }

    fn begin(&mut self) {
        self.output.clear();
        (self.sent, self.value_follows) = (0, false);
        self.asked_at = Instant::now();
    }

    fn ask_read(&mut self, key: usize) {
        self.output.extend_from_slice(&self.load.reads[key]);
        self.asked.push_back((Expected::Contents, key));
    }

    fn ask_write(&mut self, key: usize) {
        self.output.extend_from_slice(&self.load.writes[key]);
        self.value_follows = self.load.is_direct();
        self.asked.push_back((Expected::Written, key));
    }

    fn ask_cas(&mut self, key: usize, version: u64) {
        let Load { dialect, keys, value, .. } = self.load;
        dialect.cas(&mut self.output, &keys[key], version, value.bytes().len());
        append_small(&mut self.output, &**dialect, value);
        self.value_follows = self.load.is_direct();
        self.asked.push_back((Expected::CasAnswered, key));
    }

    /// Sends the rest of the batch. Returns false if a non-blocking stream takes no more.
    pub(crate) fn send(&mut self) -> io::Result<bool> {
        let value: [&[u8]; 2] =
            if self.value_follows { [self.load.value.bytes(), b"\r\n"] } else { [b"", b""] };
        let all = self.output.len() + value[0].len() + value[1].len();
        while self.sent < all {
            let written = if self.value_follows {
                let mut parts = [&self.output, value[0], value[1]].map(IoSlice::new);
                let mut parts = &mut parts[..];
                IoSlice::advance_slices(&mut parts, self.sent);
                self.stream.write_vectored(parts)
            } else {
                self.stream.write(&self.output[self.sent..])
            };
            match written {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(n) => self.sent += n,
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(e) => return Err(e),
            }
        }
        Ok(true)
    }

    /// Receives once. Returns false if a non-blocking stream has nothing.
    pub(crate) fn receive(&mut self) -> io::Result<bool> {
        if self.end == self.input.len() {
            self.input.copy_within(self.start.., 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        loop {
            match self.stream.read(&mut self.input[self.end..]) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(n) => {
                    self.end += n;
                    return Ok(true);
                }
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(e) => return Err(e),
            }
        }
    }

    /// Checks the replies that have arrived. Returns true once the batch is complete.
    pub(crate) fn check_replies(&mut self, tally: &mut Tally, phase: &Phase) -> io::Result<bool> {
        let latency = self.asked_at.elapsed();
        let measuring = phase.is_measuring();
        while let Some((expected, key)) = self.asked.front().copied() {
            let input = &self.input[self.start..self.end];
            let checked = self.load.dialect.check(expected, &self.load.value, input)?;
            let Some((length, outcome)) = checked else { return Ok(false) };
            self.start += length;
            self.asked.pop_front();
            match (expected, outcome) {
                (Expected::VersionedContents, Outcome::Done { version }) => {
                    self.guard = Some((key, version));
                    continue; // half an attempt
                }
                (
                    Expected::CasAnswered,
                    Outcome::Done { version } | Outcome::Refused { version },
                ) => {
                    self.versions[key] = version;
                }
                _ => {}
            }
            if measuring {
                tally.count(outcome, latency);
            }
        }
        if self.start < self.end {
            return Err(io::Error::new(ErrorKind::InvalidData, "more replies than requests"));
        }
        (self.start, self.end) = (0, 0);
        Ok(true)
    }

    /// Sends the batch and waits for all its replies, on a blocking stream.
    pub(crate) fn finish_batch(&mut self, tally: &mut Tally, phase: &Phase) -> io::Result<()> {
        let in_time = self.send()?;
        while in_time && self.receive()? {
            if self.check_replies(tally, phase)? {
                return Ok(());
            }
        }
        Err(ErrorKind::TimedOut.into())
    }

    /// xorshift64: good enough to choose the next key and operation.
    fn next_random(&mut self) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random
    }
}
