//! The requests of a session, counted as their bytes are sent.

use crate::wire::{MAX_LINE_BYTES, Malformed, Request, is_blank};

/// The requests, counted up to the one that ends the session.
#[derive(Default)]
pub(super) struct Requests {
    pub(super) count: u64,
    /// Whether one of them was `quit`.
    pub(super) quits: bool,
    /// Whether one of them held something.
    holds: bool,
    /// Whether the server cannot know where the next request begins.
    pub(super) is_broken: bool,
    line: Vec<u8>,
    next: Part,
}

/// The part of a request that the next byte belongs to.
#[derive(Default)]
enum Part {
    #[default]
    Line,
    Contents {
        left: u64,
        crlf: bool,
    },
    /// After the contents. After CRLF on the command line, only CRLF ends them.
    LineEnd {
        crlf: bool,
    },
}

impl Requests {
    /// Takes the next byte that is sent.
    pub(super) fn take(&mut self, byte: u8) {
        if self.quits || self.is_broken {
            return;
        }
        match &mut self.next {
            Part::Line if byte == b'\n' => self.end_line(),
            Part::Line => {
                self.line.push(byte);
                // The line end may include a CR.
                if self.line.len() > MAX_LINE_BYTES {
                    self.break_off();
                }
            }
            Part::Contents { left: 1, crlf } => self.next = Part::LineEnd { crlf: *crlf },
            Part::Contents { left, .. } => *left -= 1,
            Part::LineEnd { crlf } => match byte {
                b'\r' if self.line.is_empty() => self.line.push(byte),
                b'\n' if !*crlf || !self.line.is_empty() => {
                    self.line.clear();
                    self.next = Part::Line;
                    self.count += 1;
                }
                _ => self.break_off(),
            },
        }
    }

    /// Returns whether the bytes so far end inside a request.
    pub(super) fn is_unfinished(&self) -> bool {
        let is_inside = match self.next {
            Part::Line => self.line.iter().any(|byte| !b" \r".contains(byte)),
            Part::Contents { .. } | Part::LineEnd { .. } => true,
        };
        is_inside && !self.quits
    }

    /// Returns whether the connection holds something, and another request may begin now.
    pub(super) fn holds_between(&self) -> bool {
        let is_between = matches!(self.next, Part::Line) && self.line.is_empty();
        self.holds && is_between && !(self.quits || self.is_broken)
    }

    /// Notes that the server answers this request and then no more.
    fn break_off(&mut self) {
        self.is_broken = true;
        self.count += 1;
    }

    fn end_line(&mut self) {
        let mut line = std::mem::take(&mut self.line);
        let crlf = line.pop_if(|byte| *byte == b'\r').is_some();
        if is_blank(&line) {
            return;
        }
        let numbytes = match Request::parse(&line) {
            _ if line.len() >= MAX_LINE_BYTES => return self.break_off(),
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
            Some(0) => self.next = Part::LineEnd { crlf },
            Some(left) => self.next = Part::Contents { left, crlf },
        }
    }
}
