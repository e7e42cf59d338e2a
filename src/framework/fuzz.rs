//! The fuzz target of a message's header; see `src/fuzz.rs`.

use super::message::{HEADER_BYTES, Header, Message};

/// Checks that a header is read from any six bytes and no fewer, and that a whole message survives
/// the round trip.
pub fn header(data: &[u8]) {
    let Some(header) = Header::parse(data) else {
        assert!(data.len() < HEADER_BYTES);
        return;
    };
    let start = [&header.id.to_le_bytes()[..], &header.size.to_le_bytes()].concat();
    assert_eq!(start, data[..HEADER_BYTES]);
    let Some(wire) = data.get(..header.whole_bytes()) else { return };
    let mut message = Message::from_wire(wire.to_vec());
    assert_eq!((message.id(), message.size()), (header.id, header.size));
    assert_eq!(Message::new(header.id).append(message.payload()).wire(), wire);
    let half = message.payload().len() / 2;
    let first = message.pop(half).expect("it has as many").to_vec();
    let left = message.payload().len() - half;
    assert!(message.pop(left + 1).is_err());
    let popped = [&first, message.pop(left).expect("it has as many")].concat();
    assert_eq!(popped, message.payload());
}
