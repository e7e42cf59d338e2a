//! A stream read as the server reads it: lines, and contents after those that announce them.

use crate::net::LineBuffer;
use crate::wire::{MAX_LINE_BYTES, Request};

/// Lines with longer contents are read as if they had none.
const MAX_CONTENTS_BYTES: u64 = 2048;

/// What a stream is made of.
#[derive(Debug, Default)]
pub(super) struct Read {
    /// Lines, and contents, in order.
    pub(super) items: Vec<Vec<u8>>,
    /// Why the reader could not go on.
    pub(super) error: Option<String>,
    /// The answers to Telnet commands.
    pub(super) answers: Vec<u8>,
    /// What is left at the end: half a line, or the line end of contents.
    pub(super) rest: Vec<u8>,
}

/// What comes next.
enum Next {
    Line,
    /// This many bytes of contents.
    Contents(usize),
    LineEnd,
}

/// Reads a stream that arrives in pieces of `step` bytes.
pub(super) fn read(stream: &[u8], is_telnet: bool, step: usize) -> Read {
    let (mut lines, mut read, mut next) =
        (LineBuffer::new(MAX_LINE_BYTES), Read::default(), Next::Line);
    if is_telnet {
        lines.set_telnet();
    }
    for mut piece in stream.chunks(step) {
        while !piece.is_empty() {
            lines.receive_from(&mut piece);
            while read.error.is_none() && take(&mut lines, &mut next, &mut read) {}
            if read.error.is_some() {
                read.answers.append(lines.answers());
                return read;
            }
        }
    }
    read.answers.append(lines.answers());
    read.rest = lines.data().to_vec();
    read
}

/// Takes what comes next out of `lines`. Returns false if it has not all arrived.
fn take(lines: &mut LineBuffer, next: &mut Next, read: &mut Read) -> bool {
    let taken = match next {
        Next::Line => {
            let mut line = Vec::new();
            let taken = lines.take_line(&mut line);
            if let Ok(true) = taken {
                let contents = announced(&line);
                read.items.push(line);
                if let Some(numbytes) = contents {
                    read.items.push(Vec::new());
                    *next = Next::Contents(numbytes);
                }
            }
            taken
        }
        Next::Contents(left) => {
            let n = lines.data().len().min(*left);
            read.items.last_mut().expect("its contents").extend_from_slice(&lines.data()[..n]);
            lines.consume(n);
            *left -= n;
            let whole = *left == 0;
            if whole {
                *next = Next::LineEnd;
            }
            Ok(whole)
        }
        Next::LineEnd => lines.take_line_end().inspect(|taken| {
            if *taken {
                *next = Next::Line;
            }
        }),
    };
    taken.unwrap_or_else(|e| {
        read.error = Some(e.to_string());
        false
    })
}

/// Returns the length of the contents that follow a line, if any do.
fn announced(line: &[u8]) -> Option<usize> {
    let numbytes = Request::parse(line).ok()?.numbytes()?;
    (numbytes <= MAX_CONTENTS_BYTES).then_some(numbytes as usize)
}

/// Checks the lines before the first contents against the rules as the protocol's page has them.
///
/// # Panics
/// If a line differs.
pub(super) fn check_by_hand(stream: &[u8]) {
    let (mut rest, mut expected) = (stream, Vec::new());
    while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
        let line = rest[..end].strip_suffix(b"\r").unwrap_or(&rest[..end]);
        if line.len() >= MAX_LINE_BYTES || line.contains(&b'\r') {
            break;
        }
        expected.push(line.to_vec());
        if announced(line).is_some() {
            break;
        }
        rest = &rest[end + 1..];
    }
    let read = read(stream, false, stream.len().max(1));
    assert!(read.items.starts_with(&expected), "{read:?}, and not {expected:?}");
}
