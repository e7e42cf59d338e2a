//! Chapter 5, build it: receive exactly as many bytes as were asked for.

use std::io::{self, ErrorKind, Read};

/// Returns the next `n` bytes of `reader`, or an error of kind `UnexpectedEof` if it ends before.
fn receive_exactly(reader: &mut impl Read, n: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; n];
    let received = reader.read(&mut bytes)?;
    bytes.truncate(received);
    Ok(bytes)
}

/// A reader that delivers at most three bytes at once, as a slow network might.
struct Slow<'a>(&'a [u8]);

impl Read for Slow<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = buffer.len().min(3);
        self.0.read(&mut buffer[..most])
    }
}

fn main() -> io::Result<()> {
    let mut reader = Slow(b"abcdefgh");
    assert_eq!(receive_exactly(&mut reader, 6)?.escape_ascii().to_string(), "abcdef");
    assert_eq!(receive_exactly(&mut reader, 0)?.escape_ascii().to_string(), "");
    let end = receive_exactly(&mut reader, 6).map_err(|e| e.kind());
    assert_eq!(end, Err(ErrorKind::UnexpectedEof));
    println!("six bytes are six bytes, however they arrive");
    Ok(())
}
