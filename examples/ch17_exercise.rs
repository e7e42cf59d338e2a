//! The exercise of chapter 17: from bytes, however they are cut, to whole messages.

use telefile::framework::Message;

/// Takes the first whole message out of `buffer`: its id, and its payload. `None` if it has not
/// arrived yet; then the buffer stays as it is. To do: wait for the whole message.
fn next_message(buffer: &mut Vec<u8>) -> Option<(u16, Vec<u8>)> {
    if buffer.is_empty() {
        return None;
    }
    let id = u16::from_le_bytes([buffer[0], buffer[1]]);
    let payload = buffer[6..].to_vec();
    buffer.clear();
    Some((id, payload))
}

fn main() {
    let sent = [(1, "ann"), (2, "good morning"), (3, ""), (2, "bye")];
    let mut wire = Vec::new();
    for (id, payload) in sent {
        let message = Message::new(id).append(payload);
        wire.extend_from_slice(&message.id().to_le_bytes());
        wire.extend_from_slice(&message.size().to_le_bytes());
        wire.extend_from_slice(message.payload());
    }
    for step in [wire.len(), 7, 1] {
        let (mut buffer, mut received) = (Vec::new(), Vec::new());
        for piece in wire.chunks(step) {
            buffer.extend_from_slice(piece);
            while let Some(message) = next_message(&mut buffer) {
                received.push(message);
            }
        }
        let expected = sent.map(|(id, payload)| (id, payload.as_bytes().to_vec()));
        assert_eq!(received, expected, "in pieces of {step} bytes");
        assert!(buffer.is_empty());
    }
    println!("the same messages, however they are cut");
}
