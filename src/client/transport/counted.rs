//! The counted bytes behind a reply line.

use super::Transport;
use crate::client::call::Call;
use crate::client::error::Error;
use crate::contents::{Contents, Incoming};
use std::io::{self, ErrorKind};
use std::time::Duration;

/// This many bytes have to arrive within one time-out.
const STEADY_BYTES: usize = 1 << 20;

impl Transport {
    /// Reads announced contents directly into their final memory.
    pub(in crate::client) fn contents(
        &mut self,
        call: &Call<'_>,
        numbytes: u64,
    ) -> Result<Contents, Error> {
        let max = self.max_contents;
        let announced = match usize::try_from(numbytes) {
            Ok(announced) if numbytes <= max => announced,
            _ => {
                self.passing = Some(numbytes);
                let file = call.file.unwrap_or_default().to_string();
                return Err(Error::TooLarge { file, numbytes, max });
            }
        };
        let mut incoming = Incoming::new(announced, &self.held);
        let mut next_deadline = announced.saturating_sub(STEADY_BYTES);
        while incoming.missing() > 0 {
            if incoming.missing() <= next_deadline {
                self.set_deadline(Duration::ZERO);
                next_deadline = incoming.missing().saturating_sub(STEADY_BYTES);
            }
            let room = match incoming.room() {
                Ok(room) => room,
                Err(_) => return Err(self.lose(ErrorKind::OutOfMemory.into())),
            };
            self.connection.read_contents(room).map_err(|e| self.lose(e))?;
        }
        self.connection.read_line_end().map_err(|e| self.lose(e))?;
        Ok(incoming.finish())
    }

    /// Returns some of the `left` counted bytes, at least one.
    pub(in crate::client) fn counted(&mut self, left: u64) -> Result<&[u8], Error> {
        self.check()?;
        if self.connection.data().is_empty() {
            match self.connection.receive() {
                Ok(true) => {}
                Ok(false) => {
                    let why = "the server closed the connection before the end";
                    return Err(self.lose(io::Error::new(ErrorKind::UnexpectedEof, why)));
                }
                Err(e) => return Err(self.lose(e)),
            }
        }
        let received = self.connection.data();
        Ok(&received[..usize::try_from(left).map_or(received.len(), |n| n.min(received.len()))])
    }

    /// Marks some of the `left` counted bytes as used. Each mebibyte has a time-out of its own.
    pub(in crate::client) fn consume(&mut self, count: usize, left: u64) {
        self.connection.consume(count);
        let steady = STEADY_BYTES as u64;
        if left / steady != (left - count as u64) / steady {
            self.set_deadline(Duration::ZERO);
        }
    }

    /// Reads the line end behind counted bytes.
    pub(in crate::client) fn end_counted(&mut self) -> Result<(), Error> {
        self.check()?;
        self.connection.read_line_end().map_err(|e| self.lose(e))
    }

    /// Ends the connection in the middle of a reply.
    pub(in crate::client) fn abandon(&mut self, why: &str) {
        if self.lost.is_none() {
            self.end(why.to_string());
        }
    }
}
