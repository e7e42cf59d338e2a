//! Messages that wait for the application, up to a capacity. Independent of sockets.

use super::message::Message;
use std::collections::VecDeque;

/// The most that may wait. A message of more than `bytes` waits alone.
#[derive(Clone, Copy)]
pub(super) struct Capacity {
    pub(super) messages: usize,
    pub(super) bytes: usize,
}

pub(super) struct Inbox {
    capacity: Capacity,
    messages: VecDeque<Message>,
    /// The length of `messages` on the wire.
    bytes: usize,
}

impl Inbox {
    pub(super) fn new(capacity: Capacity) -> Self {
        Inbox { capacity, messages: VecDeque::new(), bytes: 0 }
    }

    pub(super) fn has_room_for(&self, message: &Message) -> bool {
        let fits = self.bytes + message.wire().len() <= self.capacity.bytes;
        self.is_empty() || (fits && self.messages.len() < self.capacity.messages)
    }

    /// Takes messages from the front of `received` while there is room.
    pub(super) fn fill(&mut self, received: &mut VecDeque<Message>) {
        while received.front().is_some_and(|message| self.has_room_for(message)) {
            let message = received.pop_front().expect("it has a front");
            self.bytes += message.wire().len();
            self.messages.push_back(message);
        }
    }

    pub(super) fn pop(&mut self) -> Option<Message> {
        let message = self.messages.pop_front()?;
        self.bytes -= message.wire().len();
        Some(message)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// Returns whether there is room enough to wake a thread that waits for it. Waking it for each
    /// message would cost a switch of threads each.
    pub(super) fn is_half_empty(&self) -> bool {
        self.messages.len() <= self.capacity.messages / 2 && self.bytes <= self.capacity.bytes / 2
    }

    pub(super) fn clear(&mut self) {
        *self = Inbox::new(self.capacity);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns how many messages of these sizes fit.
    fn fitting(capacity: Capacity, sizes: &[usize]) -> usize {
        let mut received = sizes.iter().map(|n| Message::new(1).append(vec![0; n - 6])).collect();
        let mut inbox = Inbox::new(capacity);
        inbox.fill(&mut received);
        sizes.len() - received.len()
    }

    #[test]
    fn an_inbox_holds_its_capacity_or_one_large_message() {
        let capacity = Capacity { messages: 3, bytes: 100 };
        assert_eq!(fitting(capacity, &[10, 10, 10, 10]), 3);
        assert_eq!(fitting(capacity, &[60, 40, 10]), 2);
        assert_eq!(fitting(capacity, &[60, 41]), 1);
        assert_eq!(fitting(capacity, &[1000, 10]), 1);
        assert_eq!(fitting(capacity, &[10, 1000]), 1);
    }

    #[test]
    fn popping_makes_room() {
        let mut inbox = Inbox::new(Capacity { messages: 4, bytes: 100 });
        let mut received: VecDeque<_> = (0..9).map(Message::new).collect();
        inbox.fill(&mut received);
        let mut half_empty = Vec::new();
        while let Some(message) = inbox.pop() {
            half_empty.push((message.id(), inbox.is_half_empty()));
        }
        assert_eq!(half_empty, [(0, false), (1, true), (2, true), (3, true)]);
        assert_eq!((inbox.bytes, received.len()), (0, 5));
    }
}
