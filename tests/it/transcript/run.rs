//! One run of a transcript against one server.

use super::parse::{Action, Step};
use super::target::{Target, Transport};
use super::text::{Compared, Piece, Values};
use crate::random::Random;
use socket2::Socket;
use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::io::ErrorKind::{BrokenPipe, ConnectionReset, Interrupted, TimedOut, WouldBlock};
use std::io::{Read, Write as _};
use std::net::Shutdown;
use std::thread;
use std::time::{Duration, Instant};

/// Of longer text only the first and last bytes are sent one by one. A line that is too long is
/// refused within the first part.
const FIRST_BYTES: usize = 520;
const LAST_BYTES: usize = 40;

/// A thread yields to the server between its pieces. If it gets its turn back only after this time,
/// it stops yielding in this run.
const MAX_TURN: Duration = Duration::from_millis(1);

pub(super) struct Mode {
    pub(super) cut: Cut,
    /// What ends the lines that are sent.
    pub(super) line_end: &'static str,
    pub(super) transport: Transport,
}

/// How the text between two replies is cut when it is sent.
#[derive(Clone, Copy)]
pub(super) enum Cut {
    Whole,
    Bytes,
    /// With the seed of the generator.
    Random(u64),
    /// Whole, and everything that a client sends before it reads: the steps are in that order.
    Pipelined,
}

/// Runs the steps. Then each client that is still connected ends its side, and nothing more may
/// arrive.
///
/// # Errors
/// The exchange so far, what was expected and what arrived.
pub(super) fn run(steps: &[&Step], mode: &Mode, target: &Target) -> Result<(), String> {
    let mut exchange = Exchange {
        target,
        mode,
        values: Values::new(target.is_fresh()),
        clients: BTreeMap::new(),
        unsent: None,
        random: Random(if let Cut::Random(seed) = mode.cut { seed } else { 0 }),
        yields: true,
        log: String::new(),
    };
    let mut line = 0;
    let mut outcome = Ok(());
    for step in steps {
        line = step.line;
        outcome = exchange.take(step).map_err(|why| (step.source.as_str(), why));
        if outcome.is_err() {
            break;
        }
    }
    outcome = outcome.and_then(|()| exchange.end().map_err(|why| ("nothing more", why)));
    outcome.map_err(|(expected, came)| {
        let log = &exchange.log;
        format!("line {line}, {mode}\n{log}\n  expected  {expected}\n  came      {came}\n")
    })
}

struct Exchange<'a> {
    target: &'a Target,
    mode: &'a Mode,
    values: Values,
    clients: BTreeMap<String, Client>,
    /// What one client has to send before anything else happens.
    unsent: Option<(String, Vec<u8>)>,
    random: Random,
    yields: bool,
    log: String,
}

struct Client {
    socket: Socket,
    /// What arrived and is not compared yet.
    came: Vec<u8>,
    patience: Duration,
}

impl Exchange<'_> {
    /// Runs one step; the error is what arrived instead.
    fn take(&mut self, step: &Step) -> Result<(), String> {
        match &step.action {
            Action::Send(text, ended) => {
                let mut bytes = self.values.fill(text)?;
                if *ended {
                    bytes.extend_from_slice(self.mode.line_end.as_bytes());
                }
                match &mut self.unsent {
                    Some((client, unsent)) if *client == step.client => unsent.extend(bytes),
                    _ => {
                        self.send_unsent()?;
                        self.unsent = Some((step.client.clone(), bytes));
                    }
                }
                self.note(&step.source);
            }
            Action::Expect(expected) => {
                self.send_unsent()?;
                let came = self.expect(&step.client, expected)?;
                self.note(&format!("{}< {}", step.client, shown(&came)));
            }
            Action::Shut => {
                self.send_unsent()?;
                let shut = self.client(&step.client)?.socket.shutdown(Shutdown::Write);
                shut.map_err(|e| format!("shut: {e}"))?;
                self.note(&step.source);
            }
            Action::Closed => {
                self.send_unsent()?;
                self.client(&step.client)?.expect_end()?;
                self.note(&step.source);
            }
            Action::Reset => {
                self.send_unsent()?;
                self.client(&step.client)?;
                let Some(client) = self.clients.remove(&step.client) else { return Ok(()) };
                let reset = client.socket.set_linger(Some(Duration::ZERO));
                reset.map_err(|e| format!("reset: {e}"))?;
                self.note(&step.source);
            }
            Action::Until(name, value) => {
                self.send_unsent()?;
                self.target.wait_until(self.mode.transport, name, *value)?;
                self.note(&step.source);
            }
            Action::Wait(time) => {
                self.send_unsent()?;
                self.target.wait(*time);
                self.note(&step.source);
            }
        }
        Ok(())
    }

    fn end(&mut self) -> Result<(), String> {
        self.send_unsent()?;
        for (name, client) in &mut self.clients {
            // A server that has ended the connection already makes this fail.
            let _ = client.socket.shutdown(Shutdown::Write);
            client.expect_end().map_err(|came| format!("{came} (client {name:?})"))?;
        }
        Ok(())
    }

    fn expect(&mut self, client: &str, expected: &[Piece]) -> Result<Vec<u8>, String> {
        self.client(client)?;
        let client = self.clients.get_mut(client).ok_or("nobody")?;
        loop {
            match self.values.compare(expected, &client.came) {
                Compared::Equal(n) => return Ok(client.came.drain(..n).collect()),
                Compared::More if client.receive()? => {}
                Compared::More => {
                    return Err(format!("{}, then the end", shown(&client.came)));
                }
                Compared::Different => return Err(client.what_came()),
            }
        }
    }

    fn client(&mut self, name: &str) -> Result<&mut Client, String> {
        if !self.clients.contains_key(name) {
            let connected = self.target.connect(self.mode.transport);
            let socket = connected.map_err(|e| format!("cannot connect: {e}"))?;
            let patience = self.target.patience();
            let client = Client { socket, came: Vec::new(), patience };
            self.clients.insert(name.to_string(), client);
        }
        self.clients.get_mut(name).ok_or_else(|| "nobody".to_string())
    }

    fn send_unsent(&mut self) -> Result<(), String> {
        let Some((name, bytes)) = self.unsent.take() else { return Ok(()) };
        let pieces = self.cut(&bytes);
        let mut yields = self.yields;
        let client = self.client(&name)?;
        for piece in pieces {
            match client.socket.write_all(piece) {
                Ok(()) => {}
                // The server has disconnected this client without waiting for the rest. What it
                // sent before has arrived, or the next step fails.
                Err(e) if [BrokenPipe, ConnectionReset].contains(&e.kind()) => break,
                Err(e) => return Err(format!("cannot send: {e}")),
            }
            // So that the server receives the piece alone. Busy machines give the turn back late.
            if yields {
                let turn = Instant::now();
                thread::yield_now();
                yields = turn.elapsed() < MAX_TURN;
            }
        }
        self.yields = yields;
        Ok(())
    }

    fn cut<'b>(&mut self, mut bytes: &'b [u8]) -> Vec<&'b [u8]> {
        let mut pieces = Vec::new();
        while !bytes.is_empty() {
            let n = match self.mode.cut {
                Cut::Whole | Cut::Pipelined => bytes.len(),
                Cut::Bytes if pieces.len() == FIRST_BYTES => {
                    bytes.len().saturating_sub(LAST_BYTES).max(1)
                }
                Cut::Bytes => 1,
                Cut::Random(_) => length(&mut self.random),
            };
            let (piece, rest) = bytes.split_at(n.min(bytes.len()));
            pieces.push(piece);
            bytes = rest;
        }
        pieces
    }

    fn note(&mut self, what: &str) {
        let _ = writeln!(self.log, "    {what}");
    }
}

impl Client {
    /// Receives something; false at the end of the stream.
    fn receive(&mut self) -> Result<bool, String> {
        let mut buffer = [0; 64 << 10];
        // A process that is suspended and resumed has its reads interrupted, if they have a time-out.
        let received = loop {
            match self.socket.read(&mut buffer) {
                Err(e) if e.kind() == Interrupted => {}
                received => break received,
            }
        };
        let n = received.map_err(|e| match e.kind() {
            WouldBlock | TimedOut => {
                format!("{}, then nothing for {:?}", shown(&self.came), self.patience)
            }
            _ => format!("{}, then {e}", shown(&self.came)),
        })?;
        self.came.extend_from_slice(&buffer[..n]);
        Ok(n > 0)
    }

    fn expect_end(&mut self) -> Result<(), String> {
        if self.came.is_empty() && !self.receive()? { Ok(()) } else { Err(self.what_came()) }
    }

    /// What arrived instead, up to the end of its line if that arrives soon.
    fn what_came(&mut self) -> String {
        const SOON: Duration = Duration::from_millis(200);
        let _ = self.socket.set_read_timeout(Some(SOON));
        while !self.came.contains(&b'\n') && self.receive() == Ok(true) {}
        shown(&self.came)
    }
}

/// Mostly small, sometimes thousands.
fn length(random: &mut Random) -> usize {
    let max = 1 << random.below(14);
    1 + random.below(max)
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.cut {
            Cut::Whole => f.write_str("whole")?,
            Cut::Bytes => f.write_str("byte by byte")?,
            Cut::Random(seed) => write!(f, "split at random (TELEFILE_TEST_SEED={seed})")?,
            Cut::Pipelined => f.write_str("pipelined")?,
        }
        let transport = if self.transport == Transport::Tcp { "tcp" } else { "unix" };
        write!(f, ", {}, {transport}", self.line_end.escape_debug())
    }
}

/// Bytes in a form that people can read, shortened.
fn shown(bytes: &[u8]) -> String {
    const MAX_BYTES: usize = 200;
    match bytes.split_at_checked(MAX_BYTES) {
        Some((first, rest)) if !rest.is_empty() => {
            format!("{}... ({} bytes)", first.escape_ascii(), bytes.len())
        }
        _ => bytes.escape_ascii().to_string(),
    }
}
