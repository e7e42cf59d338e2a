//! The state of a channel, under its lock: how far admission, reading and writing are.

use crate::framework::end::EndReason;
use crate::framework::inbox::{Capacity, Inbox};
use crate::framework::outbox::Outbox;
use std::time::{Duration, Instant};

/// While more than this waits to be sent, nothing is read and no message is delivered.
const MAX_UNSENT_BYTES: usize = 1 << 20;

pub(super) struct State {
    pub(super) inbox: Inbox,
    pub(super) outbox: Outbox,
    pub(super) admission: Admission,
    pub(super) reading: Reading,
    pub(super) writing: Writing,
    /// The worker was notified of work, and has not been here since.
    pub(super) scheduled: bool,
    /// The server stops: no further message is accepted.
    pub(super) stopping: bool,
    /// This side ends the connection: nothing is delivered or queued any more.
    pub(super) closing: Option<Closing>,
    /// Why the connection has ended, as soon as that is known.
    pub(super) end: Option<EndReason>,
    /// The number of threads that wait for a change.
    pub(super) waiters: usize,
}

/// What the application knows of the connection. If it refuses the connection, this side closes it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Admission {
    /// Nothing.
    Unknown,
    /// It decides whether to accept the connection.
    Asked,
    /// It has accepted the connection. A client's connection begins here.
    Accepted,
    /// It was notified that no further message will come.
    Parted,
}

/// How far the peer's data is read.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reading {
    /// Messages may come.
    Open,
    /// No further message will come: other data is dropped.
    Complete,
    /// The stream has ended, or is broken.
    Ended,
}

/// Who sends what is queued.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Writing {
    /// Nobody: the outbox is empty.
    Idle,
    /// The worker, at the end of its burst.
    Collected,
    /// A thread is sending. It also sends what is added meanwhile; no other thread may.
    Sending,
    /// Everything is sent and the sending side is shut, or the stream is broken.
    Ended,
}

/// This side has begun to end the connection.
#[derive(Clone, Copy)]
pub(super) struct Closing {
    pub(super) since: Instant,
    /// How long the peer has to take each mebibyte of what waits, and then to end its side.
    pub(super) patience: Duration,
}

impl State {
    pub(super) fn new(capacity: Capacity, admission: Admission) -> Self {
        State {
            inbox: Inbox::new(capacity),
            outbox: Outbox::default(),
            admission,
            reading: Reading::Open,
            writing: Writing::Idle,
            scheduled: false,
            stopping: false,
            closing: None,
            end: None,
            waiters: 0,
        }
    }

    /// Returns whether too much waits to be sent.
    pub(super) fn is_choked(&self) -> bool {
        self.outbox.waiting() > MAX_UNSENT_BYTES
    }

    /// Returns whether this side has ended the connection, or no longer accepts messages.
    pub(super) fn is_stopped(&self) -> bool {
        self.stopping || self.closing.is_some()
    }

    /// Returns whether messages can be queued for the peer.
    pub(super) fn can_send(&self) -> bool {
        self.closing.is_none() && self.writing != Writing::Ended
    }

    /// Returns why an ended connection ended. Without a recorded reason, the peer ended it.
    pub(super) fn end_reason(&self) -> EndReason {
        self.end.clone().unwrap_or(EndReason::Peer)
    }

    /// Returns whether the worker has work. A stop does not wait for a peer to take its replies.
    pub(super) fn is_due(&self) -> bool {
        let ended = self.reading >= Reading::Complete && !self.stopping;
        match self.admission {
            _ if self.closing.is_some() => false,
            Admission::Unknown => true,
            Admission::Parted => false,
            Admission::Asked | Admission::Accepted => {
                (!self.inbox.is_empty() || ended) && (self.stopping || !self.is_choked())
            }
        }
    }
}
