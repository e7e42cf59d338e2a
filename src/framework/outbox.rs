//! Data that waits to be sent on a connection: small messages are joined, large ones are not moved.
//! Independent of sockets.

use super::message::Message;
use std::collections::VecDeque;

/// Messages up to this size are joined into pieces of about `PIECE_BYTES`; a larger one is its own
/// piece, and not copied.
const MAX_COPIED_BYTES: usize = 16 << 10;
const PIECE_BYTES: usize = 64 << 10;

/// A buffer of up to this size is kept for the next messages.
const MAX_RESTING_BYTES: usize = 4 << 10;

/// Bytes to be sent, in order.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    pieces: VecDeque<Piece>,
    /// The bytes in `pieces`, and in the piece that is being sent.
    waiting: usize,
    /// An empty buffer for the next piece.
    spare: Vec<u8>,
}

/// Bytes that go out together.
#[derive(Debug, Default)]
pub(super) struct Piece {
    bytes: Vec<u8>,
    sent: usize,
}

impl Piece {
    pub(super) fn rest(&self) -> &[u8] {
        &self.bytes[self.sent..]
    }
}

impl Outbox {
    /// Returns the bytes that are not sent yet.
    pub(super) fn waiting(&self) -> usize {
        self.waiting
    }

    pub(super) fn push(&mut self, message: Message) {
        let wire = message.wire();
        self.waiting += wire.len();
        if wire.len() > MAX_COPIED_BYTES {
            self.pieces.push_back(Piece { bytes: message.into_wire(), sent: 0 });
        } else if let Some(last) = self.pieces.back_mut()
            && last.bytes.len() + wire.len() <= PIECE_BYTES
        {
            last.bytes.extend_from_slice(wire);
        } else {
            let mut bytes = std::mem::take(&mut self.spare);
            bytes.extend_from_slice(wire);
            self.pieces.push_back(Piece { bytes, sent: 0 });
        }
    }

    /// Returns the next piece, to be sent and then [returned](Outbox::put_back).
    pub(super) fn take(&mut self) -> Option<Piece> {
        self.pieces.pop_front()
    }

    /// Puts back a taken piece of which `n` more bytes were sent.
    pub(super) fn put_back(&mut self, mut piece: Piece, n: usize) {
        self.waiting -= n;
        piece.sent += n;
        if !piece.rest().is_empty() {
            self.pieces.push_front(piece);
        } else if piece.bytes.capacity() <= MAX_RESTING_BYTES {
            self.spare = piece.bytes;
            self.spare.clear();
        }
    }

    /// Drops everything that waits, including a piece that is being sent.
    pub(super) fn clear(&mut self) {
        *self = Outbox::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends at most `step` bytes at a time. Returns the bytes, and the number of pieces.
    fn drain(outbox: &mut Outbox, step: usize) -> (Vec<u8>, usize) {
        let (mut out, mut pieces) = (Vec::new(), 0);
        while let Some(piece) = outbox.take() {
            let n = piece.rest().len().min(step);
            out.extend_from_slice(&piece.rest()[..n]);
            pieces += usize::from(n == piece.rest().len());
            outbox.put_back(piece, n);
        }
        (out, pieces)
    }

    #[test]
    fn messages_leave_in_order_and_small_ones_together() {
        for step in [1, 7, 1000, usize::MAX] {
            let mut outbox = Outbox::default();
            let mut expected = Vec::new();
            for (id, size) in [(1, 3), (2, 0), (3, MAX_COPIED_BYTES), (4, 5), (5, 6)] {
                let message = Message::new(id).append(vec![id as u8; size]);
                expected.extend_from_slice(message.wire());
                outbox.push(message);
            }
            assert_eq!(outbox.waiting(), expected.len());
            assert_eq!(drain(&mut outbox, step), (expected, 2), "step {step}");
            assert_eq!(outbox.waiting(), 0);
        }
    }

    #[test]
    fn a_piece_has_a_maximum_size() {
        let mut outbox = Outbox::default();
        for _ in 0..1000 {
            outbox.push(Message::new(1).append([0; 194]));
        }
        let (out, pieces) = drain(&mut outbox, usize::MAX);
        assert_eq!((out.len(), pieces), (200_000, 200_000_usize.div_ceil(327 * 200)));
        assert!(outbox.spare.capacity() <= MAX_RESTING_BYTES);
    }
}
