//! Chapter 6, build it: lines, however the bytes are cut.

use std::io::{self, Read};

/// Calls `found` with each line of `reader`, without its `\n`. Returns what follows the last one.
fn each_line(mut reader: impl Read, mut found: impl FnMut(&[u8])) -> io::Result<Vec<u8>> {
    let mut buffer = [0; 1024];
    loop {
        let n = reader.read(&mut buffer)?;
        if n == 0 {
            return Ok(Vec::new());
        }
        for line in buffer[..n].split(|byte| *byte == b'\n') {
            found(line);
        }
    }
}

/// A reader that delivers at most as many bytes at once as its second field says.
struct Pieces<'a>(&'a [u8], usize);

impl Read for Pieces<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = buffer.len().min(self.1);
        self.0.read(&mut buffer[..most])
    }
}

fn main() -> io::Result<()> {
    for size in [1, 2, 3, 5, 100] {
        let mut lines = Vec::new();
        let reader = Pieces(b"one\n\ntwo\nthree\nfo", size);
        let rest = each_line(reader, |line| lines.push(line.escape_ascii().to_string()))?;
        assert_eq!(lines, ["one", "", "two", "three"], "in pieces of {size}");
        assert_eq!(rest.escape_ascii().to_string(), "fo", "in pieces of {size}");
    }
    println!("the same lines, however the bytes are cut");
    Ok(())
}
