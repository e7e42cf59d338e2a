//! A connection that carries messages, where its threads meet: the reader, which waits in receive
//! and delivers; the worker, or the caller of a client, which takes and sends; and a writer, which
//! exists only while the peer takes less than is sent, or has not ended its side after this one
//! has. None of them holds the lock during I/O.

mod reading;
mod sending;
mod state;

use super::end::EndReason;
use super::inbox::Capacity;
use super::message::Message;
use crate::net::{Pool, Stream};
use log::Level;
use state::{Admission, Closing, Reading, State, Writing};
use std::net::Shutdown;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long an ending connection waits for a peer that does nothing.
pub(super) const DRAIN: Duration = Duration::from_secs(5);

pub(super) struct Channel {
    pub(super) stream: Arc<Stream>,
    /// `None` in a client.
    worker: Option<Arc<dyn WorkerHandle>>,
    writers: Arc<Pool<Arc<Channel>>>,
    state: Mutex<State>,
    changed: Condvar,
}

/// What a channel asks of its worker.
pub(super) trait WorkerHandle: Send + Sync {
    /// Queues `channel`, so that another thread does its work.
    fn queue(&self, channel: Arc<Channel>);

    /// Does the work for `channel` on the calling thread, a reader, if no thread works for the
    /// worker already.
    fn work_for(&self, channel: Arc<Channel>);

    /// Registers `channel` to be flushed at the end of the burst of callbacks; returns false if
    /// none is running.
    fn collect(&self, channel: &Arc<Channel>) -> bool;
}

/// What a worker reports to the application next.
pub(super) enum Event {
    Connect,
    Message(Message),
    Disconnect,
}

impl Channel {
    pub(super) fn new(
        stream: Stream,
        capacity: Capacity,
        worker: Option<Arc<dyn WorkerHandle>>,
        writers: &Arc<Pool<Arc<Channel>>>,
    ) -> Arc<Self> {
        let admission = match worker {
            Some(_) => Admission::Unknown,
            None => Admission::Accepted,
        };
        Arc::new(Channel {
            stream: Arc::new(stream),
            worker,
            writers: writers.clone(),
            state: Mutex::new(State::new(capacity, admission)),
            changed: Condvar::new(),
        })
    }

    // For the thread that takes the messages.

    /// Returns the worker's next event; `Connect` and `Disconnect` come once.
    pub(super) fn next(&self) -> Option<Event> {
        let mut state = self.lock();
        if !state.is_due() {
            return None;
        }
        if state.admission == Admission::Unknown {
            state.admission = Admission::Asked;
            return Some(Event::Connect);
        }
        let message = self.pop(&mut state);
        if message.is_none() {
            state.admission = Admission::Parted;
        }
        Some(message.map_or(Event::Disconnect, Event::Message))
    }

    /// Records that the application accepts the connection.
    pub(super) fn accept(self: &Arc<Self>) {
        let mut state = self.lock();
        state.admission = Admission::Accepted;
        self.notify(state);
    }

    /// Called when the worker turns to another connection.
    pub(super) fn reschedule(self: &Arc<Self>) {
        let mut state = self.lock();
        state.scheduled = false;
        self.notify(state);
    }

    /// Waits for a message. Returns why none will come, or `None` if none came before `deadline`.
    pub(super) fn receive(&self, deadline: Option<Instant>) -> Result<Message, Option<EndReason>> {
        let complete = |s: &State| s.reading >= Reading::Complete;
        let mut state = self.wait_until(deadline, |s| !s.inbox.is_empty() || complete(s));
        self.pop(&mut state).ok_or_else(|| complete(&state).then(|| state.end_reason()))
    }

    fn pop(&self, state: &mut State) -> Option<Message> {
        let message = state.inbox.pop();
        if state.waiters > 0 && state.inbox.is_half_empty() {
            self.changed.notify_all();
        }
        message
    }

    // For any thread that ends the connection.

    /// Ends the connection: sends what is queued, then shuts the sending side. Further data from
    /// the peer is dropped, until the peer ends too or [`DRAIN`] is over.
    pub(super) fn close(self: &Arc<Self>) {
        self.close_within(DRAIN);
    }

    /// The same, with another time than [`DRAIN`].
    pub(super) fn close_within(self: &Arc<Self>, patience: Duration) {
        self.end_with(Level::Debug, EndReason::Shutdown);
        let mut state = self.lock();
        if state.closing.is_some() {
            return;
        }
        state.closing = Some(Closing { since: Instant::now(), patience });
        if self.worker.is_some() {
            state.inbox.clear();
        }
        let may_send = matches!(state.writing, Writing::Idle | Writing::Collected);
        if may_send {
            state.writing = Writing::Sending;
        }
        self.notify(state);
        if may_send {
            self.push_out();
        }
    }

    /// Drops what is queued and ends both directions, for `reason`.
    pub(super) fn break_off(self: &Arc<Self>, level: Level, reason: EndReason) {
        self.end_with(level, reason);
        let mut state = self.lock();
        state.outbox.clear();
        state.writing = Writing::Ended;
        self.notify(state);
        self.stream.shutdown(Shutdown::Both);
    }

    /// Records and logs `reason` as the reason of the end, unless there is another already.
    fn end_with(&self, level: Level, reason: EndReason) {
        let mut state = self.lock();
        if state.end.is_none() {
            state.end = Some(reason.clone());
            drop(state);
            log::log!(level, "{} ended: {reason}", self.stream);
        }
    }

    /// Waits until both sides have ended; returns false if `deadline` came first.
    pub(super) fn wait_ended(&self, deadline: Option<Instant>) -> bool {
        let ended = |s: &State| s.writing == Writing::Ended && s.reading == Reading::Ended;
        ended(&self.wait_until(deadline, ended))
    }

    // For the thread that stops the server.

    /// Accepts no further message. The application never learns of a client it does not know yet.
    pub(super) fn stop(self: &Arc<Self>) {
        let mut state = self.lock();
        state.stopping = true;
        let unknown = state.admission == Admission::Unknown;
        self.notify(state);
        if unknown {
            self.close();
        }
    }

    /// Ends both directions if everything is sent. Wakes threads that wait for the peer.
    pub(super) fn cut_silent(&self) {
        if self.lock().writing == Writing::Ended {
            self.stream.shutdown(Shutdown::Both);
        }
    }

    // For all of these.

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Called after a change: wakes the threads that wait for one, and notifies the worker of work.
    fn notify(self: &Arc<Self>, state: MutexGuard<'_, State>) {
        if let Some(worker) = self.wake(state) {
            worker.queue(self.clone());
        }
    }

    /// The same for the reader, which does the worker's work if nobody else does.
    fn notify_and_work(self: &Arc<Self>, state: MutexGuard<'_, State>) {
        if let Some(worker) = self.wake(state) {
            worker.work_for(self.clone());
        }
    }

    /// Wakes waiting threads. Returns the worker if it has to be notified of work.
    fn wake(&self, mut state: MutexGuard<'_, State>) -> Option<&dyn WorkerHandle> {
        let worker = self.worker.as_deref().filter(|_| !state.scheduled && state.is_due());
        state.scheduled |= worker.is_some();
        if state.waiters > 0 {
            drop(state);
            self.changed.notify_all();
        }
        worker
    }

    fn wait_until(
        &self,
        deadline: Option<Instant>,
        done: impl Fn(&State) -> bool,
    ) -> MutexGuard<'_, State> {
        let mut state = self.lock();
        state.waiters += 1;
        let waits = |state: &mut State| !done(state);
        let mut state = match deadline {
            None => self.changed.wait_while(state, waits).unwrap_or_else(PoisonError::into_inner),
            Some(deadline) => {
                let left = deadline.saturating_duration_since(Instant::now());
                let woken = self.changed.wait_timeout_while(state, left, waits);
                woken.unwrap_or_else(PoisonError::into_inner).0
            }
        };
        state.waiters -= 1;
        state
    }
}
