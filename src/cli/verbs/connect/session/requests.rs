//! The requests of a session, counted as their bytes are sent. They are read as the server reads
//! them.

use crate::net::LineBuffer;
use crate::wire::{MAX_LINE_BYTES, Malformed, Request, is_blank};

/// The requests, counted up to the one that ends the session.
pub(super) struct Requests {
    pub(super) count: u64,
    /// Whether one of them was `quit`.
    pub(super) quits: bool,
    /// Whether one of them held something.
    holds: bool,
    /// Whether the server cannot know where the next request begins.
    pub(super) is_broken: bool,
    /// What was sent of a part that is not complete.
    lines: LineBuffer,
    next: Part,
}

/// The part of a request that comes next.
enum Part {
    Line,
    /// This many bytes of contents, at least one.
    Contents(u64),
    /// What has to follow the contents.
    LineEnd,
}

impl Default for Requests {
    fn default() -> Self {
        let mut lines = LineBuffer::new(MAX_LINE_BYTES);
        lines.set_telnet();
        let (quits, holds, is_broken) = Default::default();
        Requests { count: 0, quits, holds, is_broken, lines, next: Part::Line }
    }
}

impl Requests {
    /// Takes bytes that are sent.
    pub(super) fn sent(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && !self.are_over() {
            self.lines.receive_from(&mut bytes);
            while !self.are_over() && self.take_part() {}
        }
    }

    /// Returns whether the server executes nothing more.
    pub(super) fn are_over(&self) -> bool {
        self.quits || self.is_broken
    }

    /// Takes the next part of a request. Returns false if not all of it was sent.
    fn take_part(&mut self) -> bool {
        let taken = match &mut self.next {
            Part::Line => {
                let mut line = Vec::new();
                let taken = self.lines.take_line(&mut line);
                if let Ok(true) = taken {
                    self.take_line(&line);
                }
                taken
            }
            Part::Contents(left) => {
                let available = self.lines.data().len();
                let n = usize::try_from(*left).map_or(available, |left| left.min(available));
                self.lines.consume(n);
                *left -= n as u64;
                if *left == 0 {
                    self.next = Part::LineEnd;
                }
                Ok(n > 0)
            }
            Part::LineEnd => {
                let taken = self.lines.take_line_end();
                if let Ok(true) = taken {
                    self.next = Part::Line;
                    self.count += 1;
                }
                taken
            }
        };
        taken.unwrap_or_else(|_| {
            self.break_off();
            false
        })
    }

    fn take_line(&mut self, line: &[u8]) {
        if is_blank(line) {
            return;
        }
        let numbytes = match Request::parse(line) {
            // It has no reply.
            Ok(Request::Quit) => return self.quits = true,
            Ok(request) => {
                self.holds |= request.holds();
                request.numbytes()
            }
            Err(Malformed::InStep { numbytes, .. }) => numbytes,
            Err(Malformed::OutOfStep(_)) => return self.break_off(),
        };
        match numbytes {
            None => self.count += 1,
            Some(0) => self.next = Part::LineEnd,
            Some(left) => self.next = Part::Contents(left),
        }
    }

    /// Notes that the server answers this request and then no more.
    fn break_off(&mut self) {
        self.is_broken = true;
        self.count += 1;
    }

    /// Returns whether the bytes so far end inside a request.
    pub(super) fn is_unfinished(&self) -> bool {
        let is_inside = match self.next {
            Part::Line => self.lines.data().iter().any(|byte| !b" \r".contains(byte)),
            Part::Contents(_) | Part::LineEnd => true,
        };
        is_inside && !self.quits
    }

    /// Returns whether the connection holds something, and another request may begin now.
    pub(super) fn holds_between(&self) -> bool {
        let is_between = matches!(self.next, Part::Line) && self.lines.data().is_empty();
        self.holds && is_between && !self.are_over()
    }
}
