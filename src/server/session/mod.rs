//! The life of one connection. If you read one file of this program, read this one.
//!
//! The steps stand in files of their own: `receive` reads a line and its contents, `dispatch`
//! executes a request, `wait` waits for changes, `send` answers. `reads` collects reads that arrived
//! together, and `owed` says what may be decided while earlier answers have to wait for the disk.

mod answer;
mod backup;
mod dispatch;
mod long;
mod opens;
mod outgoing;
mod owed;
mod reads;
mod receive;
mod send;
mod session_id;
mod wait;

pub(super) use opens::MAX_OPENS;
pub(super) use outgoing::MAX_BACKUPS;

use super::metrics::counters::Shard;
use super::shared::{LINGER, LINGER_BYTES, STOP_LINGER, Shared};
use crate::files::ClientId;
use crate::name::Name;
use crate::net::{BufferedStream, Slot, Stream};
use crate::wire::{Malformed, Request, is_blank};
use opens::Opens;
use owed::Owed;
use std::io::{self, ErrorKind};
use std::sync::Arc;

/// One client, its connection, and what it has on the server.
pub(super) struct Session<'a> {
    pub(super) server: &'a Shared,
    counters: &'a Shard,
    /// Whether the client may send more than `hello`, `help` and `quit`.
    admitted: bool,
    /// Dropped before `opens`: the client's decided changes have to become visible first.
    owed: Owed<'a>,
    opens: Opens<'a>,
    /// The names to read next. Empty while answers are owed.
    reads: Vec<Name>,
    client: ClientId,
    /// It comes through another server.
    #[cfg(feature = "etcd")]
    pub(super) is_relayed: bool,
    pub(super) connection: BufferedStream,
}

/// What follows a request.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flow {
    /// The next request.
    Continue,
    /// The end of the connection: the client quits, or it is out of step.
    Close,
}

impl<'a> Session<'a> {
    pub(super) fn new(server: &'a Shared, client: ClientId, stream: &Arc<Stream>) -> Self {
        let mut connection = server.settings.connection(stream);
        connection.set_yields(server.settings.dedicated);
        let counters = server.settings.counters.of(client);
        connection.set_traffic(counters.traffic());
        #[cfg(feature = "etcd")]
        if let Some(lead) = &server.lead {
            connection.set_gate(lead.clone());
        }
        let (admitted, owed) =
            (!server.settings.token.is_required(), Owed::new(&server.table, &server.budget));
        let opens = Opens::new(&server.table, client, &server.budget);
        Session {
            server,
            counters,
            admitted,
            owed,
            opens,
            reads: Vec::new(),
            client,
            #[cfg(feature = "etcd")]
            is_relayed: false,
            connection,
        }
    }

    /// Reads requests and answers them, until the client quits or breaks the framing.
    ///
    /// # Errors
    /// Those of the stream: the client is disconnected, was silent, or does not read its replies.
    pub(super) fn run(mut self, slot: &Slot<'_>) -> io::Result<()> {
        self.limit_silence()?;
        let mut line = Vec::new();
        loop {
            let read = self.read_line(&mut line);
            self.server.expect_active()?;
            // Checked after the wait: a request that arrives with the stop is not executed.
            if self.server.live.is_closed() {
                self.reads.clear();
                break;
            }
            let answered = match read {
                Ok(true) => self.answer(&line),
                Ok(false) => return self.flush_owed(),
                Err(e) => Err(e),
            };
            let flow = match answered {
                // Out of step, in a line or after contents. Earlier requests are still answered.
                Err(e) if e.kind() == ErrorKind::InvalidData => self.disconnect(e, &line),
                // The stop shut the stream in the middle of contents.
                Err(_) if self.server.live.is_closed() => break,
                answered => answered,
            };
            if flow? == Flow::Close {
                break;
            }
        }
        // The client sees the end only after its open files are closed and its slot is free: it, or
        // another client that waits for that, may connect at once.
        self.flush_owed()?;
        self.opens.end();
        if self.server.live.is_closed() {
            return self.connection.close_stopped(STOP_LINGER);
        }
        slot.release();
        self.connection.close(LINGER, LINGER_BYTES)
    }

    /// Answers one line, and the contents that follow it.
    fn answer(&mut self, line: &[u8]) -> io::Result<Flow> {
        if is_blank(line) || self.begins_relay(line)? {
            return Ok(Flow::Continue);
        }
        let request = match Request::parse(line) {
            Ok(request) => request,
            Err(Malformed::OutOfStep(why)) => return self.disconnect(why, line),
            Err(Malformed::InStep { numbytes, why }) => {
                return self.refuse_malformed(line, why, numbytes);
            }
        };
        self.counters.count_request(&request);
        log::debug!("{} {}: {request}", self.connection.stream(), self.client);
        if self.is_answered_later(&request)? {
            return Ok(Flow::Continue);
        }
        if let Err(refusal) = self.check_rights(&request) {
            return self.refuse_contents(refusal, request.numbytes());
        }
        match self.receive_contents(&request)? {
            Ok(contents) => self.execute(&request, contents),
            Err(flow) => Ok(flow),
        }
    }

    #[cfg(not(feature = "etcd"))]
    fn begins_relay(&self, _line: &[u8]) -> io::Result<bool> {
        Ok(false)
    }
}
