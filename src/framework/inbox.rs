//! Messages that wait for the application, up to a capacity. Independent of sockets.

use super::message::Message;
use std::collections::VecDeque;

/// How much may wait. A message of more than `bytes` waits alone.
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

    /// Takes messages from the front of `batch` while there is room.
    pub(super) fn fill(&mut self, batch: &mut VecDeque<Message>) {
        while batch.front().is_some_and(|message| self.has_room_for(message)) {
            let message = batch.pop_front().expect("it has a front");
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

    /// Returns whether it is worth waking a thread that waits for room: not for each message.
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

    /// Returns how many messages of these sizes are taken at first.
    fn taken(capacity: Capacity, sizes: &[usize]) -> usize {
        let mut batch = sizes.iter().map(|n| Message::new(1).append(vec![0; n - 6])).collect();
        let mut inbox = Inbox::new(capacity);
        inbox.fill(&mut batch);
        sizes.len() - batch.len()
    }

    #[test]
    fn so_much_may_wait_and_a_large_message_alone() {
        let capacity = Capacity { messages: 3, bytes: 100 };
        assert_eq!(taken(capacity, &[10, 10, 10, 10]), 3);
        assert_eq!(taken(capacity, &[60, 40, 10]), 2);
        assert_eq!(taken(capacity, &[60, 41]), 1);
        assert_eq!(taken(capacity, &[1000, 10]), 1);
        assert_eq!(taken(capacity, &[10, 1000]), 1);
    }

    #[test]
    fn what_is_popped_makes_room() {
        let mut inbox = Inbox::new(Capacity { messages: 4, bytes: 100 });
        let mut batch: VecDeque<_> = (0..9).map(Message::new).collect();
        inbox.fill(&mut batch);
        let mut half_empty = Vec::new();
        while let Some(message) = inbox.pop() {
            half_empty.push((message.id(), inbox.is_half_empty()));
        }
        assert_eq!(half_empty, [(0, false), (1, true), (2, true), (3, true)]);
        assert_eq!((inbox.bytes, batch.len()), (0, 5));
    }
}
