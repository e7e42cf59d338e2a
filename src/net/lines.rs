//! The buffer between a stream and its lines: it keeps what came after the line just taken. It is
//! the `iter_lines` of socket tutorials turned inside out, because contents stand between lines:
//! what is received is put in, lines and counted bytes are taken out. Knows no socket.

use std::io;

/// An idle connection keeps this much; a buffer that a receive has filled doubles, up to `MAX`.
const MIN_BUFFER_BYTES: usize = 1 << 10;
const MAX_BUFFER_BYTES: usize = 64 << 10;

/// Received bytes that are not used yet.
#[derive(Debug)]
pub struct Lines {
    /// What is valid is `buffer[start..end]`. A prefix of `searched` of those bytes is known to
    /// hold no line feed, so a line that comes byte by byte is searched once and not squared.
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
    searched: usize,
    /// A line has fewer bytes than this, its end not counted.
    max_line_bytes: usize,
    /// The buffer grows to no more than this.
    max_bytes: usize,
}

impl Lines {
    /// An empty buffer, for lines of fewer than `max_line_bytes` bytes.
    ///
    /// # Panics
    /// If the smallest buffer could not hold such a line with its end.
    pub fn new(max_line_bytes: usize) -> Self {
        assert!(max_line_bytes + 2 <= MIN_BUFFER_BYTES, "a line has to fit into the buffer");
        let buffer = vec![0; MIN_BUFFER_BYTES].into();
        let max_bytes = MAX_BUFFER_BYTES;
        Lines { buffer, start: 0, end: 0, searched: 0, max_line_bytes, max_bytes }
    }

    /// Takes the next line into `line`, without its end (`\n` or `\r\n`); false if no whole line
    /// is here yet.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidData`] if the line is too long, even if its end has not come, or
    /// has a `\r` in it that does not belong to its end.
    pub fn next_line(&mut self, line: &mut Vec<u8>) -> io::Result<bool> {
        let data = &self.buffer[self.start..self.end];
        let end = memchr::memchr(b'\n', &data[self.searched..]).map(|at| self.searched + at);
        // A \r that came last may be half of the line end; it does not count yet.
        let text = &data[..end.unwrap_or(data.len())];
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        if text.len() >= self.max_line_bytes {
            return Err(invalid("a line is too long"));
        }
        let Some(end) = end else {
            self.searched = data.len();
            return Ok(false);
        };
        if text.contains(&b'\r') {
            return Err(invalid("a CR inside a line"));
        }
        line.clear();
        line.extend_from_slice(text);
        self.consume(end + 1);
        Ok(true)
    }

    /// Takes a line end that has to come next; false if it is not here yet.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidData`] if something else is here.
    pub fn line_end(&mut self) -> io::Result<bool> {
        match self.data() {
            [] | [b'\r'] => return Ok(false),
            [b'\n', ..] => self.consume(1),
            [b'\r', b'\n', ..] => self.consume(2),
            _ => return Err(invalid("no line end after the contents")),
        }
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
        self.searched = 0;
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

fn invalid(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds `input` in pieces of `step` bytes; lines as text, or the error.
    fn lines_of(input: &[u8], step: usize) -> Result<Vec<String>, String> {
        let (mut lines, mut line, mut found) = (Lines::new(500), Vec::new(), Vec::new());
        for mut piece in input.chunks(step) {
            while !piece.is_empty() {
                let room = lines.room();
                let n = room.len().min(piece.len());
                room[..n].copy_from_slice(&piece[..n]);
                lines.received(n);
                piece = &piece[n..];
                while lines.next_line(&mut line).map_err(|e| e.to_string())? {
                    found.push(String::from_utf8_lossy(&line).into_owned());
                }
            }
        }
        Ok(found)
    }

    fn check(input: &[u8], expected: Result<Vec<String>, String>) {
        for step in [1, 2, 3, 7, 499, 500, 501, 1 << 20] {
            assert_eq!(lines_of(input, step), expected, "in pieces of {step}");
        }
    }

    #[test]
    fn both_line_ends_and_a_tail_that_waits() {
        check(b"a\r\n\nbc\nd", Ok(vec!["a".into(), "".into(), "bc".into()]));
        check(b"", Ok(vec![]));
        check(b"a\r", Ok(vec![]));
    }

    #[test]
    fn the_500th_byte_is_too_much_with_or_without_a_line_end() {
        let (just, over) = ("x".repeat(499), "x".repeat(500));
        check(format!("{just}\r\n{just}\n").as_bytes(), Ok(vec![just.clone(), just]));
        let too_long = Err("a line is too long".to_string());
        check(over.as_bytes(), too_long.clone());
        check(format!("{over}\n").as_bytes(), too_long.clone());
        check("x".repeat(100_000).as_bytes(), too_long);
    }

    #[test]
    fn a_cr_inside_a_line_is_refused() {
        for input in ["a\rb\n", "\r\r\n", "a\r\r\n"] {
            check(input.as_bytes(), Err("a CR inside a line".into()));
        }
    }

    #[test]
    fn many_lines_grow_the_buffer_and_rest_shrinks_it() {
        let line = "y".repeat(99);
        let input = format!("{line}\n").repeat(3000);
        check(input.as_bytes(), Ok(vec![line; 3000]));
        let mut lines = Lines::new(500);
        for _ in 0..20 {
            let n = lines.room().len();
            lines.received(n);
            lines.consume(n);
        }
        assert_eq!(lines.buffer.len(), MAX_BUFFER_BYTES);
        lines.room()[..4].copy_from_slice(b"half");
        lines.received(4);
        assert!(lines.is_oversized());
        lines.shrink();
        assert_eq!((lines.buffer.len(), lines.data()), (MIN_BUFFER_BYTES, &b"half"[..]));
    }

    #[test]
    fn a_buffer_that_may_not_grow_takes_lines_of_any_number() {
        let mut lines = Lines::new(500);
        lines.set_may_grow(false);
        let (mut line, mut count) = (Vec::new(), 0);
        for _ in 0..100 {
            assert!(!lines.is_full());
            let room = lines.room();
            let n = room.len();
            room.fill(b'\n');
            lines.received(n);
            assert!(lines.is_full());
            while lines.data().len() > 7 {
                count += usize::from(lines.next_line(&mut line).unwrap());
            }
        }
        assert_eq!((lines.size(), count), (MIN_BUFFER_BYTES, 100 * (MIN_BUFFER_BYTES - 7)));
        lines.set_may_grow(true);
        assert_eq!(lines.next_size(), 2 * MIN_BUFFER_BYTES);
    }

    #[test]
    fn the_line_end_after_contents() {
        for (input, expected) in [
            ("", Some(false)),
            ("\r", Some(false)),
            ("\n", Some(true)),
            ("\r\n", Some(true)),
            ("\rx", None),
            ("x", None),
        ] {
            let mut lines = Lines::new(500);
            lines.room()[..input.len()].copy_from_slice(input.as_bytes());
            lines.received(input.len());
            assert_eq!(lines.line_end().ok(), expected, "{input:?}");
        }
    }
}
