//! How a connection's messages go out. A thread with something to send tries it at once, without
//! waiting: usually the kernel has room, and no other thread is needed. The rest is sent by a
//! writer, a thread of a pool; meanwhile other threads only add to the outbox.

use super::state::{Closing, Reading, State, Writing};
use super::{Channel, DRAIN};
use crate::framework::end::EndReason;
use crate::framework::error::SendError;
use crate::framework::message::Message;
use crate::framework::outbox::Piece;
use crate::net::Pool;
use log::Level;
use std::io::{ErrorKind, IoSlice};
use std::net::Shutdown;
use std::sync::{Arc, MutexGuard};
use std::time::{Duration, Instant};

/// If more than this waits, the next message ends the connection.
const MAX_QUEUED_BYTES: usize = 16 << 20;
/// This much is sent even before the worker's burst is over.
const MAX_COLLECTED_BYTES: usize = 64 << 10;

/// An ending connection's peer has to take this much within its time, or what is left.
const STEP_BYTES: usize = 1 << 20;
/// How soon a writer notices that the connection is to end.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// How far sending got without waiting.
enum Sent {
    /// Everything is sent.
    All,
    /// Everything is sent and the sending side is shut, or the stream is broken.
    End,
    /// There is no room. The caller still has the right to send.
    Full,
}

impl Channel {
    /// Returns a pool of writers. A connection has one at a time, so the pool needs no maximum. With
    /// a maximum a connection might get no writer, because one that has sent everything occupies its
    /// slot for a moment longer.
    pub(in crate::framework) fn writers(name: &str, stack_bytes: usize) -> Arc<Pool<Arc<Channel>>> {
        Arc::new(Pool::new(name, usize::MAX, stack_bytes, |channel: &Arc<Channel>, _| {
            channel.go_on_sending();
        }))
    }

    /// Queues a message and never waits for the peer. In a worker's burst messages are collected;
    /// elsewhere they are sent at once.
    pub(in crate::framework) fn send(self: &Arc<Self>, message: Message) {
        let state = self.lock();
        if !state.can_send() {
            return;
        }
        // During a stop nothing more is read, and the peer has its time to take what is pending.
        if state.outbox.waiting() > MAX_QUEUED_BYTES && !state.stopping {
            drop(state);
            let reason = format!("more than {MAX_QUEUED_BYTES} bytes wait that it does not take");
            let reason = EndReason::lost(ErrorKind::QuotaExceeded, reason);
            return self.break_off(Level::Warn, reason);
        }
        self.queue(state, message);
    }

    /// Queues a message, as soon as not too much waits. Returns it if the connection has ended.
    pub(in crate::framework) fn send_patiently(
        self: &Arc<Self>,
        message: Message,
    ) -> Result<(), SendError> {
        let state = self.wait_until(None, |s| !s.is_choked());
        if state.reading != Reading::Open || !state.can_send() {
            return Err(SendError { message, reason: state.end_reason() });
        }
        self.queue(state, message);
        Ok(())
    }

    fn queue(self: &Arc<Self>, mut state: MutexGuard<'_, State>, message: Message) {
        state.outbox.push(message);
        let few = state.outbox.waiting() < MAX_COLLECTED_BYTES;
        match state.writing {
            Writing::Sending | Writing::Ended => {}
            Writing::Collected if few => {}
            Writing::Idle if few && self.worker.as_ref().is_some_and(|w| w.collect(self)) => {
                state.writing = Writing::Collected;
            }
            Writing::Idle | Writing::Collected => self.send_queued(state),
        }
    }

    /// Sends what was collected.
    pub(in crate::framework) fn flush(self: &Arc<Self>) {
        let state = self.lock();
        if state.writing == Writing::Collected {
            self.send_queued(state);
        }
    }

    fn send_queued(self: &Arc<Self>, mut state: MutexGuard<'_, State>) {
        state.writing = Writing::Sending;
        drop(state);
        self.push_out();
    }

    /// Sends as much as fits, and leaves the rest to a writer. The caller has the right to send.
    pub(super) fn push_out(self: &Arc<Self>) {
        let left = match self.send_now() {
            Sent::All => false,
            Sent::End => self.end_writing(),
            Sent::Full => true,
        };
        if left && self.writers.submit(self.clone()).is_err() {
            let reason = "the system has no thread to send what its peer is slow to take";
            self.break_off(Level::Warn, EndReason::lost(ErrorKind::WouldBlock, reason));
        }
    }

    /// Runs a writer.
    fn go_on_sending(self: &Arc<Self>) {
        // Since when this much has waited at an ending connection.
        let mut mark = None;
        loop {
            match self.send_now() {
                Sent::All => return,
                Sent::End => {
                    self.end_writing();
                    return self.watch();
                }
                Sent::Full => {}
            }
            let (closing, waiting) = {
                let state = self.lock();
                (state.closing, state.outbox.waiting())
            };
            let now = Instant::now();
            // On a connection that is not ending, the peer may take any time.
            if let Some(Closing { since, patience }) = closing {
                let (at, before) = *mark.get_or_insert((since, waiting));
                if waiting + STEP_BYTES <= before {
                    mark = Some((now, waiting));
                } else if now.duration_since(at) >= patience {
                    let reason = "the peer does not take the last messages";
                    self.break_off(Level::Info, EndReason::lost(ErrorKind::TimedOut, reason));
                    continue;
                }
            }
            let _ = self.stream.wait_writable(now + LOOK_AGAIN); // if broken, the next send fails
        }
    }

    fn send_now(self: &Arc<Self>) -> Sent {
        loop {
            let piece = match self.next_piece() {
                Ok(piece) => piece,
                Err(Sent::End) => {
                    self.stream.shutdown(Shutdown::Write);
                    return Sent::End;
                }
                Err(sent) => return sent,
            };
            let n = match self.stream.send_now(&[IoSlice::new(piece.rest())]) {
                Ok(n) => n,
                Err(e) if e.kind() == ErrorKind::WouldBlock => 0,
                Err(e) => {
                    self.break_off(Level::Info, e.into());
                    continue;
                }
            };
            let full = n < piece.rest().len();
            let mut state = self.lock();
            if state.writing == Writing::Sending {
                state.outbox.put_back(piece, n); // else broken off and dropped meanwhile
            }
            self.notify(state);
            if full {
                return Sent::Full;
            }
        }
    }

    /// Returns the next piece to send, or that there is none. The right to send ends with
    /// [`Sent::All`].
    fn next_piece(&self) -> Result<Piece, Sent> {
        let mut state = self.lock();
        if let Some(piece) = state.outbox.take() {
            return Ok(piece);
        }
        if !state.can_send() {
            return Err(Sent::End);
        }
        state.writing = Writing::Idle;
        Err(Sent::All)
    }

    /// Records that everything is sent and the sending side is shut. Returns whether somebody has
    /// to [`watch`](Channel::watch) the peer: a stop does so for all of its connections.
    fn end_writing(self: &Arc<Self>) -> bool {
        let mut state = self.lock();
        let broken = state.writing == Writing::Ended;
        state.writing = Writing::Ended;
        let unwatched = !broken && state.reading != Reading::Ended && !state.stopping;
        self.notify(state);
        unwatched
    }

    /// Ends both directions when the peer has ended, or its time for that is over.
    fn watch(&self) {
        let patience = self.lock().closing.map_or(DRAIN, |closing| closing.patience);
        let deadline = Instant::now().checked_add(patience);
        drop(self.wait_until(deadline, |s| s.reading == Reading::Ended));
        self.stream.shutdown(Shutdown::Both);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::framework::inbox::Capacity;
    use crate::net::Stream;
    use std::os::unix::net::UnixStream;

    /// The first writer keeps its slot, like one that has sent everything and has not ended yet.
    #[test]
    fn a_connection_gets_a_writer_while_another_has_not_ended() {
        const CAPACITY: Capacity = Capacity { messages: 1, bytes: 1 };
        let writers = Channel::writers("test-writer", 64 << 10);
        let connected = [(); 2].map(|()| {
            let (stream, peer) = UnixStream::pair().unwrap();
            let channel = Channel::new(Stream::new(stream, None), CAPACITY, None, &writers);
            let message = Message::new(1).append(vec![b'x'; 4 << 20]); // more than the sockets hold
            channel.send_patiently(message).unwrap();
            (channel, peer)
        });
        for (channel, _peer) in &connected {
            assert_eq!(channel.lock().end, None);
            channel.break_off(Level::Debug, EndReason::Shutdown);
        }
    }
}
