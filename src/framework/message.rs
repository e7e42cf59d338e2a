//! A message, and its wire format: `id` u16, `size` u32, both little endian, then `size` bytes of
//! payload. Independent of sockets.

use std::error::Error;
use std::fmt;

/// The length of `id` and `size`.
pub(super) const HEADER_BYTES: usize = 6;

/// An id and a payload.
///
/// ```
/// use telefile::framework::Message;
///
/// let mut message = Message::new(7).append(b"hi").append(" there");
/// assert_eq!((message.id(), message.size()), (7, 8));
/// assert_eq!(message.pop(2)?, b"hi");
/// assert!(message.pop(7).is_err()); // 6 are left
/// assert_eq!(message.pop(6)?, b" there");
/// assert_eq!(message.payload(), b"hi there");
/// # Ok::<(), telefile::framework::PopError>(())
/// ```
///
/// Two are equal if their ids and payloads are, no matter how much of them was popped.
#[derive(Clone)]
pub struct Message {
    /// In wire format, starting with a valid header, so that it is received and sent as one piece.
    wire: Vec<u8>,
    /// How many bytes of the payload were popped.
    popped: usize,
}

impl Message {
    /// Returns a message without payload. The application defines what `id` means.
    pub fn new(id: u16) -> Self {
        let [low, high] = id.to_le_bytes();
        Message { wire: vec![low, high, 0, 0, 0, 0], popped: 0 }
    }

    /// Returns the received message.
    ///
    /// # Panics
    /// If `wire` is not exactly one message.
    pub(super) fn from_wire(wire: Vec<u8>) -> Self {
        assert_eq!(Header::parse(&wire).map(|header| header.whole_bytes()), Some(wire.len()));
        Message { wire, popped: 0 }
    }

    pub(super) fn wire(&self) -> &[u8] {
        &self.wire
    }

    pub(super) fn into_wire(self) -> Vec<u8> {
        self.wire
    }

    /// Returns the message's kind, as agreed between the two sides.
    pub fn id(&self) -> u16 {
        u16::from_le_bytes([self.wire[0], self.wire[1]])
    }

    /// Returns the message with another id. The payload is not copied, so this is a cheap way to
    /// answer with what was received.
    ///
    /// ```
    /// # use telefile::framework::{Message, OwnedMessage};
    /// const PONG: u16 = 2;
    ///
    /// # #[allow(dead_code)]
    /// fn on_message(OwnedMessage { message, client }: OwnedMessage) {
    ///     client.send(message.with_id(PONG));
    /// }
    /// ```
    #[must_use = "it returns the message with the new id"]
    pub fn with_id(mut self, id: u16) -> Self {
        self.wire[..2].copy_from_slice(&id.to_le_bytes());
        self
    }

    /// Returns the length of the payload in bytes, including popped ones.
    pub fn size(&self) -> u32 {
        (self.wire.len() - HEADER_BYTES) as u32 // fits: `append` ensures it
    }

    /// Returns the whole payload, including popped bytes.
    pub fn payload(&self) -> &[u8] {
        &self.wire[HEADER_BYTES..]
    }

    /// Returns the message with `bytes` appended to its payload.
    ///
    /// # Panics
    /// If the payload would exceed the 4 GiB that `size` can express.
    #[must_use = "it returns the longer message"]
    pub fn append(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.wire.extend_from_slice(bytes.as_ref());
        let size = u32::try_from(self.wire.len() - HEADER_BYTES);
        let size = size.expect("a payload has less than 4 GiB").to_le_bytes();
        self.wire[2..HEADER_BYTES].copy_from_slice(&size);
        self
    }

    /// Returns the next `n` bytes of the payload. Only a cursor moves: size and payload stay.
    ///
    /// # Errors
    /// If fewer are left; then the cursor stays too.
    pub fn pop(&mut self, n: usize) -> Result<&[u8], PopError> {
        let left = self.payload().len() - self.popped;
        if n > left {
            return Err(PopError { wanted: n, left });
        }
        let from = HEADER_BYTES + self.popped;
        self.popped += n;
        Ok(&self.wire[from..from + n])
    }
}

impl PartialEq for Message {
    fn eq(&self, other: &Self) -> bool {
        self.wire == other.wire
    }
}

impl Eq for Message {}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN_BYTES: usize = 64;
        let (shown, rest) = self.payload().split_at(self.payload().len().min(SHOWN_BYTES));
        write!(f, "Message({}, \"{}\"", self.id(), shown.escape_ascii())?;
        match rest.len() {
            0 => f.write_str(")"),
            more => write!(f, " and {more} bytes)"),
        }
    }
}

/// A message has fewer bytes left than [`Message::pop`] was to return.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PopError {
    /// The number of bytes requested.
    pub wanted: usize,
    /// The number of bytes left.
    pub left: usize,
}

impl Error for PopError {}

impl fmt::Display for PopError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes requested from a message that has {} left", self.wanted, self.left)
    }
}

/// The first bytes of a message that is arriving.
#[derive(Clone, Copy)]
pub(super) struct Header {
    pub(super) id: u16,
    pub(super) size: u32,
}

impl Header {
    /// Returns `None` if `data` is shorter than a header.
    pub(super) fn parse(data: &[u8]) -> Option<Self> {
        let [low, high, size @ ..] = *data.first_chunk::<HEADER_BYTES>()?;
        Some(Header { id: u16::from_le_bytes([low, high]), size: u32::from_le_bytes(size) })
    }

    /// Returns the length of header and payload.
    pub(super) fn whole_bytes(self) -> usize {
        HEADER_BYTES.saturating_add(usize::try_from(self.size).unwrap_or(usize::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wire_format_is_the_documented_one() {
        let message = Message::new(1).append("abc");
        assert_eq!(message.wire(), b"\x01\x00\x03\x00\x00\x00abc");
        assert_eq!(Message::new(0xFEDC).wire(), b"\xDC\xFE\x00\x00\x00\x00");
        let long = Message::new(2).append(vec![b'x'; 0x01_02_03]);
        assert_eq!(long.wire()[..8], *b"\x02\x00\x03\x02\x01\x00xx");
    }

    #[test]
    fn appending_changes_the_size_and_popping_does_not() {
        let mut message = Message::new(9).append("ab").append([]).append("cde");
        assert_eq!((message.size(), message.payload()), (5, &b"abcde"[..]));
        assert_eq!(message.pop(0).unwrap(), b"");
        assert_eq!(message.pop(3).unwrap(), b"abc");
        assert_eq!(message.pop(3), Err(PopError { wanted: 3, left: 2 }));
        assert_eq!(message.pop(usize::MAX).unwrap_err().left, 2);
        assert_eq!((message.size(), message.payload()), (5, &b"abcde"[..]));
        message = message.append("f");
        assert_eq!(message.pop(3).unwrap(), b"def");
        assert_eq!(message.pop(1), Err(PopError { wanted: 1, left: 0 }));
        assert_eq!(message, Message::new(9).append("abcdef"));
    }

    #[test]
    fn with_id_does_not_move_the_payload() {
        let mut message = Message::new(0x0102).append(vec![b'x'; 1000]);
        message.pop(10).unwrap();
        let payload = message.payload().as_ptr();
        let mut message = message.with_id(0xFEDC);
        assert_eq!(
            (message.id(), message.size(), message.payload().as_ptr()),
            (0xFEDC, 1000, payload)
        );
        assert_eq!(message.pop(991).unwrap_err().left, 990, "the cursor stays");
        assert_eq!(message, Message::new(0xFEDC).append(vec![b'x'; 1000]));
    }

    #[test]
    fn an_incomplete_header_is_none() {
        assert!(Header::parse(b"\x01\x00\x03\x00\x00").is_none());
        let header = Header::parse(b"\x01\x02\xFF\xFF\xFF\xFF").unwrap();
        assert_eq!((header.id, header.size), (0x0201, u32::MAX));
    }
}
