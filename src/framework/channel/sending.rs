//! How a connection's messages go out. A thread with something to send tries it at once, without
//! waiting: usually the kernel has room, and no other thread is needed. The rest is sent by a
//! writer, a thread of a pool; meanwhile other threads only add to the outbox.

use super::{Channel, State};
use crate::framework::end::EndReason;
use crate::framework::message::Message;
use crate::framework::outbox::Piece;
use log::Level;
use std::io::{ErrorKind, IoSlice};
use std::net::Shutdown;
use std::sync::{Arc, MutexGuard};
use std::time::{Duration, Instant};

/// If more than this waits, the next message ends the connection.
const MAX_QUEUED_BYTES: usize = 16 << 20;
/// This much is sent even before the worker's batch is done.
const MAX_COLLECTED_BYTES: usize = 64 << 10;

/// An ending connection's peer has to take this much within its time, or what is left.
const STEP_BYTES: usize = 1 << 20;
/// How soon a writer notices that the connection is to end.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// How far sending got without waiting.
enum Sent {
    /// Everything is sent.
    All,
    /// Everything is sent, and the sending side is shut.
    End,
    /// There is no room. The caller still has the right to send.
    Full,
}

/// The next step of the thread that has the right to send.
enum Step {
    Send(Piece),
    Return,
    End,
}

impl Channel {
    /// Queues a message and never waits for the peer. In a worker's batch messages are collected;
    /// elsewhere they are sent at once.
    pub(in crate::framework) fn send(self: &Arc<Self>, message: Message) {
        let state = self.lock();
        if state.closing.is_some() || state.sent_all {
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

    pub(super) fn queue(self: &Arc<Self>, mut state: MutexGuard<'_, State>, message: Message) {
        state.outbox.push(message);
        if state.sending {
            return;
        }
        if state.outbox.waiting() < MAX_COLLECTED_BYTES {
            if !state.collected
                && let Some(worker) = &self.worker
            {
                state.collected = worker.collect(self);
            }
            if state.collected {
                return;
            }
        }
        state.sending = true;
        drop(state);
        self.push_out();
    }

    /// Sends what was collected.
    pub(in crate::framework) fn flush(self: &Arc<Self>) {
        let mut state = self.lock();
        state.collected = false;
        if !state.sending && state.outbox.waiting() > 0 {
            state.sending = true;
            drop(state);
            self.push_out();
        }
    }

    /// Sends as much as fits, and leaves the rest to a writer. The caller has set `sending`.
    pub(super) fn push_out(self: &Arc<Self>) {
        let left = match self.send_now() {
            Sent::All => false,
            Sent::End => self.all_sent(),
            Sent::Full => true,
        };
        if left && self.writers.submit(self.clone()).is_err() {
            let reason = "the system has no thread to send what its peer is slow to take";
            self.break_off(Level::Warn, EndReason::lost(ErrorKind::WouldBlock, reason));
        }
    }

    /// Runs a writer.
    pub(in crate::framework) fn go_on_sending(self: &Arc<Self>) {
        // Since when this much has waited at an ending connection.
        let mut mark = None;
        loop {
            match self.send_now() {
                Sent::All => return,
                Sent::End => {
                    self.all_sent();
                    return self.watch();
                }
                Sent::Full => {}
            }
            let (closing, patience, waiting) = {
                let state = self.lock();
                (state.closing, state.patience, state.outbox.waiting())
            };
            let now = Instant::now();
            // On a connection that is not ending, the peer may take any time.
            if let Some(since) = closing {
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
            let piece = match self.step() {
                Step::Send(piece) => piece,
                Step::Return => return Sent::All,
                Step::End => {
                    self.stream.shutdown(Shutdown::Write);
                    return Sent::End;
                }
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
            if !state.sent_all {
                state.outbox.give_back(piece, n); // else broken off and dropped meanwhile
            }
            self.notify(state);
            if full {
                return Sent::Full;
            }
        }
    }

    fn step(&self) -> Step {
        let mut state = self.lock();
        if state.sent_all {
            return Step::End;
        }
        if let Some(piece) = state.outbox.take() {
            return Step::Send(piece);
        }
        if state.closing.is_some() {
            return Step::End;
        }
        state.sending = false;
        Step::Return
    }
}
