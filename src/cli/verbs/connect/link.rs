//! A connection, and what was sent and received on it: for the plain session and for a terminal.

use super::session::{End, Session};
use crate::cli::failure::{Failure, Outcome};
use crate::cli::remote::{closed, lost_at};
use crate::exptime::FOREVER;
use crate::net::Stream;
use std::io::IoSlice;
use std::net::Shutdown;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// A user may stop reading for any length of time.
const WRITE_TIMEOUT: Duration = FOREVER;

/// A connection, and what was sent and received on it.
pub(super) struct Link {
    stream: Arc<Stream>,
    /// Locked while a request is being sent.
    outgoing: Arc<Mutex<Arc<Stream>>>,
    session: Arc<Mutex<Session>>,
    /// Notified after each part of a reply.
    received: Condvar,
    /// The server's, if it is known at the start.
    idle_timeout: Option<Duration>,
    address: String,
}

impl Link {
    pub(super) fn new(
        stream: Arc<Stream>,
        idle_timeout: Option<Duration>,
        address: String,
    ) -> Self {
        let outgoing = Arc::new(Mutex::new(stream.clone()));
        let (session, received) = Default::default();
        Link { stream, outgoing, session, received, idle_timeout, address }
    }

    /// Returns the address of the server that answered.
    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// Shows the replies until the connection ends or `show` returns false. The result is what that
    /// means. Keeps the connection alive as soon as the server's idle time-out is known.
    pub(super) fn receive(&self, mut show: impl FnMut(&[u8]) -> Result<bool, Failure>) -> Outcome {
        let mut idle_timeout = self.idle_timeout;
        idle_timeout.map_or(Ok(()), |time| self.start_keeping(time))?;
        let mut buffer = vec![0; 64 << 10];
        let lost = loop {
            let n = match self.stream.receive(&mut buffer) {
                Ok(0) => break closed(),
                Ok(n) => n,
                Err(e) => break e,
            };
            if !show(&buffer[..n])? {
                return Ok(());
            }
            // After that: what comes next on a terminal is below the reply.
            let shown = {
                let mut session = lock(&self.session);
                session.received(&buffer[..n]);
                session.idle_timeout()
            };
            self.received.notify_all();
            // Only once a token is typed, unless it is in a file.
            if idle_timeout.is_none() && shown.is_some() {
                idle_timeout = shown;
                shown.map_or(Ok(()), |time| self.start_keeping(time))?;
            }
        };
        match lock(&self.session).end() {
            End::Answered => Ok(()),
            End::Refused(reply) => {
                Err(Failure::failed(format!("the server ended the session: {reply}")))
            }
            End::Unfinished => {
                Err(Failure::failed("stdin ended inside a request, which was not executed"))
            }
            End::Lost => Err(lost_at(&self.address, &lost)),
        }
    }

    fn start_keeping(&self, idle_timeout: Duration) -> Outcome {
        let (outgoing, session) = (self.outgoing.clone(), self.session.clone());
        let kept = thread::Builder::new();
        let kept = kept.spawn(move || keep_alive(&outgoing, &session, idle_timeout / 2));
        kept.map(drop).map_err(Failure::no_thread)
    }

    /// Sends a part of the requests. Returns false if the connection takes no more, which the receiver
    /// reports.
    pub(super) fn send(&self, bytes: &[u8]) -> bool {
        let stream = lock(&self.outgoing);
        // Before sending: the reply may arrive before `send_all` returns.
        lock(&self.session).sent(bytes);
        let sent = stream.send_all(&mut [IoSlice::new(bytes)], WRITE_TIMEOUT);
        if sent.is_err() {
            stream.shutdown(Shutdown::Write);
        }
        sent.is_ok()
    }

    /// Notes that nothing more will be sent.
    pub(super) fn all_sent(&self) {
        let stream = lock(&self.outgoing);
        lock(&self.session).all_sent = true;
        stream.shutdown(Shutdown::Write);
    }

    /// Waits for the replies to everything that was sent. Returns whether more can be sent.
    pub(super) fn wait_answered(&self) -> bool {
        let session = lock(&self.session);
        let is_waiting = |session: &mut Session| !session.is_answered();
        let session = self.received.wait_while(session, is_waiting);
        !session.unwrap_or_else(PoisonError::into_inner).is_over()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
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
