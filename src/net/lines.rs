//! The buffer between a stream and its lines: it keeps what came after the line just taken. It is
//! the `iter_lines` of socket tutorials turned inside out, because contents stand between lines:
//! what is received is put in, lines and counted bytes are taken out. Knows no socket.

use super::telnet::{self, Found, IAC};
use std::io;

/// An idle connection keeps this much; a buffer that a receive has filled doubles, up to `MAX`.
const MIN_BUFFER_BYTES: usize = 1 << 10;
const MAX_BUFFER_BYTES: usize = 64 << 10;

/// Received bytes that are not used yet.
#[derive(Debug)]
pub struct Lines {
    /// What is valid is `buffer[start..end]`. A prefix of `searched` of those bytes is known to
    /// hold no line end, so a line that comes byte by byte is searched once and not squared.
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
    searched: usize,
    /// A line has fewer bytes than this, its end not counted.
    max_line_bytes: usize,
    /// The buffer grows to no more than this.
    max_bytes: usize,
    /// What ended the last line.
    line_end: LineEnd,
    is_telnet: bool,
    /// How many bytes of Telnet commands were taken out of the line that has not ended yet.
    passed: usize,
    answers: Vec<u8>,
}

/// What ends a line.
#[derive(Clone, Copy, Debug)]
enum LineEnd {
    Lf,
    CrLf,
    /// As a Telnet terminal sends it that sends each character by itself.
    CrNul,
}

impl LineEnd {
    fn bytes(self) -> &'static [u8] {
        match self {
            LineEnd::Lf => b"\n",
            LineEnd::CrLf => b"\r\n",
            LineEnd::CrNul => b"\r\0",
        }
    }
}

impl Lines {
    /// An empty buffer, for lines of fewer than `max_line_bytes` bytes.
    ///
    /// # Panics
    /// If the smallest buffer could not hold such a line with its end.
    pub fn new(max_line_bytes: usize) -> Self {
        assert!(max_line_bytes + 2 <= MIN_BUFFER_BYTES, "a line has to fit into the buffer");
        let buffer = vec![0; MIN_BUFFER_BYTES].into();
        Lines {
            buffer,
            start: 0,
            end: 0,
            searched: 0,
            max_line_bytes,
            max_bytes: MAX_BUFFER_BYTES,
            line_end: LineEnd::Lf,
            is_telnet: false,
            passed: 0,
            answers: Vec::new(),
        }
    }

    /// Has Telnet commands in lines passed over, and options refused: see
    /// [`answers`](Lines::answers). A line may end with CR NUL then, too.
    pub fn set_telnet(&mut self) {
        self.is_telnet = true;
    }

    /// What to answer to the Telnet commands that were passed over; taken by the caller.
    pub fn answers(&mut self) -> &mut Vec<u8> {
        &mut self.answers
    }

    /// Takes the next line into `line`, without its end (`\n` or `\r\n`); false if no whole line
    /// is here yet.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidData`] if the line is too long, even if its end has not come, or
    /// has a `\r` in it that does not belong to its end. It is still [here](Lines::data).
    pub fn next_line(&mut self, line: &mut Vec<u8>) -> io::Result<bool> {
        let (length, end) = loop {
            let data = &self.buffer[self.start..self.end];
            let special = memchr::memchr3(b'\n', b'\r', IAC, &data[self.searched..]);
            let at = special.map_or(data.len(), |at| self.searched + at);
            if self.passed + at >= self.max_line_bytes {
                return Err(invalid("a line is too long"));
            }
            self.searched = at;
            match &data[at..] {
                // A \r that came last may be half of the line end.
                [] | [b'\r'] => return Ok(false),
                [b'\n', ..] => break (at, LineEnd::Lf),
                [b'\r', b'\n', ..] => break (at, LineEnd::CrLf),
                [b'\r', 0, ..] if self.is_telnet => break (at, LineEnd::CrNul),
                [b'\r', ..] => return Err(invalid("a CR inside a line")),
                command if self.is_telnet => match telnet::find(command) {
                    Found::Command(bytes, answer) => self.pass(at, bytes, answer),
                    Found::Half if self.passed + data.len() >= self.max_line_bytes => {
                        return Err(invalid("a line is too long"));
                    }
                    Found::Half => return Ok(false),
                    Found::Text => self.searched += 1,
                },
                _ => self.searched += 1,
            }
        };
        line.clear();
        line.extend_from_slice(&self.data()[..length]);
        self.consume(length + end.bytes().len());
        self.line_end = end;
        Ok(true)
    }

    /// Takes a Telnet command out of the line that is being looked at.
    fn pass(&mut self, at: usize, bytes: usize, answer: Option<[u8; 3]>) {
        let before = self.start..self.start + at;
        self.buffer.copy_within(before, self.start + bytes);
        self.start += bytes;
        self.passed += bytes;
        self.answers.extend(answer.into_iter().flatten());
    }

    /// Takes the line end that has to come next, one like that of the line before it: behind `\r\n`
    /// only that, behind `\n` either of the two. False if it is not here yet.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidData`] if something else is here.
    pub fn line_end(&mut self) -> io::Result<bool> {
        let end = match (self.data(), self.line_end) {
            ([] | [b'\r'], _) => return Ok(false),
            ([b'\r', b'\n', ..], _) => LineEnd::CrLf,
            ([b'\n', ..], LineEnd::Lf) => LineEnd::Lf,
            ([b'\r', 0, ..], LineEnd::CrNul) => LineEnd::CrNul,
            ([b'\n', ..], _) => return Err(invalid(LF_BEHIND_CR_LF)),
            _ => return Err(invalid("no line end after the contents")),
        };
        self.consume(end.bytes().len());
        Ok(true)
    }

    /// All that is here.
    pub fn data(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// Marks the first `n` bytes as used.
    ///
    /// # Panics
    /// If there are not so many.
    pub fn consume(&mut self, n: usize) {
        assert!(n <= self.data().len());
        self.start += n;
        (self.searched, self.passed) = (0, 0);
    }

    /// Room to receive into, never empty; then say how much came with [`received`](Lines::received).
    pub fn room(&mut self) -> &mut [u8] {
        let data = self.start..self.end;
        if data.end == self.buffer.len() {
            let next_size = self.next_size();
            if next_size > self.buffer.len() {
                let mut larger = vec![0; next_size];
                larger[..data.len()].copy_from_slice(&self.buffer[data.clone()]);
                self.buffer = larger.into();
            } else {
                self.buffer.copy_within(data.clone(), 0);
            }
            (self.start, self.end) = (0, data.len());
        } else if data.is_empty() {
            (self.start, self.end) = (0, 0);
        }
        assert!(self.end < self.buffer.len(), "a line and its end fit into the smallest buffer");
        &mut self.buffer[self.end..]
    }

    /// `n` bytes came into the [`room`](Lines::room).
    pub fn received(&mut self, n: usize) {
        assert!(n <= self.buffer.len() - self.end);
        self.end += n;
    }

    /// Whether there is no [`room`](Lines::room) for more.
    pub fn is_full(&self) -> bool {
        self.data().len() == self.next_size()
    }

    /// How many bytes of memory it takes.
    pub fn size(&self) -> usize {
        self.buffer.len()
    }

    /// How many it will take when there is [`room`](Lines::room) again: twice as many if the last
    /// receive has filled it, up to 64 KiB.
    pub fn next_size(&self) -> usize {
        match self.end == self.buffer.len() {
            true => (self.buffer.len() * 2).min(self.max_bytes.max(self.buffer.len())),
            false => self.buffer.len(),
        }
    }

    /// Whether it may grow from now on. A line fits in any case.
    pub fn set_may_grow(&mut self, may_grow: bool) {
        self.max_bytes = if may_grow { MAX_BUFFER_BYTES } else { 0 };
    }

    /// Whether it is larger than an idle connection should keep.
    pub fn is_oversized(&self) -> bool {
        self.buffer.len() > 4 * MIN_BUFFER_BYTES && self.data().len() < MIN_BUFFER_BYTES
    }

    /// Gives memory back that what is here does not need.
    pub fn shrink(&mut self) {
        if self.is_oversized() {
            let data = self.start..self.end;
            let mut smaller = vec![0; MIN_BUFFER_BYTES];
            smaller[..data.len()].copy_from_slice(&self.buffer[data.clone()]);
            self.buffer = smaller.into();
            (self.start, self.end) = (0, data.len());
        }
    }
}

/// Mostly the CR was counted as the last byte of the contents.
const LF_BEHIND_CR_LF: &str =
    "contents end in LF and their command in CR LF; numbytes may be one too large";

fn invalid(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

#[cfg(test)]
mod tests;
