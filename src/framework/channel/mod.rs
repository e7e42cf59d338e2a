//! One connection, where its threads meet: the reader, which waits in receive and delivers; the
//! worker, or the caller of a client, which takes and sends; and a writer, which exists only while
//! the peer takes less than is sent, or has not ended its side after this one has. None of them
//! holds the lock during I/O.

mod sending;

use super::end::EndReason;
use super::inbox::{Capacity, Inbox};
use super::message::Message;
use super::outbox::Outbox;
use super::worker::Worker;
use crate::net::{Pool, Stream};
use log::Level;
use std::collections::VecDeque;
use std::net::Shutdown;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// While more than this waits to be sent, nothing is read and no message is delivered.
const MAX_UNSENT_BYTES: usize = 1 << 20;

/// How long an ending connection waits for a peer that does nothing.
pub(super) const DRAIN: Duration = Duration::from_secs(5);

pub(super) struct Channel {
    pub(super) stream: Arc<Stream>,
    /// The connection's worker; `None` in a client.
    pub(super) worker: Option<Arc<Worker>>,
    pub(super) writers: Arc<Pool<Arc<Channel>>>,
    state: Mutex<State>,
    changed: Condvar,
}

pub(super) struct State {
    inbox: Inbox,
    pub(super) outbox: Outbox,
    /// A thread is sending: no other may, and that thread also sends what is added meanwhile.
    pub(super) sending: bool,
    /// The worker sends the outbox when its batch is done.
    pub(super) collected: bool,
    /// The worker was notified of work, and has not been here since.
    scheduled: bool,
    /// The application was asked whether it accepts the connection.
    asked: bool,
    /// The application accepts it.
    admitted: bool,
    /// The server stops: no further message is accepted.
    pub(super) stopping: bool,
    /// When this side began to end the connection: since then nothing is delivered or queued.
    pub(super) closing: Option<Instant>,
    /// How long the peer then has to take each mebibyte of what waits, and to end its side.
    pub(super) patience: Duration,
    /// No further message will come.
    complete: bool,
    /// The application was notified of that.
    parted: bool,
    /// The stream has ended, or is broken.
    peer_ended: bool,
    /// Everything is sent and the sending side is shut, or the stream is broken.
    pub(super) sent_all: bool,
    /// Why it has ended, as soon as that is known.
    end: Option<EndReason>,
    /// The number of threads that wait for a change.
    waiters: usize,
}

/// A worker's next action for a connection.
pub(super) enum Event {
    Connect,
    Message(Message),
    Disconnect,
    Nothing,
}

impl State {
    fn is_choked(&self) -> bool {
        self.outbox.waiting() > MAX_UNSENT_BYTES
    }

    /// Returns why an ended connection ended. Without a recorded reason, the peer ended it.
    fn end_reason(&self) -> EndReason {
        self.end.clone().unwrap_or(EndReason::Peer)
    }

    /// Returns whether the worker has work. A stop does not wait for a peer to take its replies.
    fn is_due(&self) -> bool {
        let ended = self.complete && !self.parted && !self.stopping;
        let held = self.is_choked() && !self.stopping;
        let waits = !self.inbox.is_empty() || ended;
        self.closing.is_none() && (!self.asked || (waits && !held))
    }
}

impl Channel {
    pub(super) fn new(
        stream: Stream,
        capacity: Capacity,
        worker: Option<Arc<Worker>>,
        writers: &Arc<Pool<Arc<Channel>>>,
    ) -> Arc<Self> {
        let wanted = worker.is_none(); // a client wants its connection from the start
        let state = State {
            inbox: Inbox::new(capacity),
            outbox: Outbox::default(),
            sending: false,
            collected: false,
            scheduled: false,
            asked: wanted,
            admitted: wanted,
            stopping: false,
            closing: None,
            patience: DRAIN,
            complete: false,
            parted: false,
            peer_ended: false,
            sent_all: false,
            end: None,
            waiters: 0,
        };
        let (state, changed) = (Mutex::new(state), Condvar::new());
        Arc::new(Channel {
            stream: Arc::new(stream),
            worker,
            writers: writers.clone(),
            state,
            changed,
        })
    }

    // The reader's part, in the order of a connection's life.

    /// Notifies the worker of the connection, and waits until the application has accepted or
    /// refused it.
    pub(super) fn announce(self: &Arc<Self>) -> bool {
        self.notify_and_work(self.lock());
        let decided = |s: &State| s.admitted || s.closing.is_some() || s.sent_all;
        self.wait_until(None, decided).admitted
    }

    /// Queues `batch` for delivery, and waits while too many of its messages or too many sent bytes
    /// wait. Returns false if no more messages are accepted.
    pub(super) fn hand_over(self: &Arc<Self>, batch: &mut VecDeque<Message>) -> bool {
        // A client may still want what arrives after its shutdown; the application does not.
        let ended = |s: &State| s.stopping || s.closing.is_some();
        let refused = |s: &State| ended(s) && self.worker.is_some();
        while let Some(first) = batch.front() {
            let fits = |s: &State| s.inbox.has_room_for(first);
            let mut state = self.wait_until(None, |s| fits(s) || ended(s));
            if refused(&state) || !fits(&state) {
                return false;
            }
            state.inbox.fill(batch);
            self.notify_and_work(state);
        }
        // A client reads on: if each side read only while the other does, both would wait.
        let may_read = |s: &State| !s.is_choked() || ended(s) || self.worker.is_none();
        !refused(&self.wait_until(None, may_read))
    }

    /// Records and logs `reason` as the reason of the end, unless there is another already.
    pub(super) fn end_with(&self, level: Level, reason: EndReason) {
        let mut state = self.lock();
        if state.end.is_none() {
            state.end = Some(reason.clone());
            drop(state);
            log::log!(level, "{} ended: {reason}", self.stream);
        }
    }

    /// Records that no further message will come.
    pub(super) fn complete(self: &Arc<Self>) {
        let mut state = self.lock();
        state.complete = true;
        self.notify_and_work(state);
    }

    /// Records that the peer has ended its side.
    pub(super) fn peer_ended(self: &Arc<Self>) {
        let mut state = self.lock();
        state.peer_ended = true;
        self.notify(state);
    }

    /// Waits until both sides have ended; returns false if `deadline` came first.
    pub(super) fn wait_ended(&self, deadline: Option<Instant>) -> bool {
        let ended = |s: &State| s.sent_all && s.peer_ended;
        ended(&self.wait_until(deadline, ended))
    }

    // The part of the thread that takes the messages.

    /// Returns the worker's next action; `Connect` and `Disconnect` come once.
    pub(super) fn next(&self) -> Event {
        let mut state = self.lock();
        if !state.is_due() {
            return Event::Nothing;
        }
        if !state.asked {
            state.asked = true;
            return Event::Connect;
        }
        match self.take(&mut state) {
            Some(message) => Event::Message(message),
            None => {
                state.parted = true;
                Event::Disconnect
            }
        }
    }

    /// Records that the application accepts the connection.
    pub(super) fn admit(self: &Arc<Self>) {
        let mut state = self.lock();
        state.admitted = true;
        self.notify(state);
    }

    /// Called when the worker turns to another connection.
    pub(super) fn turn_over(self: &Arc<Self>) {
        let mut state = self.lock();
        state.scheduled = false;
        self.notify(state);
    }

    /// Waits for a message. Returns why none will come, or `None` if none came before `deadline`.
    pub(super) fn receive(&self, deadline: Option<Instant>) -> Result<Message, Option<EndReason>> {
        let mut state = self.wait_until(deadline, |s| !s.inbox.is_empty() || s.complete);
        self.take(&mut state).ok_or_else(|| state.complete.then(|| state.end_reason()))
    }

    fn take(&self, state: &mut State) -> Option<Message> {
        let message = state.inbox.pop();
        if state.waiters > 0 && state.inbox.is_half_empty() {
            self.changed.notify_all();
        }
        message
    }

    /// Queues a message, as soon as not too much waits. Returns why there is nobody to send to.
    pub(super) fn send_patiently(self: &Arc<Self>, message: Message) -> Result<(), EndReason> {
        let state = self.wait_until(None, |s| !s.is_choked());
        if state.complete || state.sent_all || state.closing.is_some() {
            return Err(state.end_reason());
        }
        self.queue(state, message);
        Ok(())
    }

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
        (state.closing, state.patience) = (Some(Instant::now()), patience);
        if self.worker.is_some() {
            state.inbox.clear();
        }
        let sending = std::mem::replace(&mut state.sending, true);
        self.notify(state);
        if !sending {
            self.push_out();
        }
    }

    // The part of the thread that stops the server.

    /// Accepts no further message. The application never learns of a client it does not know yet.
    pub(super) fn stop(self: &Arc<Self>) {
        let mut state = self.lock();
        state.stopping = true;
        let unknown = !state.asked;
        self.notify(state);
        if unknown {
            self.close();
        }
    }

    /// Ends both directions if everything is sent. Wakes threads that wait for the peer.
    pub(super) fn cut_silent(&self) {
        if self.lock().sent_all {
            self.stream.shutdown(Shutdown::Both);
        }
    }

    /// Drops what is queued and ends both directions, for `reason`.
    pub(super) fn break_off(self: &Arc<Self>, level: Level, reason: EndReason) {
        self.end_with(level, reason);
        let mut state = self.lock();
        state.outbox.clear();
        state.sent_all = true;
        self.notify(state);
        self.stream.shutdown(Shutdown::Both);
    }

    // The writer's part that needs the condition variable; the rest is in `sending`.

    /// Everything is sent. Whether somebody has to [`watch`](Channel::watch) the peer: a stop does so
    /// for all of its connections.
    pub(super) fn all_sent(self: &Arc<Self>) -> bool {
        let mut state = self.lock();
        let broken = std::mem::replace(&mut state.sent_all, true);
        let unwatched = !broken && !state.peer_ended && !state.stopping;
        self.notify(state);
        unwatched
    }

    /// Ends both directions when the peer has ended, or its time for that is over.
    pub(super) fn watch(&self) {
        let patience = self.lock().patience;
        drop(self.wait_until(Instant::now().checked_add(patience), |s| s.peer_ended));
        self.stream.shutdown(Shutdown::Both);
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Called after a change: wakes the threads that wait for one, and notifies the worker of work.
    pub(super) fn notify(self: &Arc<Self>, state: MutexGuard<'_, State>) {
        if let Some(worker) = self.publish(state) {
            worker.queue(self.clone());
        }
    }

    /// The same for the reader, which does the worker's work if nobody else does.
    fn notify_and_work(self: &Arc<Self>, state: MutexGuard<'_, State>) {
        if let Some(worker) = self.publish(state) {
            worker.work_for(self.clone());
        }
    }

    /// Returns the worker if it has to be notified of work.
    fn publish(&self, mut state: MutexGuard<'_, State>) -> Option<&Worker> {
        let worker = self.worker.as_deref().filter(|_| state.is_due() && !state.scheduled);
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
