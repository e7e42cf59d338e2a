//! The connection below a client, always in step: what is sent has its reply taken before the lock
//! on it is let go, and the first thing that does not fit ends it.

use super::ask::Ask;
use super::error::Error;
use super::{Answer, Snapshot, Stat};
use crate::contents::{Budget, Contents, Incoming};
use crate::net::{Connection, Stream};
use crate::wire::{MAX_LINE_BYTES, Reply, Request};
use std::io::{self, ErrorKind};
use std::net::Shutdown;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// So many bytes of contents have to come within one time-out.
const STEADY_BYTES: usize = 1 << 20;

/// What stands for "for ever" where a time has to be named: a hundred years.
pub(super) const FOR_EVER: Duration = Duration::from_secs(3_155_760_000);

#[derive(Debug)]
pub(super) struct Link {
    connection: Connection,
    line: Vec<u8>,
    timeout: Option<Duration>,
    max_contents: u64,
    /// Counts what is held, and has no maximum: that is for each file alone.
    held: Arc<Budget>,
    /// Contents over the maximum, to be passed over before the next reply. Not at once: who
    /// announces more than ever comes would hold the client up, and not only lose it.
    passing: Option<u64>,
    /// Why not all could be sent. What the server said before it closed tells more, so this is
    /// told only if nothing more can be read.
    unsent: Option<io::Error>,
    /// Why there is no connection any more.
    lost: Option<String>,
}

/// Takes the connection for one request and its reply.
pub(super) fn lock(link: &Mutex<Link>) -> Result<MutexGuard<'_, Link>, Error> {
    link.lock().map_err(|_| Error::Lost(io::Error::other("a thread panicked while it used it")))
}

impl Link {
    pub(super) fn new(stream: Stream, timeout: Option<Duration>, max_contents: u64) -> Self {
        let write_timeout = timeout.unwrap_or(FOR_EVER);
        Link {
            connection: Connection::new(Arc::new(stream), MAX_LINE_BYTES, write_timeout),
            line: Vec::new(),
            timeout,
            max_contents,
            held: Budget::new(u64::MAX),
            passing: None,
            unsent: None,
            lost: None,
        }
    }

    pub(super) fn stream(&self) -> &Arc<Stream> {
        self.connection.stream()
    }

    /// Whether the stream has ended while nothing was asked.
    pub(super) fn has_ended(&self) -> bool {
        // Nothing is owed, so there is nothing else that could be read. An error is an end too.
        self.lost.is_some() || self.stream().wait_readable(Instant::now()).unwrap_or(true)
    }

    /// Sends a request, with its contents, or keeps it to be sent with the next ones.
    pub(super) fn send(&mut self, ask: &Ask<'_>) -> Result<(), Error> {
        self.check()?;
        ask.request.write_to(self.connection.output());
        let sent = ask.contents.map_or(Ok(()), |c| self.connection.send_contents(c));
        self.sent(sent)
    }

    fn sent(&mut self, sent: io::Result<()>) -> Result<(), Error> {
        match sent {
            Ok(()) => Ok(()),
            // It takes nothing, so it will not answer either.
            Err(e) if e.kind() == ErrorKind::TimedOut => Err(self.lose(e)),
            Err(e) => {
                self.connection.output().clear();
                self.unsent.get_or_insert(e);
                Ok(())
            }
        }
    }

    /// Sends a request and takes its answer, which is of the kind that `take` takes.
    pub(super) fn ask<T>(
        &mut self,
        ask: &Ask<'_>,
        take: fn(&mut Link, &Ask<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.send(ask)?;
        take(self, ask)
    }

    /// Takes the answer to the oldest request that has none, whatever it asks.
    pub(super) fn answer(&mut self, ask: &Ask<'_>) -> Result<Answer, Error> {
        match ask.request {
            Request::Read { .. } => self.snapshot(ask).map(Answer::Snapshot),
            Request::Write { .. } | Request::Cas { .. } => self.version(ask).map(Answer::Version),
            Request::Stat { .. } => self.stat(ask).map(Answer::Stat),
            _ => self.done(ask).map(|()| Answer::Done),
        }
    }

    pub(super) fn snapshot(&mut self, ask: &Ask<'_>) -> Result<Snapshot, Error> {
        let (version, numbytes, exptime) = self.reply(ask, |reply| match reply {
            Reply::Contents { version, numbytes, exptime } => Some((version, numbytes, exptime)),
            _ => None,
        })?;
        let contents = self.contents(ask, numbytes)?;
        Ok(Snapshot { contents, version, exptime })
    }

    pub(super) fn version(&mut self, ask: &Ask<'_>) -> Result<u64, Error> {
        self.reply(ask, |reply| match reply {
            Reply::Version(version) => Some(version),
            _ => None,
        })
    }

    pub(super) fn done(&mut self, ask: &Ask<'_>) -> Result<(), Error> {
        self.reply(ask, |reply| (reply == Reply::Done).then_some(()))
    }

    pub(super) fn stat(&mut self, ask: &Ask<'_>) -> Result<Stat, Error> {
        self.reply(ask, |reply| match reply {
            Reply::Stat { version, numbytes, exptime, kind, opens } => {
                Some(Stat { version, numbytes, exptime, kind: kind.to_string(), opens })
            }
            _ => None,
        })
    }

    /// The descriptor, the version and the type.
    pub(super) fn opened(&mut self, ask: &Ask<'_>) -> Result<(u64, u64, String), Error> {
        self.reply(ask, |reply| match reply {
            Reply::Fd { fd, version, kind } => Some((fd, version, kind.to_string())),
            _ => None,
        })
    }

    /// The epoch.
    pub(super) fn hello(&mut self, ask: &Ask<'_>) -> Result<u64, Error> {
        self.reply(ask, |reply| match reply {
            Reply::Hello { epoch, .. } => Some(epoch),
            _ => None,
        })
    }

    /// The lines of an answer that says how many there are.
    pub(super) fn lines(&mut self, ask: &Ask<'_>) -> Result<Vec<String>, Error> {
        let count = self.reply(ask, |reply| match reply {
            Reply::Types { count } | Reply::Stats { count } => Some(count),
            _ => None,
        })?;
        let (mut lines, mut bytes) = (Vec::new(), 0);
        for _ in 0..count {
            self.next_line()?;
            bytes += self.line.len() + size_of::<String>();
            if bytes as u64 > self.max_contents {
                return Err(self.unexpected(ask));
            }
            lines.push(String::from_utf8_lossy(&self.line).into_owned());
        }
        Ok(lines)
    }

    /// Takes the line of the next reply, and of that what `pick` picks; what it does not pick is
    /// no answer to what was asked.
    fn reply<T>(
        &mut self,
        ask: &Ask<'_>,
        pick: impl FnOnce(Reply<'_>) -> Option<T>,
    ) -> Result<T, Error> {
        self.check()?;
        self.set_deadline();
        let sent = self.connection.flush();
        self.sent(sent)?;
        self.pass()?;
        self.next_line()?;
        match Reply::parse(&self.line) {
            Some(Reply::Refused(refusal)) => {
                if refusal.closes() {
                    self.end(refusal.word().to_string());
                }
                Err(Error::Refused { file: ask.file.map(String::from), refusal })
            }
            reply => reply.and_then(pick).ok_or(()).map_err(|()| self.unexpected(ask)),
        }
    }

    /// Reads past contents that were too large, if that is still to be done.
    pub(super) fn pass(&mut self) -> Result<(), Error> {
        let Some(numbytes) = self.passing.take() else { return Ok(()) };
        self.set_deadline();
        let passed = self.connection.skip(numbytes);
        let passed = passed.and_then(|()| self.connection.read_line_end());
        passed.map_err(|e| self.lose(e))
    }

    fn next_line(&mut self) -> Result<(), Error> {
        match self.connection.read_line(&mut self.line) {
            Ok(true) => Ok(()),
            Ok(false) => {
                let why = "the server closed the connection";
                Err(self.lose(io::Error::new(ErrorKind::UnexpectedEof, why)))
            }
            Err(e) => Err(self.lose(e)),
        }
    }

    /// Takes announced contents, straight to where they are kept.
    fn contents(&mut self, ask: &Ask<'_>, numbytes: u64) -> Result<Contents, Error> {
        let max = self.max_contents;
        let announced = match usize::try_from(numbytes) {
            Ok(announced) if numbytes <= max => announced,
            _ => {
                self.passing = Some(numbytes);
                let file = ask.file.unwrap_or_default().to_string();
                return Err(Error::TooLarge { file, numbytes, max });
            }
        };
        let mut incoming = Incoming::new(announced, &self.held);
        let mut next_deadline = announced.saturating_sub(STEADY_BYTES);
        while incoming.missing() > 0 {
            if incoming.missing() <= next_deadline {
                self.set_deadline();
                next_deadline = incoming.missing().saturating_sub(STEADY_BYTES);
            }
            let room = match incoming.room() {
                Ok(room) => room,
                Err(_) => return Err(self.lose(ErrorKind::OutOfMemory.into())),
            };
            self.connection.read_contents(room).map_err(|e| self.lose(e))?;
        }
        self.connection.read_line_end().map_err(|e| self.lose(e))?;
        Ok(incoming.finish())
    }

    fn set_deadline(&mut self) {
        let deadline = self.timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        self.connection.set_deadline(deadline);
    }

    fn check(&self) -> Result<(), Error> {
        let lost = |why: &String| Error::Lost(io::Error::new(ErrorKind::NotConnected, why.clone()));
        self.lost.as_ref().map_or(Ok(()), |why| Err(lost(why)))
    }

    /// The connection is of no use any more.
    fn lose(&mut self, e: io::Error) -> Error {
        let error = match (e.kind(), self.unsent.take()) {
            (ErrorKind::InvalidData, _) => Error::Protocol(e.to_string()),
            (ErrorKind::TimedOut, _) => {
                let time = self.timeout.unwrap_or_default();
                let why = format!("no answer within {time:?}");
                Error::Lost(io::Error::new(ErrorKind::TimedOut, why))
            }
            (_, Some(unsent)) => Error::Lost(unsent),
            _ => Error::Lost(e),
        };
        self.end(match &error {
            Error::Lost(e) => e.to_string(),
            other => other.to_string(),
        });
        error
    }

    /// The line is none that answers what was asked.
    fn unexpected(&mut self, ask: &Ask<'_>) -> Error {
        const MAX_SHOWN_BYTES: usize = 64;
        let line = &self.line[..self.line.len().min(MAX_SHOWN_BYTES)];
        let line = String::from_utf8_lossy(line).escape_debug().to_string();
        let asked = match ask.request {
            Request::Hello { .. } => "hello".to_string(),
            request => request.to_string(),
        };
        let error = Error::Protocol(format!("{line:?} to {asked}"));
        self.end(error.to_string());
        error
    }

    /// The server notices too, and closes what was open.
    fn end(&mut self, why: String) {
        self.connection.stream().shutdown(Shutdown::Both);
        self.lost = Some(why);
    }
}
