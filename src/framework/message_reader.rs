//! From bytes to messages: what arrives over a connection, all whole messages of a receive at once.

use super::end::EndReason;
use super::message::{HEADER_BYTES, Header, Message};
use crate::net::{BufferedStream, Stream};
use std::collections::VecDeque;
use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

/// Memory for a payload is taken in steps: at first this much, then as much as has arrived already.
/// So the peer has sent at least half of the memory it makes us take.
const FIRST_STEP_BYTES: usize = 4 << 10;
const MAX_STEP_BYTES: usize = 1 << 20;

/// The receiving side of a connection.
pub(super) struct MessageReader {
    connection: BufferedStream,
    max_message_bytes: u32,
}

impl MessageReader {
    pub(super) fn new(stream: &Arc<Stream>, max_message_bytes: u32) -> Self {
        // Neither lines nor output pass through it.
        let connection = BufferedStream::new(stream.clone(), 0, Duration::ZERO);
        MessageReader { connection, max_message_bytes }
    }

    /// Waits until a message has arrived, and appends it and all that came with it to `batch`,
    /// which is empty. Returns false at the end of the stream.
    ///
    /// # Errors
    /// A message is too large, the stream ends inside one, or reading fails.
    pub(super) fn read(&mut self, batch: &mut VecDeque<Message>) -> Result<bool, EndReason> {
        loop {
            let data = self.connection.data();
            let Some(header) = Header::parse(data) else {
                if !batch.is_empty() {
                    return Ok(true);
                }
                let inside = !data.is_empty();
                match self.connection.receive()? {
                    false if inside => return Err(cut_short("the header of a message")),
                    false => return Ok(false),
                    true => continue,
                }
            };
            if let Some(wire) = data.get(..header.whole_bytes())
                && header.size <= self.max_message_bytes
            {
                batch.push_back(Message::from_wire(wire.to_vec()));
                self.connection.consume(header.whole_bytes());
            } else if batch.is_empty() {
                batch.push_back(self.read_split(header)?);
                return Ok(true);
            } else {
                return Ok(true); // the rest may take its time
            }
        }
    }

    /// Reads a message that has not fully arrived.
    fn read_split(&mut self, header: Header) -> Result<Message, EndReason> {
        let (Header { id, size }, max) = (header, self.max_message_bytes);
        if size > max {
            return Err(EndReason::TooLarge { id, size, max });
        }
        let data = self.connection.data();
        let mut wire = data.to_vec();
        let here = data.len();
        self.connection.consume(here);
        while wire.len() < header.whole_bytes() {
            let step = wire.len().clamp(FIRST_STEP_BYTES, MAX_STEP_BYTES);
            let missing = header.whole_bytes() - wire.len();
            wire.reserve_exact(step.min(missing));
            let mut room = wire.capacity() - wire.len();
            while room > 0 {
                self.connection.read_contents(&mut wire).map_err(|e| match e.kind() {
                    ErrorKind::UnexpectedEof => {
                        let here = wire.len() - HEADER_BYTES;
                        cut_short(&format!("message {id}, after {here} of {size} bytes"))
                    }
                    _ => e.into(),
                })?;
                room = wire.capacity() - wire.len();
            }
        }
        Ok(Message::from_wire(wire))
    }

    /// Drops further data until the stream ends.
    pub(super) fn drop_rest(&mut self) {
        let _ = self.connection.skip(u64::MAX);
    }
}

fn cut_short(inside: &str) -> EndReason {
    EndReason::lost(ErrorKind::UnexpectedEof, format!("the stream ended inside {inside}"))
}
