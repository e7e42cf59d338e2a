//! The buffer between a stream and its lines: it keeps what came after the line just taken. The
//! caller puts received bytes in, and takes lines and counted bytes out, because contents stand
//! between lines; where there are only lines, [`iter_lines`](super::iter_lines) reads them. Knows no
//! socket.

use super::telnet::{self, Found, IAC};
use std::io;

/// The size at first, and after [`shrink`](LineBuffer::shrink). A buffer that one receive fills
/// doubles, up to [`MAX_BUFFER_BYTES`], or to the size of the longest line if that is more.
const MIN_BUFFER_BYTES: usize = 1 << 10;
const MAX_BUFFER_BYTES: usize = 64 << 10;

/// Received bytes that are not yet used.
#[derive(Debug)]
pub struct LineBuffer {
    /// The valid bytes are `buffer[start..end]`. The first `searched` of them are known to hold no
    /// line end, so a line that arrives byte by byte takes linear time, not quadratic.
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
    searched: usize,
    /// A line has fewer bytes than this, without its end.
    max_line_bytes: usize,
    /// The buffer grows to at most this.
    max_bytes: usize,
    /// The end of the last line.
    line_end: LineEnd,
    is_telnet: bool,
    /// How many bytes of Telnet commands were removed from the unfinished line.
    skipped: usize,
    answers: Vec<u8>,
}

/// What ends a line.
#[derive(Clone, Copy, Debug)]
enum LineEnd {
    Lf,
    CrLf,
    /// Sent by a Telnet terminal that sends each character by itself.
    CrNul,
}

impl LineEnd {
    const MAX_BYTES: usize = 2;

    fn bytes(self) -> &'static [u8] {
        match self {
            LineEnd::Lf => b"\n",
            LineEnd::CrLf => b"\r\n",
            LineEnd::CrNul => b"\r\0",
        }
    }
}

impl LineBuffer {
    /// Creates an empty buffer, for lines of fewer than `max_line_bytes` bytes.
    pub fn new(max_line_bytes: usize) -> Self {
        let buffer = vec![0; MIN_BUFFER_BYTES].into();
        LineBuffer {
            buffer,
            start: 0,
            end: 0,
            searched: 0,
            max_line_bytes,
            max_bytes: MAX_BUFFER_BYTES,
            line_end: LineEnd::Lf,
            is_telnet: false,
            skipped: 0,
            answers: Vec::new(),
        }
    }

    /// Skips Telnet commands in lines from now on, and refuses options: see
    /// [`answers`](LineBuffer::answers). A line may then also end with CR NUL.
    pub fn set_telnet(&mut self) {
        self.is_telnet = true;
    }

    /// Returns the answers to the skipped Telnet commands; the caller takes them out.
    pub fn answers(&mut self) -> &mut Vec<u8> {
        &mut self.answers
    }

    /// Takes the next line into `line`, without its end (`\n` or `\r\n`). Returns false if no whole
    /// line has arrived.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidData`] if the line is too long, even before its end has arrived, or
    /// contains a `\r` that is not part of its end. The line stays in the [data](LineBuffer::data).
    pub fn take_line(&mut self, line: &mut Vec<u8>) -> io::Result<bool> {
        let Some((length, end)) = self.find_line_end()? else { return Ok(false) };
        line.clear();
        line.extend_from_slice(&self.data()[..length]);
        self.consume(length + end.bytes().len());
        self.line_end = end;
        Ok(true)
    }

    /// Returns where the first line ends, and with what, if that has arrived.
    fn find_line_end(&mut self) -> io::Result<Option<(usize, LineEnd)>> {
        loop {
            let data = &self.buffer[self.start..self.end];
            let special = memchr::memchr3(b'\n', b'\r', IAC, &data[self.searched..]);
            let at = special.map_or(data.len(), |at| self.searched + at);
            self.check_length(at)?;
            self.searched = at;
            match &data[at..] {
                // A \r at the end may be half of the line end.
                [] | [b'\r'] => return Ok(None),
                [b'\n', ..] => return Ok(Some((at, LineEnd::Lf))),
                [b'\r', b'\n', ..] => return Ok(Some((at, LineEnd::CrLf))),
                [b'\r', 0, ..] if self.is_telnet => return Ok(Some((at, LineEnd::CrNul))),
                [b'\r', ..] => return Err(invalid("a CR inside a line")),
                command if self.is_telnet => match telnet::find(command) {
                    Found::Command(bytes, answer) => self.skip_command(at, bytes, answer),
                    Found::Half => {
                        self.check_length(data.len())?;
                        return Ok(None);
                    }
                    Found::Text => self.searched += 1,
                },
                _ => self.searched += 1,
            }
        }
    }

    /// Checks that a line may have `bytes` bytes, and those of the Telnet commands removed from it.
    fn check_length(&self, bytes: usize) -> io::Result<()> {
        match self.skipped + bytes < self.max_line_bytes {
            true => Ok(()),
            false => Err(invalid("a line is too long")),
        }
    }

    /// Removes a Telnet command from the current line: moves the beginning of the line up to the
    /// command's end.
    fn skip_command(&mut self, at: usize, bytes: usize, answer: Option<[u8; 3]>) {
        let before = self.start..self.start + at;
        self.buffer.copy_within(before, self.start + bytes);
        self.start += bytes;
        self.skipped += bytes;
        self.answers.extend(answer.into_iter().flatten());
    }

    /// Takes the line end that has to come next. It has to match the line before it: after `\r\n`
    /// only `\r\n`, after `\n` either of the two. Returns false if it has not arrived.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidData`] if something else has arrived.
    pub fn take_line_end(&mut self) -> io::Result<bool> {
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

    /// Returns all received bytes that are not yet used.
    pub fn data(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// Marks the first `n` bytes as used.
    ///
    /// # Panics
    /// If there are fewer than `n`.
    pub fn consume(&mut self, n: usize) {
        assert!(n <= self.data().len());
        self.start += n;
        (self.searched, self.skipped) = (0, 0);
    }

    /// Returns room to receive into, never empty. Report the bytes to
    /// [`received`](LineBuffer::received).
    ///
    /// # Panics
    /// If the buffer [is full](LineBuffer::is_full).
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
        assert!(self.end < self.buffer.len(), "the lines in the buffer have to be taken first");
        &mut self.buffer[self.end..]
    }

    /// Adds `n` bytes that were received into the [`room`](LineBuffer::room).
    pub fn received(&mut self, n: usize) {
        assert!(n <= self.buffer.len() - self.end);
        self.end += n;
    }

    /// Moves bytes that were received elsewhere from `piece` into the [`room`](LineBuffer::room).
    pub fn receive_from(&mut self, piece: &mut &[u8]) {
        let room = self.room();
        let n = room.len().min(piece.len());
        room[..n].copy_from_slice(&piece[..n]);
        self.received(n);
        *piece = &piece[n..];
    }

    /// Returns whether there is no [`room`](LineBuffer::room) for more.
    pub fn is_full(&self) -> bool {
        self.data().len() == self.next_size()
    }

    /// Returns the buffer's size in memory, in bytes.
    pub fn size(&self) -> usize {
        self.buffer.len()
    }

    /// Returns the size after the next call to [`room`](LineBuffer::room): doubled if the last receive
    /// filled the buffer, up to 64 KiB or to the size of the longest line.
    pub fn next_size(&self) -> usize {
        let size = self.buffer.len();
        if self.end < size {
            return size;
        }
        let longest_line = self.max_line_bytes.saturating_add(LineEnd::MAX_BYTES);
        (size * 2).min(self.max_bytes.max(longest_line).max(size))
    }

    /// Sets whether the buffer may grow from now on. A line fits in any case.
    pub fn set_may_grow(&mut self, may_grow: bool) {
        self.max_bytes = if may_grow { MAX_BUFFER_BYTES } else { 0 };
    }

    /// Returns whether the buffer is larger than an idle connection should keep, 4 KiB.
    pub fn is_oversized(&self) -> bool {
        self.buffer.len() > 4 * MIN_BUFFER_BYTES && self.data().len() < MIN_BUFFER_BYTES
    }

    /// Frees memory that the bytes in the buffer do not need.
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

/// Usually the CR was counted as the last byte of the contents.
const LF_BEHIND_CR_LF: &str =
    "contents end in LF and their command in CR LF; numbytes may be one too large";

fn invalid(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

#[cfg(test)]
mod tests;
