//! From bytes to messages: reads a connection, and returns all whole messages of one receive at once.

use super::end::EndReason;
use super::message::{HEADER_BYTES, Header, Message};
use crate::net::{BufferedStream, Stream};
use std::collections::VecDeque;
use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

/// Memory for a payload is allocated in steps: at first this many bytes, then as many as have
/// arrived, so that the peer has sent at least half of what it makes us allocate.
const FIRST_STEP_BYTES: usize = 4 << 10;
const MAX_STEP_BYTES: usize = 1 << 20;

/// Reads the messages of a connection.
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

    /// Waits for a message, and appends it and all that arrived with it to `received`, which is
    /// empty. Returns false at the end of the stream.
    ///
    /// # Errors
    /// A message is too large, the stream ends inside one, or reading fails.
    pub(super) fn read(&mut self, received: &mut VecDeque<Message>) -> Result<bool, EndReason> {
        loop {
            let data = self.connection.data();
            let Some(header) = Header::parse(data) else {
                if !received.is_empty() {
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
                received.push_back(Message::from_wire(wire.to_vec()));
                self.connection.consume(header.whole_bytes());
            } else if received.is_empty() {
                received.push_back(self.read_split(header)?);
                return Ok(true);
            } else {
                return Ok(true); // the rest may come late
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
