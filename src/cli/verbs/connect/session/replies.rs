//! The replies of a session, counted as their bytes are received.

use crate::net::LineBuffer;
use crate::refusal::{Limit, Refusal};
use crate::wire::{MAX_LINE_BYTES, Reply};
use std::time::Duration;

/// The replies, counted.
pub(super) struct Replies {
    pub(super) count: u64,
    /// The last reply, if a server may end the session after it.
    pub(super) last_refusal: Option<String>,
    /// Whether the server has no room for this connection. It says so without a request.
    pub(super) is_full: bool,
    pub(super) idle_timeout: Option<Duration>,
    /// What was received of a line that is not complete.
    received: LineBuffer,
    /// Bytes of contents still to come, including their line end.
    contents: u64,
    /// Lines of an answer still to come.
    lines: u64,
    /// Whether a line was none of the protocol. Nothing is counted after it.
    is_broken: bool,
}

impl Default for Replies {
    fn default() -> Self {
        Replies {
            count: 0,
            last_refusal: None,
            is_full: false,
            idle_timeout: None,
            received: LineBuffer::new(2 * MAX_LINE_BYTES), // no reply is that long
            contents: 0,
            lines: 0,
            is_broken: false,
        }
    }
}

impl Replies {
    /// Takes bytes that are received.
    pub(super) fn received(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && !self.is_broken {
            self.received.receive_from(&mut bytes);
            while !self.is_broken && self.take_part() {}
        }
    }

    /// Returns whether a reply has begun and is not complete.
    pub(super) fn is_inside(&self) -> bool {
        self.contents > 0 || self.lines > 0
    }

    /// Takes contents, or a line. Returns false if there is not a whole one.
    fn take_part(&mut self) -> bool {
        if self.contents > 0 {
            let available = self.received.data().len();
            let n = usize::try_from(self.contents).map_or(available, |left| left.min(available));
            self.received.consume(n);
            self.contents -= n as u64;
            return n > 0;
        }
        let mut line = Vec::new();
        match self.received.take_line(&mut line) {
            Ok(true) => self.take_line(&line),
            Ok(false) => return false,
            Err(_) => self.is_broken = true,
        }
        true
    }

    fn take_line(&mut self, line: &[u8]) {
        if self.lines > 0 {
            self.lines -= 1;
            return;
        }
        self.count += 1;
        self.last_refusal = None;
        match Reply::parse(line) {
            Some(Reply::Contents { numbytes, .. } | Reply::Backup { numbytes, .. }) => {
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
                    self.last_refusal = Some(String::from_utf8_lossy(line).into_owned());
                }
            }
            _ => {}
        }
    }
}
