//! The replies of a session, counted as their bytes are received.

use crate::refusal::{Limit, Refusal};
use crate::wire::{MAX_LINE_BYTES, Reply};
use std::time::Duration;

/// The replies, counted.
#[derive(Default)]
pub(super) struct Replies {
    pub(super) count: u64,
    /// The last reply, if a server may end the session after it.
    pub(super) last_refusal: Option<String>,
    /// Whether the server has no room for this connection. It says so without a request.
    pub(super) is_full: bool,
    pub(super) idle_timeout: Option<Duration>,
    line: Vec<u8>,
    /// Bytes of contents still to come, including their line end.
    contents: u64,
    /// Lines of an answer still to come.
    lines: u64,
}

impl Replies {
    /// Skips contents, of which `available` bytes at most are here.
    pub(super) fn skip(&mut self, available: usize) -> usize {
        let skipped = self.contents.min(available as u64);
        self.contents -= skipped;
        skipped as usize
    }

    /// Takes the next byte that is received and not skipped.
    pub(super) fn take(&mut self, byte: u8) {
        if byte != b'\n' {
            // No reply is that long; a longer line is not one.
            self.line.extend((self.line.len() < 2 * MAX_LINE_BYTES).then_some(byte));
            return;
        }
        let mut line = std::mem::take(&mut self.line);
        line.pop_if(|byte| *byte == b'\r');
        if self.lines > 0 {
            self.lines -= 1;
            return;
        }
        self.count += 1;
        self.last_refusal = None;
        match Reply::parse(&line) {
            Some(Reply::Contents { numbytes, .. }) => {
                self.contents = numbytes.saturating_add(b"\r\n".len() as u64);
            }
            Some(
                Reply::List { count, .. }
                | Reply::Changes { count, .. }
                | Reply::Types { count }
                | Reply::Stats { count }
                | Reply::Help { count },
            ) => self.lines = count,
            Some(Reply::Hello { idle_timeout, .. }) => self.idle_timeout = idle_timeout,
            Some(Reply::Refused(refusal)) => {
                self.is_full = matches!(refusal, Refusal::Limit(Limit::Connections, _));
                if self.is_full || matches!(refusal, Refusal::Malformed | Refusal::Denied) {
                    self.last_refusal = Some(String::from_utf8_lossy(&line).into_owned());
                }
            }
            _ => {}
        }
    }
}
