//! The reader's part of a channel, on a thread that waits in receive.

use super::state::{Admission, Reading, State};
use super::{Channel, Writing};
use crate::framework::end::EndReason;
use crate::framework::message::Message;
use crate::framework::message_reader::MessageReader;
use log::Level;
use std::collections::VecDeque;
use std::sync::Arc;

impl Channel {
    /// Reads until the peer has ended its side. Messages are delivered until one side ends the
    /// connection; further data is dropped.
    pub(in crate::framework) fn read(self: &Arc<Self>, max_message_bytes: u32) {
        let mut reader = MessageReader::new(&self.stream, max_message_bytes);
        if self.announce() {
            log::debug!("{} connected", self.stream);
            self.read_messages(&mut reader);
        }
        self.advance(Reading::Complete);
        reader.drop_rest();
        self.advance(Reading::Ended);
    }

    /// Notifies the worker of the connection, and waits until the application has accepted or
    /// refused it.
    fn announce(self: &Arc<Self>) -> bool {
        self.notify_and_work(self.lock());
        let accepted = |s: &State| s.admission == Admission::Accepted;
        let broken = |s: &State| s.closing.is_some() || s.writing == Writing::Ended;
        accepted(&self.wait_until(None, |s| accepted(s) || broken(s)))
    }

    /// Reads until the end, or until no more messages are accepted.
    fn read_messages(self: &Arc<Self>, reader: &mut MessageReader) {
        let mut received: VecDeque<Message> = VecDeque::new();
        let (level, reason) = loop {
            match reader.read(&mut received) {
                Ok(true) if self.hand_over(&mut received) => {}
                Ok(true) => break (Level::Debug, EndReason::Shutdown),
                Ok(false) => break (Level::Debug, EndReason::Peer),
                Err(reason @ EndReason::TooLarge { .. }) => break (Level::Warn, reason),
                Err(reason) => break (Level::Info, reason),
            }
        };
        self.end_with(level, reason);
    }

    /// Queues `received` for delivery, and waits while too many of these messages or too many sent
    /// bytes wait. Returns false if no more messages are accepted.
    fn hand_over(self: &Arc<Self>, received: &mut VecDeque<Message>) -> bool {
        // A client may still want what arrives after its shutdown; the application does not.
        let refused = |s: &State| s.is_stopped() && self.worker.is_some();
        while let Some(first) = received.front() {
            let fits = |s: &State| s.inbox.has_room_for(first);
            let mut state = self.wait_until(None, |s| fits(s) || s.is_stopped());
            if refused(&state) || !fits(&state) {
                return false;
            }
            state.inbox.fill(received);
            self.notify_and_work(state);
        }
        // A client reads on: if each side read only while the other does, both would wait.
        let may_read = |s: &State| !s.is_choked() || s.is_stopped() || self.worker.is_none();
        !refused(&self.wait_until(None, may_read))
    }

    fn advance(self: &Arc<Self>, reading: Reading) {
        let mut state = self.lock();
        state.reading = reading;
        // The application is notified of the end like of a message: by this thread if it can.
        match reading {
            Reading::Complete => self.notify_and_work(state),
            _ => self.notify(state),
        }
    }
}
