//! `telefile connect`: a session. On a terminal a line editor helps; otherwise it is plain, stdin to
//! the server and its replies to stdout.

mod link;
mod session;
mod terminal;

use crate::cli::failure::{Failure, Outcome};
use crate::cli::remote::{Remote, hello};
use crate::cli::streams::{put_some, stdin};
use crate::client::{Error, first_answer};
use crate::exptime::FOREVER;
use crate::net::{Address, BufferedStream, Stream};
use crate::refusal::Refusal;
use crate::token::Token;
use crate::wire::MAX_LINE_BYTES;
use clap::Args;
use link::Link;
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::process;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// Send stdin to the server and print its replies, as telnet does
#[derive(Args)]
#[command(after_help = "\
On a terminal it has a history, completes commands and names, and checks a request before it is
sent. ctrl-d ends it.

Examples:
  telefile connect                          # type requests, for example help
  printf 'write f 2\\nhi\\nread f\\n' | telefile connect")]
pub(crate) struct Settings {
    #[command(flatten)]
    remote: Remote,
}

impl Settings {
    pub(crate) fn run(self) -> Outcome {
        run(&self.remote)
    }
}

fn run(remote: &Remote) -> Outcome {
    let stdin = stdin()?;
    let wrong = |e: io::Error| Failure::usage(format!("connect: {e}"));
    let addresses = remote.place.address.parse().map_err(wrong)?;
    let token = remote.place.token()?;
    let connect = |address: &Address, timeout| {
        let stream = Arc::new(Stream::connect(address, timeout).map_err(Error::Connect)?);
        let idle_timeout = meet(&stream, address, token.as_ref(), timeout)?;
        Ok(Link::new(stream, idle_timeout, address.to_string()))
    };
    let timeout = Some(remote.patience.timeout);
    let (_, link) = remote.patience.retrying(|| first_answer(&addresses, 0, timeout, connect))?;
    let link = Arc::new(link);
    if terminal::is_used() {
        return terminal::run(link, remote);
    }
    let sending = link.clone();
    // Never joined: it may still wait for a line when the server has closed.
    let started = thread::Builder::new().spawn(move || {
        if let Err(failure) = send_stdin(stdin, &sending) {
            failure.report();
            process::exit(failure.status.into());
        }
    });
    started.map_err(Failure::no_thread)?;
    link.receive(put_some)
}

/// Says hello; only this program sees the reply. Returns the server's idle time-out. A server that
/// requires a token and got none is left to the user.
fn meet(
    stream: &Arc<Stream>,
    address: &Address,
    token: Option<&Token>,
    timeout: Option<Duration>,
) -> Result<Option<Duration>, Error> {
    let timeout = timeout.unwrap_or(FOREVER);
    let mut connection = BufferedStream::new(stream.clone(), MAX_LINE_BYTES, timeout);
    connection.set_deadline(Some(Instant::now() + timeout));
    match hello(&mut connection, address, token) {
        Err(Error::Refused { refusal: Refusal::WrongToken, .. }) if token.is_none() => Ok(None),
        met => met,
    }
}

/// Sends what is typed. The receiver reports a connection that takes no more.
fn send_stdin(mut stdin: File, link: &Link) -> Outcome {
    let mut buffer = vec![0; 64 << 10];
    loop {
        let n = match stdin.read(&mut buffer) {
            Err(e) if e.kind() == ErrorKind::Interrupted => continue,
            read => read.map_err(|e| Failure::failed(format!("stdin: {e}")))?,
        };
        if n == 0 {
            link.all_sent();
            return Ok(());
        }
        if !link.send(&buffer[..n]) {
            return Ok(());
        }
    }
}
