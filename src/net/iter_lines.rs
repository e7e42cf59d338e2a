//! The lines of a reader, where nothing else stands between them.

use super::lines::LineBuffer;
use std::fmt;
use std::io::{self, ErrorKind, Read};
use std::iter::FusedIterator;

/// Returns an iterator over the lines of `reader`, each of fewer than `max_line_bytes` bytes. `\n` or
/// `\r\n` ends a line, and is not part of it.
///
/// The iterator reads as much as there is, at most 64 KiB at once, so that many short lines cost one
/// call. What follows the last line that it returned is not lost: [`into_rest`](IterLines::into_rest)
/// returns it. It ends where the reader ends, or with the first line that cannot be read. A half line
/// at the end is no line: it is part of the rest.
///
/// A `&TcpStream` or a `&mut` of any reader is a reader too, so the caller can go on with it.
///
/// ```
/// use std::io::{Read, Write};
/// use std::net::{TcpListener, TcpStream};
/// use telefile::net::iter_lines;
///
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// let mut client = TcpStream::connect(listener.local_addr()?)?;
/// client.write_all(b"host: example\r\nlength: 5\r\n\r\nhello")?;
/// drop(client);
///
/// // A head of lines up to an empty one, then a body of bytes.
/// let mut stream = listener.accept()?.0;
/// let mut lines = iter_lines(&stream, 1000);
/// let mut head = Vec::new();
/// for line in &mut lines {
///     let line = line?;
///     if line.is_empty() {
///         break;
///     }
///     head.push(String::from_utf8_lossy(&line).into_owned());
/// }
/// assert_eq!(head, ["host: example", "length: 5"]);
///
/// let mut body = lines.into_rest();
/// stream.read_to_end(&mut body)?;
/// assert_eq!(body, b"hello");
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn iter_lines<R: Read>(reader: R, max_line_bytes: usize) -> IterLines<R> {
    IterLines { reader, lines: LineBuffer::new(max_line_bytes), is_over: false }
}

/// The iterator that [`iter_lines`] returns.
///
/// An item is an error if reading fails, and for a line that is too long, even before its end has
/// arrived, or that has a `\r` inside: [`ErrorKind::InvalidData`]. After an error of the reader the
/// next call reads again, which suits a time-out; after a bad line there are no more items.
pub struct IterLines<R> {
    reader: R,
    lines: LineBuffer,
    is_over: bool,
}

impl<R> IterLines<R> {
    /// Returns what was read beyond the last line that the iterator has returned.
    pub fn into_rest(self) -> Vec<u8> {
        self.lines.data().to_vec()
    }
}

impl<R: Read> Iterator for IterLines<R> {
    type Item = io::Result<Vec<u8>>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut line = Vec::new();
        while !self.is_over {
            match self.lines.take_line(&mut line) {
                Ok(true) => return Some(Ok(line)),
                Ok(false) => {}
                Err(e) => {
                    self.is_over = true;
                    return Some(Err(e));
                }
            }
            match self.reader.read(self.lines.room()) {
                Ok(0) => self.is_over = true,
                Ok(n) => self.lines.received(n),
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Some(Err(e)),
            }
        }
        None
    }
}

/// After the end there are no more items.
impl<R: Read> FusedIterator for IterLines<R> {}

impl<R> fmt::Debug for IterLines<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IterLines").field("lines", &self.lines).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::VecDeque;

    /// Returns these pieces, one at each read, or fails.
    struct Pieces(VecDeque<Result<&'static [u8], ErrorKind>>);

    impl Pieces {
        fn new(pieces: impl IntoIterator<Item = Result<&'static [u8], ErrorKind>>) -> Self {
            Pieces(pieces.into_iter().collect())
        }
    }

    impl Read for Pieces {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let Some(piece) = self.0.pop_front() else { return Ok(0) };
            let piece = piece.map_err(io::Error::from)?;
            buffer[..piece.len()].copy_from_slice(piece);
            Ok(piece.len())
        }
    }

    fn all(lines: &mut IterLines<Pieces>) -> Vec<Result<Vec<u8>, ErrorKind>> {
        lines.map(|line| line.map_err(|e| e.kind())).collect()
    }

    fn line(text: &str) -> Result<Vec<u8>, ErrorKind> {
        Ok(text.as_bytes().to_vec())
    }

    #[test]
    fn lines_are_found_however_they_are_cut_and_the_rest_is_returned() {
        let input: &[u8] = b"one\r\n\ntwo\nhalf";
        for step in 1..input.len() {
            let mut lines = iter_lines(Pieces::new(input.chunks(step).map(Ok)), 10);
            assert_eq!(all(&mut lines), [line("one"), line(""), line("two")], "{step}");
            assert_eq!(lines.into_rest(), b"half");
        }
        let mut lines = iter_lines(Pieces::new([Ok(input)]), 10);
        assert_eq!(lines.next().unwrap().unwrap(), b"one");
        assert_eq!(lines.into_rest(), b"\ntwo\nhalf");
    }

    #[test]
    fn a_bad_line_ends_the_iteration_and_stays_in_the_rest() {
        for bad in [&b"0123456789"[..], b"0123456789\nmore\n", b"a\rb\nmore\n"] {
            let mut lines = iter_lines(Pieces::new([Ok(&b"ok\n"[..]), Ok(bad), Ok(b"x\n")]), 10);
            assert_eq!(all(&mut lines), [line("ok"), Err(ErrorKind::InvalidData)], "{bad:?}");
            assert_eq!(lines.into_rest(), bad);
        }
    }

    #[test]
    fn reading_goes_on_after_an_interruption_and_after_a_time_out() {
        let pieces = [
            Ok(&b"on"[..]),
            Err(ErrorKind::Interrupted),
            Ok(b"e\ntw"),
            Err(ErrorKind::TimedOut),
            Ok(b"o\n"),
        ];
        let mut lines = iter_lines(Pieces::new(pieces), 10);
        assert_eq!(all(&mut lines), [line("one"), Err(ErrorKind::TimedOut), line("two")]);
        assert_eq!(lines.into_rest(), b"");
    }
}
