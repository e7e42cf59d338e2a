//! The life of one connection. If you read one file of this program, read this one.

use super::answer::{Answer, Owed};
use super::opens::Opens;
use super::{LINGER, LINGER_BYTES, Shared};
use crate::contents::{Contents, Incoming};
use crate::files::{ClientId, Decided, Ticket};
use crate::name::FileRef;
use crate::net::{Connection, Slot, Stream};
use crate::refusal::{Limit, Refusal};
use crate::wire::{MAX_LINE_BYTES, Malformed, Reply, Request, ShownLine, is_blank};
use std::fmt;
use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a client may take to show its token, if the server requires one.
const HELLO_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a client may keep sending after a stop and still receive its replies.
const STOP_LINGER: Duration = Duration::from_millis(200);

/// One client, its connection, and what they hold on the server.
pub(super) struct Session<'a> {
    pub(super) server: &'a Shared,
    /// Whether the client may send more than `hello`, `help` and `quit`.
    pub(super) admitted: bool,
    /// Dropped before `opens`: the client's decided changes have to become visible first.
    pub(super) owed: Owed<'a>,
    pub(super) opens: Opens<'a>,
    pub(super) client: ClientId,
    pub(super) connection: Connection,
}

/// What follows a request.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    Request,
    /// The client quits, or it is out of step.
    Close,
}

impl<'a> Session<'a> {
    pub(super) fn new(server: &'a Shared, client: ClientId, stream: &Arc<Stream>) -> Self {
        let mut connection = server.connection(stream);
        connection.set_yields(server.dedicated);
        let opens = Opens::new(&server.table, client, &server.budget);
        Session {
            server,
            admitted: server.token.is_none(),
            owed: Owed::new(&server.budget),
            opens,
            client,
            connection,
        }
    }

    /// Reads requests and answers them, until the client quits or breaks the framing.
    ///
    /// # Errors
    /// Those of the stream: the client is gone, was silent, or does not take its replies.
    pub(super) fn run(mut self, slot: &Slot<'_>) -> io::Result<()> {
        self.begin()?;
        let mut line = Vec::new();
        loop {
            let read = self.read_line(&mut line);
            // Checked after the wait: a request that arrives with the stop is not executed.
            if self.server.live.is_closed() {
                break;
            }
            let answered = match read {
                Ok(true) => self.answer(&line),
                Ok(false) => {
                    self.settle()?;
                    return self.connection.flush();
                }
                Err(e) => {
                    // Of a line that cannot be read, keep what has arrived.
                    let here = self.connection.data().iter().take(MAX_LINE_BYTES);
                    line = here.take_while(|byte| **byte != b'\n').copied().collect();
                    line.pop_if(|byte| *byte == b'\r');
                    Err(e)
                }
            };
            let next = match answered {
                // Out of step, in a line or after contents. Earlier requests are still answered.
                Err(e) if e.kind() == ErrorKind::InvalidData => self.show_out(e, &line),
                // The stop shut the stream in the middle of contents.
                Err(_) if self.server.live.is_closed() => break,
                answered => answered,
            };
            if next? == Next::Close {
                break;
            }
        }
        // The client sees the end only after its open files are closed and its slot is free: it, or
        // another client that waits for that, may connect at once.
        self.settle()?;
        self.connection.flush()?;
        self.opens.end();
        if self.server.live.is_closed() {
            return self.connection.close_stopped(STOP_LINGER);
        }
        slot.release();
        self.connection.close(LINGER, LINGER_BYTES)
    }

    /// Reads the next line. Sends the owed answers before it waits for one, and answers earlier
    /// requests before a Telnet command.
    fn read_line(&mut self, line: &mut Vec<u8>) -> io::Result<bool> {
        let is_here = self.connection.take_line(line)?;
        if !is_here || self.connection.owes_telnet() {
            self.settle()?;
            self.connection.answer_telnet();
            self.connection.relieve()?;
        }
        if is_here { Ok(true) } else { self.connection.read_line(line) }
    }

    /// Sets how long the client may be silent.
    fn begin(&mut self) -> io::Result<()> {
        if !self.admitted {
            self.connection.set_deadline(Some(Instant::now() + HELLO_TIMEOUT));
        }
        match self.server.idle_timeout {
            None => Ok(()), // the socket's default, which saves a call
            timeout => self.connection.stream().set_idle_timeout(timeout),
        }
    }

    /// Answers one line, and the contents that follow it.
    fn answer(&mut self, line: &[u8]) -> io::Result<Next> {
        if is_blank(line) {
            return Ok(Next::Request);
        }
        let request = match Request::parse(line) {
            Ok(request) => request,
            Err(Malformed::OutOfStep(why)) => return self.show_out(why, line),
            Err(Malformed::InStep { numbytes, why }) => {
                let (stream, client) = (self.connection.stream(), self.client);
                log::debug!("{stream} {client}: {why}: {}", ShownLine(line));
                return self.refuse_contents(Refusal::Malformed, numbytes);
            }
        };
        log::debug!("{} {}: {request}", self.connection.stream(), self.client);
        if !self.owed.is_empty() {
            if let Some(looked) = self.look_in_turn(&request) {
                return self.owe(looked.ticket, looked.outcome);
            }
            if !self.may_be_decided_now(&request) {
                self.settle()?;
            }
        }
        if let Err(refusal) = self.judge(&request) {
            return self.refuse_contents(refusal, request.numbytes());
        }
        let contents = match request.numbytes() {
            None => None,
            Some(numbytes) => match self.take_contents(numbytes)? {
                Ok(contents) => Some(contents),
                Err(next) => return Ok(next),
            },
        };
        let again = if self.owed.is_empty() { None } else { contents.clone() };
        let mut done = self.dispatch(&request, contents);
        if self.may_have_room_soon(&done) {
            self.settle()?;
            done = self.dispatch(&request, again);
        }
        match done {
            Ok(answer) => self.send(answer),
            Err(refusal) => self.refuse(refusal),
        }
    }

    /// Returns whether memory ran out and earlier requests of this client may free some: they do so
    /// when they become visible.
    fn may_have_room_soon<T>(&self, done: &Result<T, Refusal>) -> bool {
        !self.owed.is_empty() && matches!(done, Err(Refusal::Limit(Limit::Memory, _)))
    }

    /// Looks at a file, if that need not wait until the earlier requests are visible.
    fn look_in_turn(&self, request: &Request<'_>) -> Option<Decided<Answer<'a>>> {
        let table = &self.server.table;
        match *request {
            Request::Read { file: file @ FileRef::Name(_) } => {
                Some(table.read_in_turn(file)?.map(Answer::contents))
            }
            Request::Stat { file: file @ FileRef::Name(_) } => {
                Some(table.stat_in_turn(file)?.map(Answer::stat))
            }
            _ => None,
        }
    }

    /// Returns whether the request has arrived whole, and is a change or does not concern files: it
    /// then need not wait until the earlier ones are visible.
    fn may_be_decided_now(&self, request: &Request<'_>) -> bool {
        match request {
            Request::Touch { .. } | Request::Delete { .. } | Request::Types | Request::Help => true,
            Request::Write { numbytes, .. }
            | Request::Cas { numbytes, .. }
            | Request::Create { numbytes, .. } => self.is_here(*numbytes),
            _ => false,
        }
    }

    /// Returns whether the contents and their line end have arrived.
    fn is_here(&self, numbytes: u64) -> bool {
        self.connection.data().len() as u64 > numbytes + b"\r".len() as u64
    }

    /// Refuses what can be refused before contents are taken.
    fn judge(&self, request: &Request<'_>) -> Result<(), Refusal> {
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

    /// Reads contents and their line end. An inner `Err` means that they exceed a limit: the client
    /// is refused at once, because it may wait for that before it sends gigabytes, and they are
    /// skipped.
    fn take_contents(&mut self, numbytes: u64) -> io::Result<Result<Contents, Next>> {
        let max = self.server.max_contents;
        let announced = match usize::try_from(numbytes) {
            Ok(announced) if numbytes <= max => announced,
            _ => {
                return self.pass_contents(Refusal::Limit(Limit::Contents, max), numbytes).map(Err);
            }
        };
        let mut incoming = Incoming::new(announced, &self.server.budget);
        while incoming.missing() > 0 {
            if !self.owed.is_empty() && self.may_have_room_soon(&incoming.room()) {
                self.settle()?;
            }
            match incoming.room() {
                Ok(room) => self.connection.read_contents(room)?,
                Err(refusal) => {
                    let missing = incoming.missing() as u64;
                    drop(incoming);
                    return self.pass_contents(refusal, missing).map(Err);
                }
            }
        }
        self.connection.read_line_end()?;
        Ok(Ok(incoming.finish()))
    }

    /// Refuses contents that are still to come, then skips them.
    fn pass_contents(&mut self, refusal: Refusal, missing: u64) -> io::Result<Next> {
        self.settle()?;
        self.refuse(refusal)?;
        self.connection.skip(missing)?;
        match self.connection.read_line_end() {
            // Out of step, but a second reply would be taken for that of the next request.
            Err(e) if e.kind() == ErrorKind::InvalidData => {
                log::info!("{} {} disconnected: {e}", self.connection.stream(), self.client);
                Ok(Next::Close)
            }
            done => done.map(|()| Next::Request),
        }
    }

    /// Skips the contents of a refused request, then refuses it.
    fn refuse_contents(&mut self, refusal: Refusal, numbytes: Option<u64>) -> io::Result<Next> {
        if let Some(numbytes) = numbytes {
            if !self.is_here(numbytes) {
                self.settle()?;
            }
            self.connection.skip(numbytes)?;
            self.connection.read_line_end()?;
        }
        self.refuse(refusal)
    }

    /// Refuses a request, once the earlier ones are answered.
    pub(super) fn refuse(&mut self, refusal: Refusal) -> io::Result<Next> {
        if !self.owed.is_empty() && !refusal.closes() {
            return self.owe(Ticket::DONE, Err(refusal));
        }
        self.settle()?;
        self.write_refusal(refusal)
    }

    /// Refuses a line after which the start of the next request is unknown, and disconnects.
    fn show_out(&mut self, why: impl fmt::Display, line: &[u8]) -> io::Result<Next> {
        let (stream, client, word) = (self.connection.stream(), self.client, "ERR_CMD_ERR");
        log::info!("{stream} {client} disconnected: {word}: {why}: {}", ShownLine(line));
        self.settle()?;
        self.connection.answer_telnet(); // as if it had come before the rest
        self.refuse(Refusal::OutOfStep)
    }

    pub(super) fn write_refusal(&mut self, refusal: Refusal) -> io::Result<Next> {
        self.server.refused.count(&refusal);
        let (stream, client, word) = (self.connection.stream(), self.client, refusal.word());
        match refusal {
            Refusal::OutOfStep => {} // the reason is already logged
            Refusal::WrongToken => log::info!("{stream} {client} disconnected: {word}: {refusal}"),
            _ => log::debug!("{stream} {client} is refused: {word}: {refusal}"),
        }
        let closes = refusal.closes();
        Reply::Refused(refusal).write_to(self.connection.output());
        self.connection.relieve()?;
        Ok(if closes { Next::Close } else { Next::Request })
    }

    /// Admits a client that has shown the token: it no longer has a deadline.
    pub(super) fn admit(&mut self) {
        self.admitted = true;
        self.connection.set_deadline(None);
    }
}
