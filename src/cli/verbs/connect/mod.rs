//! `telefile connect`: a plain session, stdin to the server and its replies to stdout, for systems
//! without telnet.

mod session;

use crate::cli::failure::{Failure, Outcome};
use crate::cli::remote::{Remote, closed, hello, lost_at};
use crate::cli::streams::{put_some, stdin};
use crate::client::Error;
use crate::exptime::FOREVER;
use crate::net::{Address, BufferedStream, Stream};
use crate::refusal::Refusal;
use crate::token::Token;
use crate::wire::MAX_LINE_BYTES;
use clap::Args;
use session::{End, Session};
use std::fs::File;
use std::io::{self, ErrorKind, IoSlice, Read};
use std::net::Shutdown;
use std::process;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// A user may stop reading for any length of time.
const WRITE_TIMEOUT: Duration = FOREVER;

/// Send stdin to the server and print its replies, as telnet does
#[derive(Args)]
#[command(after_help = "\
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
    let address = remote.place.address.parse().map_err(wrong)?;
    let token = remote.place.token()?;
    let (stream, mut idle_timeout) = remote.patience.retrying(|| {
        let stream =
            Stream::connect(&address, Some(remote.patience.timeout)).map_err(Error::Connect)?;
        let stream = Arc::new(stream);
        let idle_timeout = meet(&stream, &address, token.as_ref(), remote.patience.timeout)?;
        Ok((stream, idle_timeout))
    })?;
    let session = Arc::new(Mutex::new(Session::default()));
    let outgoing = Arc::new(Mutex::new(stream.clone()));
    let start_keeping = {
        let (outgoing, session) = (outgoing.clone(), session.clone());
        move |idle_timeout: Duration| {
            let (outgoing, session) = (outgoing.clone(), session.clone());
            let kept = thread::Builder::new();
            let kept = kept.spawn(move || keep_alive(&outgoing, &session, idle_timeout / 2));
            kept.map(drop).map_err(Failure::no_thread)
        }
    };
    idle_timeout.map_or(Ok(()), &start_keeping)?;
    let sending = session.clone();
    // Never joined: it may still wait for a line when the server has closed.
    let started = thread::Builder::new().spawn(move || {
        if let Err(failure) = send_stdin(stdin, &outgoing, &sending) {
            failure.report();
            process::exit(failure.status.into());
        }
    });
    started.map_err(Failure::no_thread)?;
    let mut buffer = vec![0; 64 << 10];
    let lost = loop {
        match stream.receive(&mut buffer) {
            Ok(0) => break closed(),
            Ok(n) => {
                let shown = {
                    let mut session = lock(&session);
                    session.received(&buffer[..n]);
                    session.idle_timeout()
                };
                // Only once a token is typed, unless it is in a file.
                if idle_timeout.is_none() && shown.is_some() {
                    idle_timeout = shown;
                    shown.map_or(Ok(()), &start_keeping)?;
                }
                if !put_some(&buffer[..n])? {
                    return Ok(());
                }
            }
            Err(e) => break e,
        }
    };
    match lock(&session).end() {
        End::Answered => Ok(()),
        End::Refused(reply) => {
            Err(Failure::failed(format!("the server ended the session: {reply}")))
        }
        End::Unfinished => {
            Err(Failure::failed("stdin ended inside a request, which was not executed"))
        }
        End::Lost => Err(lost_at(&address.to_string(), &lost)),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Says hello; only this program sees the reply. Returns the server's idle time-out. A server that
/// requires a token and got none is left to the user.
fn meet(
    stream: &Arc<Stream>,
    address: &Address,
    token: Option<&Token>,
    timeout: Duration,
) -> Result<Option<Duration>, Error> {
    let mut connection = BufferedStream::new(stream.clone(), MAX_LINE_BYTES, timeout);
    connection.set_deadline(Some(Instant::now() + timeout));
    match hello(&mut connection, address, token) {
        Err(Error::Refused { refusal: Refusal::WrongToken, .. }) if token.is_none() => Ok(None),
        met => met,
    }
}

/// Sends an empty line, which has no reply, at intervals while the connection holds something and
/// nothing is typed. Never inside a request, nor while one is being sent.
fn keep_alive(outgoing: &Mutex<Arc<Stream>>, session: &Mutex<Session>, pause: Duration) {
    loop {
        thread::sleep(pause);
        if let Ok(stream) = outgoing.try_lock()
            && lock(session).holds_between_requests()
        {
            // If there is no room, the server has enough to read.
            let _ = stream.send_now(&[IoSlice::new(b"\n")]);
        }
    }
}

/// Sends what is typed. The receiver reports a connection that takes no more.
fn send_stdin(mut stdin: File, outgoing: &Mutex<Arc<Stream>>, session: &Mutex<Session>) -> Outcome {
    let mut buffer = vec![0; 64 << 10];
    loop {
        let n = match stdin.read(&mut buffer) {
            Err(e) if e.kind() == ErrorKind::Interrupted => continue,
            read => read.map_err(|e| Failure::failed(format!("stdin: {e}")))?,
        };
        let stream = lock(outgoing);
        if n == 0 {
            lock(session).all_sent = true;
            stream.shutdown(Shutdown::Write);
            return Ok(());
        }
        // Before sending: the reply may arrive before `send_all` returns.
        lock(session).sent(&buffer[..n]);
        if stream.send_all(&mut [IoSlice::new(&buffer[..n])], WRITE_TIMEOUT).is_err() {
            stream.shutdown(Shutdown::Write);
            return Ok(());
        }
    }
}
