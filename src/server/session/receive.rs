//! Reading a request: its line, and the contents that follow.

use super::{Flow, Session};
use crate::contents::{Contents, Incoming};
use crate::name::FileRef;
use crate::refusal::{Limit, Refusal};
use crate::wire::{MAX_LINE_BYTES, Request, ShownLine};
use std::fmt;
use std::io::{self, ErrorKind};
use std::time::{Duration, Instant};

/// How long a client may take to send its token, if the server requires one.
const HELLO_TIMEOUT: Duration = Duration::from_secs(10);

/// How often to look whether a commit has ended, while contents may arrive.
const COMMIT_CHECK: Duration = Duration::from_millis(1);

impl Session<'_> {
    /// Sets how long the client may be silent.
    pub(super) fn limit_silence(&mut self) -> io::Result<()> {
        if !self.admitted {
            self.connection.set_deadline(Some(Instant::now() + HELLO_TIMEOUT));
        }
        match self.server.settings.idle_timeout {
            None => Ok(()), // the socket's default, which saves a call
            timeout => self.connection.stream().set_idle_timeout(timeout),
        }
    }

    /// Reads the next line. Sends the owed answers before it waits for one, and answers earlier
    /// requests before a Telnet command. Returns false at the end of the stream.
    ///
    /// # Errors
    /// Those of the stream. [`ErrorKind::InvalidData`] for a line that cannot be read; `line` then
    /// has what arrived of it.
    pub(super) fn read_line(&mut self, line: &mut Vec<u8>) -> io::Result<bool> {
        let read = self.next_line(line);
        if read.is_err() {
            let arrived = self.connection.data().iter().take(MAX_LINE_BYTES);
            *line = arrived.take_while(|byte| **byte != b'\n').copied().collect();
            line.pop_if(|byte| *byte == b'\r');
        }
        read
    }

    fn next_line(&mut self, line: &mut Vec<u8>) -> io::Result<bool> {
        let mut has_arrived = self.connection.take_line(line)?;
        while !has_arrived && self.owed.holds_large() {
            self.send_owed_until_readable()?;
            if self.owed.is_empty() || !self.connection.receive()? {
                break;
            }
            has_arrived = self.connection.take_line(line)?;
        }
        if !has_arrived || self.connection.owes_telnet() {
            // No read may block while a reply is unsent: the client may be waiting for exactly that
            // reply. Half a line counts as nothing: the rest may never come. (Invariant 6 in
            // ARCHITECTURE.md; `BufferedStream::before_receive` keeps it for what is written already.)
            self.send_owed()?;
            self.connection.answer_telnet();
            self.connection.flush_if_large()?;
        }
        if has_arrived { Ok(true) } else { self.connection.read_line(line) }
    }

    /// Returns whether the contents and their line end, if there are any, have arrived.
    pub(super) fn has_arrived(&self, numbytes: Option<u64>) -> bool {
        let arrived = self.connection.data().len() as u64;
        numbytes.is_none_or(|numbytes| arrived > numbytes + b"\r".len() as u64)
    }

    /// Refuses what can be refused before contents are received.
    pub(super) fn check_rights(&self, request: &Request<'_>) -> Result<(), Refusal> {
        if !self.admitted
            && !matches!(request, Request::Hello { .. } | Request::Help | Request::Quit)
        {
            return Err(Refusal::Denied);
        }
        match request.file() {
            Some(FileRef::Descriptor(fd)) if !self.opens.has(fd) => Err(Refusal::BadDescriptor),
            _ => Ok(()),
        }
    }

    /// Reads a request's contents and their line end, if it has any. An inner `Err` means that they
    /// exceed a limit: the client is refused at once, because it may wait for that before it sends
    /// gigabytes, and they are skipped.
    pub(super) fn receive_contents(
        &mut self,
        request: &Request<'_>,
    ) -> io::Result<Result<Option<Contents>, Flow>> {
        let Some(numbytes) = request.numbytes() else { return Ok(Ok(None)) };
        let max = self.server.settings.max_contents;
        // The only check of a file's length: contents replace others, they never add to them.
        let announced = match usize::try_from(numbytes) {
            Ok(announced) if numbytes <= max => announced,
            _ => {
                let refusal = Refusal::Limit(Limit::Contents, max);
                return self.refuse_then_skip(refusal, numbytes).map(Err);
            }
        };
        let mut incoming = Incoming::new(announced, &self.server.budget);
        while incoming.missing() > 0 {
            if self.owed.may_free_memory(&incoming.room()) {
                self.send_owed()?;
            }
            if self.connection.data().is_empty() {
                self.send_owed_until_readable()?;
            }
            match incoming.room() {
                Ok(room) => self.connection.read_contents(room)?,
                Err(refusal) => {
                    let missing = incoming.missing() as u64;
                    drop(incoming);
                    return self.refuse_then_skip(refusal, missing).map(Err);
                }
            }
        }
        while !self.owed.is_empty() && self.connection.data().len() < b"\r\n".len() {
            self.send_owed_until_readable()?;
            if !self.owed.is_empty() && !self.connection.receive()? {
                break;
            }
        }
        self.connection.read_line_end()?;
        Ok(Ok(Some(incoming.finish())))
    }

    /// Waits until something can be received, or all owed answers are sent: each as soon as its commit
    /// has ended. So large contents arrive while a commit runs.
    fn send_owed_until_readable(&mut self) -> io::Result<()> {
        self.owed.hurry();
        while !self.owed.is_empty()
            && !self.connection.stream().wait_readable(Instant::now() + COMMIT_CHECK)?
        {
            while self.owed.is_first_known() {
                self.send_first_owed()?;
            }
            self.connection.flush()?;
        }
        Ok(())
    }

    /// Refuses a request, then skips the contents that are still to come.
    fn refuse_then_skip(&mut self, refusal: Refusal, missing: u64) -> io::Result<Flow> {
        self.send_owed()?;
        self.refuse(refusal)?;
        self.connection.skip(missing)?;
        match self.connection.read_line_end() {
            // Out of step, but a second reply would be taken for that of the next request.
            Err(e) if e.kind() == ErrorKind::InvalidData => {
                log::info!("{} {} disconnected: {e}", self.connection.stream(), self.client);
                Ok(Flow::Close)
            }
            done => done.map(|()| Flow::Continue),
        }
    }

    /// Skips the contents of a refused request, if it has any, then refuses it.
    pub(super) fn refuse_contents(
        &mut self,
        refusal: Refusal,
        numbytes: Option<u64>,
    ) -> io::Result<Flow> {
        if let Some(numbytes) = numbytes {
            if !self.has_arrived(Some(numbytes)) {
                self.send_owed()?;
            }
            self.connection.skip(numbytes)?;
            self.connection.read_line_end()?;
        }
        self.refuse(refusal)
    }

    /// Refuses a line that is no request but leaves no doubt about where the next one begins.
    pub(super) fn refuse_malformed(
        &mut self,
        line: &[u8],
        why: impl fmt::Display,
        numbytes: Option<u64>,
    ) -> io::Result<Flow> {
        let (stream, client) = (self.connection.stream(), self.client);
        log::debug!("{stream} {client}: {why}: {}", ShownLine(line));
        self.refuse_contents(Refusal::Malformed, numbytes)
    }
}
