//! `telefile connect`: a plain session, stdin to the server and its replies to stdout, for systems
//! without telnet.

use super::remote::{Remote, addr, put_some, timeout, token_file};
use super::{Failure, Outcome, flags};
use crate::net::{Connection, Stream};
use crate::wire::{MAX_LINE_BYTES, Reply, Request};
use std::io::{self, IoSlice, Read};
use std::net::Shutdown;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

pub(super) const WHAT: &str = "a plain session, as with telnet";

/// Who types may stop reading for as long as they like.
const WRITE_TIMEOUT: Duration = Duration::from_secs(3_155_760_000);

pub(super) fn run(args: lexopt::Parser) -> Outcome {
    let flags = [addr(), token_file(), timeout()];
    let mut remote = Remote::default();
    if !flags::parse("connect", WHAT, &flags, args, &mut remote)? {
        return Ok(());
    }
    let wrong = |e: io::Error| Failure::usage(format!("connect: {e}"));
    let address = remote.address.parse().map_err(wrong)?;
    let stream = Stream::connect(&address, Some(remote.timeout));
    let stream = Arc::new(stream.map_err(Failure::no_connection)?);
    if remote.token.is_some() {
        hello(&stream, &remote)?;
    }
    let sender = stream.clone();
    // Never joined: it may wait for a line when the server has closed.
    thread::spawn(move || {
        let _ = send_stdin(&sender);
        sender.shutdown(Shutdown::Write);
    });
    let mut buffer = vec![0; 64 << 10];
    loop {
        match stream.receive(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(n) if put_some(&buffer[..n])? => {}
            Ok(_) => return Ok(()),
            Err(e) => return Err(Failure::no_connection(e)),
        }
    }
}

/// Shows the token; the reply is for this program alone.
fn hello(stream: &Arc<Stream>, remote: &Remote) -> Outcome {
    let mut connection = Connection::new(stream.clone(), MAX_LINE_BYTES, remote.timeout);
    connection.set_deadline(Some(Instant::now() + remote.timeout));
    let token = remote.token.as_ref().map(|token| token.as_bytes());
    Request::Hello { token }.write_to(connection.output());
    let mut line = Vec::new();
    if !connection.read_line(&mut line).map_err(Failure::no_connection)? {
        return Err(Failure::no_connection("the server closed the connection"));
    }
    match Reply::parse(&line) {
        Some(Reply::Hello { .. }) => Ok(()),
        Some(Reply::Refused(refusal)) => Err(Failure::refused(refusal.word())),
        _ => Err(Failure::no_connection("not a telefile server")),
    }
}

fn send_stdin(stream: &Stream) -> io::Result<()> {
    let (mut stdin, mut buffer) = (io::stdin().lock(), vec![0; 64 << 10]);
    loop {
        match stdin.read(&mut buffer)? {
            0 => return Ok(()),
            n => stream.send_all(&mut [IoSlice::new(&buffer[..n])], WRITE_TIMEOUT)?,
        }
    }
}
