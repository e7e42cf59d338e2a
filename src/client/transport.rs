//! The connection of a client, always in step: the reply to a request is taken before the lock is
//! released, and the first mismatch ends the connection.

mod counted;

use super::call::Call;
use super::error::Error;
use super::values::Hello;
use crate::budget::Budget;
use crate::exptime::FOREVER;
use crate::net::{Address, BufferedStream, Stream};
use crate::refusal::Refusal;
use crate::wire::{MAX_REPLY_LINE_BYTES, Reply, Request};
use std::fmt;
use std::io::{self, ErrorKind, IoSlice};
use std::mem;
use std::net::Shutdown;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

#[derive(Debug)]
pub(super) struct Transport {
    connection: BufferedStream,
    /// The server's address, for errors.
    address: String,
    /// The latest reply line.
    pub(super) line: Vec<u8>,
    timeout: Option<Duration>,
    pub(super) max_contents: u64,
    /// Counts held contents, and has no maximum: that applies to each file alone.
    held: Arc<Budget>,
    /// Contents over the maximum, to be skipped before the next reply. Not at once: a server that
    /// announces more than it ever sends would delay the client as well as lose it.
    passing: Option<u64>,
    /// Why not everything could be sent. The server's last reply before it closed says more, so
    /// this is reported only if nothing more can be read.
    unsent: Option<io::Error>,
    /// Why the connection is gone.
    lost: Option<String>,
    /// How long a silence makes the server end the connection.
    idle_timeout: Option<Duration>,
    /// Dropping this ends the thread that keeps the connection alive.
    kept_alive: Option<Sender<()>>,
}

/// Locks the connection for one request and its reply.
pub(super) fn lock(transport: &Mutex<Transport>) -> Result<MutexGuard<'_, Transport>, Error> {
    transport
        .lock()
        .map_err(|_| Error::Lost(io::Error::other("a thread panicked while it used it")))
}

impl Transport {
    pub(super) fn new(
        stream: Stream,
        address: &Address,
        timeout: Option<Duration>,
        max_contents: u64,
    ) -> Self {
        let write_timeout = timeout.unwrap_or(FOREVER);
        Transport {
            connection: BufferedStream::new(Arc::new(stream), MAX_REPLY_LINE_BYTES, write_timeout),
            address: address.to_string(),
            line: Vec::new(),
            timeout,
            max_contents,
            held: Budget::new(u64::MAX),
            passing: None,
            unsent: None,
            lost: None,
            idle_timeout: None,
            kept_alive: None,
        }
    }

    /// Sends `hello`, the first request that a server may require of its clients. Waits `timeout`
    /// for its reply.
    pub(super) fn meet(
        &mut self,
        token: Option<&[u8]>,
        timeout: Option<Duration>,
    ) -> Result<Hello, Error> {
        let later = mem::replace(&mut self.timeout, timeout);
        let met = self.call(&Call::plain(Request::Hello { token }), Transport::hello);
        self.timeout = later;
        met.map_err(|e| match e {
            // The reply line is the same for both, but here it is about the token.
            Error::Refused { refusal: Refusal::Denied, file } => {
                Error::Refused { refusal: Refusal::WrongToken, file }
            }
            // The caller has sent no request yet.
            Error::Lost(e) => Error::Connect(e),
            e => e,
        })
    }

    pub(super) fn limit_timeout(&mut self, most: Duration) {
        self.timeout = Some(self.timeout.map_or(most, |timeout| timeout.min(most)));
    }

    /// Stores the server's idle time-out.
    pub(super) fn set_idle_timeout(&mut self, timeout: Option<Duration>) {
        self.idle_timeout = timeout;
    }

    /// Returns the server's idle time-out, if no thread keeps the connection alive yet.
    pub(super) fn to_keep_alive(&self) -> Option<Duration> {
        self.idle_timeout.filter(|_| self.kept_alive.is_none())
    }

    pub(super) fn kept_alive(&mut self, kept: Sender<()>) {
        self.kept_alive = Some(kept);
    }

    /// Sends a sign of life, an empty line, which has no reply. Does not wait: bytes that do not
    /// fit now go out with the next sign.
    pub(super) fn beat(&mut self) -> Result<(), Error> {
        self.check()?;
        let stream = self.stream().clone();
        let output = self.connection.output();
        // The unsent rest of the last one is a sign, too.
        if output.is_empty() {
            output.extend_from_slice(b"\r\n");
        }
        match stream.send_now(&[IoSlice::new(output)]) {
            Ok(n) => drop(output.drain(..n)),
            Err(e) if e.kind() == ErrorKind::WouldBlock => {}
            // The next request reads what the server said before it closed.
            Err(e) => return Err(Error::Lost(e)),
        }
        Ok(())
    }

    pub(super) fn stream(&self) -> &Arc<Stream> {
        self.connection.stream()
    }

    /// Returns whether the stream has ended while no request was pending.
    pub(super) fn has_ended(&self) -> bool {
        // No reply is due, so nothing else could be read. An error is an end too.
        self.lost.is_some() || self.stream().wait_readable(Instant::now()).unwrap_or(true)
    }

    /// Sends a request with its contents, or keeps it to be sent with the next ones.
    pub(super) fn send(&mut self, call: &Call<'_>) -> Result<(), Error> {
        self.check()?;
        // The time of the previous reply may be over long since.
        self.set_deadline(Duration::ZERO);
        call.request.write_to(self.connection.output());
        let sent = call.contents.map_or(Ok(()), |c| self.connection.send_contents(c));
        self.sent(sent)
    }

    fn sent(&mut self, sent: io::Result<()>) -> Result<(), Error> {
        match sent {
            Ok(()) => Ok(()),
            // A server that does not take the request does not answer it either.
            Err(e) if e.kind() == ErrorKind::TimedOut => Err(self.lose(e)),
            Err(e) => {
                self.connection.output().clear();
                self.unsent.get_or_insert(e);
                Ok(())
            }
        }
    }

    /// Sends a request and returns its answer, as `receive` reads it.
    pub(super) fn call<T>(
        &mut self,
        call: &Call<'_>,
        receive: fn(&mut Transport, &Call<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.send(call)?;
        receive(self, call)
    }

    /// Reads the next reply line and returns what `pick` picks from it; a reply that `pick` does
    /// not accept does not answer the request.
    pub(super) fn reply<T>(
        &mut self,
        call: &Call<'_>,
        pick: impl FnOnce(Reply<'_>) -> Option<T>,
    ) -> Result<T, Error> {
        self.check()?;
        self.set_deadline(match call.request {
            Request::Watch { seconds, .. } | Request::Wait { seconds, .. } => {
                Duration::from_secs(seconds)
            }
            _ => Duration::ZERO,
        });
        let sent = self.connection.flush();
        self.sent(sent)?;
        self.pass()?;
        self.next_line()?;
        match Reply::parse(&self.line) {
            Some(Reply::Refused(refusal)) => {
                if refusal.closes() {
                    self.end(refusal.word().to_string());
                }
                Err(Error::Refused { file: call.file.map(String::from), refusal })
            }
            reply => reply.and_then(pick).ok_or(()).map_err(|()| self.unexpected(call)),
        }
    }

    /// Skips contents that were too large, if that is still to be done.
    pub(super) fn pass(&mut self) -> Result<(), Error> {
        let Some(numbytes) = self.passing.take() else { return Ok(()) };
        self.set_deadline(Duration::ZERO);
        let passed = self.connection.skip(numbytes);
        let passed = passed.and_then(|()| self.connection.read_line_end());
        passed.map_err(|e| self.lose(e))
    }

    pub(super) fn next_line(&mut self) -> Result<(), Error> {
        match self.connection.read_line(&mut self.line) {
            Ok(true) => Ok(()),
            Ok(false) => {
                let why = "the server closed the connection";
                Err(self.lose(io::Error::new(ErrorKind::UnexpectedEof, why)))
            }
            Err(e) => Err(self.lose(e)),
        }
    }

    /// Allows the server `time` to execute the request, and the time-out to answer.
    fn set_deadline(&mut self, time: Duration) {
        let deadline = self.timeout.and_then(|timeout| Instant::now().checked_add(time + timeout));
        self.connection.set_deadline(deadline);
    }

    fn check(&self) -> Result<(), Error> {
        let lost = |why: &String| Error::Lost(io::Error::new(ErrorKind::NotConnected, why.clone()));
        self.lost.as_ref().map_or(Ok(()), |why| Err(lost(why)))
    }

    /// Marks the connection as lost.
    fn lose(&mut self, e: io::Error) -> Error {
        let error = match (e.kind(), self.unsent.take()) {
            (ErrorKind::InvalidData, _) => Error::Protocol(self.at_address(e)),
            (ErrorKind::TimedOut, _) => {
                let time = self.timeout.unwrap_or_default();
                let why = self.at_address(format!("no answer within {time:?}"));
                Error::Lost(io::Error::new(ErrorKind::TimedOut, why))
            }
            (_, unsent) => {
                let e = unsent.unwrap_or(e);
                Error::Lost(io::Error::new(e.kind(), self.at_address(e)))
            }
        };
        self.end(match &error {
            Error::Lost(e) => e.to_string(),
            other => other.to_string(),
        });
        error
    }

    fn at_address(&self, what: impl fmt::Display) -> String {
        format!("{}: {what}", self.address)
    }

    /// Returns the error for a reply line that does not answer the request.
    pub(super) fn unexpected(&mut self, call: &Call<'_>) -> Error {
        const MAX_SHOWN_BYTES: usize = 64;
        let line = &self.line[..self.line.len().min(MAX_SHOWN_BYTES)];
        let line = String::from_utf8_lossy(line).escape_debug().to_string();
        let asked = match call.request {
            Request::Hello { .. } => "hello".to_string(),
            request => request.to_string(),
        };
        let error = Error::Protocol(self.at_address(format!("{line:?} to {asked}")));
        self.end(error.to_string());
        error
    }

    /// The server notices too, and closes the files that were open.
    fn end(&mut self, why: String) {
        self.connection.stream().shutdown(Shutdown::Both);
        self.lost = Some(why);
    }
}
