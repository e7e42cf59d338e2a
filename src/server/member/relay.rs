//! A client of a standby: its bytes go to the active server, and what that answers comes back.
//!
//! A relay shows the active server first what only servers of the table know, in a line that no
//! client's request can be, and sends nothing of its client before that is answered: at an address
//! from before, another program may listen by now.

use super::following::Following;
use crate::exptime::FOREVER;
use crate::net::{Address, BufferedStream, Slot, Stream, relay};
use crate::server::host::{Host, Role};
use crate::server::session::Session;
use crate::server::shared::{LINGER, LINGER_BYTES, STOP_LINGER};
use crate::store::etcd::Leader;
use std::io::{self, ErrorKind};
use std::net::Shutdown;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// No request begins with this byte. What follows is the secret of a term.
const FIRST: u8 = b'>';
const SHOWS: &[u8] = b">relay ";

/// The active server's answer, to which the client's bytes belong.
const ADMITTED: &[u8] = b"RELAY";
/// What it answers to each connection over its maximum.
const FULL: &[u8] = b"ERR_LIMIT connections ";
const MAX_ANSWER_BYTES: usize = 64;

/// How long the active server may take to be reached, and again to answer.
const MEET_PATIENCE: Duration = Duration::from_secs(2);

/// How long it may be out of reach, until clients are sent away: longer than the lease of one that is dead
/// lasts. Another standby may reach it.
const REACH_PATIENCE: Duration = Duration::from_secs(15);

/// How long it may acknowledge nothing.
const SILENCE_PATIENCE: Duration = Duration::from_secs(12);

/// The pause after an active server could not be reached.
const PAUSE: Duration = Duration::from_millis(100);

/// How long a client may be silent at first, where it has to send a token.
const HELLO_PATIENCE: Duration = Duration::from_secs(10);

impl Host {
    /// Serves a client that this server has not been active for: relays it, or serves it if this server
    /// becomes active before the client has sent anything.
    pub(in crate::server) fn relay(&self, client: &Arc<Stream>, slot: &Slot<'_>) {
        match self.relay_or_serve(client, slot) {
            Ok(()) => log::debug!("{client} relayed, and left"),
            Err(e) => log::debug!("{client} lost: {e}"),
        }
    }

    fn relay_or_serve(&self, client: &Arc<Stream>, slot: &Slot<'_>) -> io::Result<()> {
        let Some(arrival) = self.arrivals.register(client.clone()) else { return Ok(()) };
        if !self.waits_for_client(client)? {
            return Ok(());
        }
        let since = Instant::now();
        loop {
            let role = self.role_for(since).ok_or_else(|| {
                let why = format!("no server is active, and none was for {:?}", since.elapsed());
                io::Error::new(ErrorKind::TimedOut, why)
            })?;
            match role {
                Role::Active(shared) => {
                    drop(arrival);
                    shared.serve(client, slot);
                    return Ok(());
                }
                Role::Standby(following) => match meet(&following.leader) {
                    Ok(Met::Active(active)) => return self.join(client, &active, &following, slot),
                    Ok(Met::Full(refusal)) => return self.refuse(client, &refusal),
                    Err(e) => {
                        following.warn(&e);
                        let unreached = following.note_unreached(Instant::now());
                        if unreached.elapsed() >= REACH_PATIENCE {
                            return Err(e);
                        }
                        self.pause(&following, PAUSE);
                    }
                },
                Role::Waiting | Role::CutOff => {} // it has become that just now
            }
        }
    }

    /// Blocks until the client sends something. Returns false if it ends instead, or is no client: a
    /// server that takes this one for the active one.
    fn waits_for_client(&self, client: &Stream) -> io::Result<bool> {
        let patience = match self.settings.token.is_required() {
            true => Some(HELLO_PATIENCE),
            false => self.settings.idle_timeout,
        };
        if !client.wait_readable(Instant::now() + patience.unwrap_or(FOREVER))? {
            return Err(io::Error::new(ErrorKind::TimedOut, "the client is silent"));
        }
        Ok(client.peek()?.is_some_and(|first| first != FIRST))
    }

    /// Gives a client the line with which the active server refuses all.
    fn refuse(&self, client: &Arc<Stream>, refusal: &[u8]) -> io::Result<()> {
        let mut connection = self.settings.connection(client);
        connection.output().extend_from_slice(refusal);
        connection.output().extend_from_slice(b"\r\n");
        connection.close(LINGER, LINGER_BYTES)
    }

    /// Copies both ways until the active server has ended the connection, or is another one.
    fn join(
        &self,
        client: &Arc<Stream>,
        active: &Arc<Stream>,
        following: &Following,
        slot: &Slot<'_>,
    ) -> io::Result<()> {
        let ends = [client.clone(), active.clone()];
        let Some(relayed) = following.relays.register(ends) else { return Ok(()) };
        following.note_reached();
        let begun = Instant::now();
        relay(client, active, self.settings.write_timeout).inspect_err(|e| {
            // Of the one or the other: the next client finds out which.
            if e.kind() == ErrorKind::TimedOut {
                let long_ago = Instant::now().checked_sub(REACH_PATIENCE);
                following.note_unreached(long_ago.unwrap_or(begun));
            }
        })?;
        drop(relayed);
        // As in a session, the client sees the end only after its slot is free.
        if self.arrivals.is_closed() {
            client.drain(STOP_LINGER);
            client.shutdown(Shutdown::Write);
        } else {
            slot.release();
            client.linger(LINGER, LINGER_BYTES);
        }
        Ok(())
    }
}

/// What a relay finds at the address of the active server.
enum Met {
    /// It takes the bytes of a client.
    Active(Arc<Stream>),
    /// It has too many connections, and refuses each with this line.
    Full(Vec<u8>),
}

/// Connects to the active server, and makes sure that it is.
fn meet(leader: &Leader) -> io::Result<Met> {
    let address: Address = leader.address.parse()?;
    let stream = Arc::new(Stream::connect(&address, Some(MEET_PATIENCE))?);
    let mut connection = BufferedStream::new(stream.clone(), MAX_ANSWER_BYTES, MEET_PATIENCE);
    connection.set_deadline(Some(Instant::now() + MEET_PATIENCE));
    let output = connection.output();
    for part in [SHOWS, leader.secret.as_bytes(), b"\r\n"] {
        output.extend_from_slice(part);
    }
    let mut answer = Vec::new();
    if connection.read_line(&mut answer)? {
        if answer == ADMITTED {
            stream.notice_loss_within(SILENCE_PATIENCE);
            return Ok(Met::Active(stream));
        }
        if answer.starts_with(FULL) {
            return Ok(Met::Full(answer));
        }
    }
    Err(io::Error::new(ErrorKind::ConnectionRefused, "it is not the active server"))
}

impl Session<'_> {
    /// Answers the line of a relay, if this is one and this the server that it looks for. From then on
    /// the connection is that of the relay's client.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidData`] if it looks for another server: the line is out of step.
    pub(in crate::server) fn begins_relay(&mut self, line: &[u8]) -> io::Result<bool> {
        let Some(secret) = line.strip_prefix(SHOWS) else { return Ok(false) };
        let Some(lead) = &self.server.lead else { return Ok(false) };
        if self.is_relayed || !lead.admits(secret) {
            let why = "a relay looks for another server";
            return Err(io::Error::new(ErrorKind::InvalidData, why));
        }
        self.is_relayed = true;
        self.connection.output().extend_from_slice(ADMITTED);
        self.connection.output().extend_from_slice(b"\r\n");
        Ok(true)
    }
}
