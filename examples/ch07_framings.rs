//! Chapter 7: a line ends at a mark, contents at a count.

use std::io::{self, ErrorKind, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;
use telefile::net::{BufferedStream, Stream};

const MAX_BYTES: usize = 1000;

/// Receives a letter: a line with a name and a count, as many bytes, and a line end. Returns the name
/// and the bytes, or `None` at the end of the stream.
fn receive(stream: &mut BufferedStream) -> io::Result<Option<(String, Vec<u8>)>> {
    let mut line = Vec::new();
    if !stream.read_line(&mut line)? {
        return Ok(None);
    }
    let line = String::from_utf8_lossy(&line).into_owned();
    let bad = |why: &str| io::Error::new(ErrorKind::InvalidData, format!("{line:?}: {why}"));
    let (name, count) = line.split_once(' ').ok_or_else(|| bad("no count"))?;
    let count: usize = count.parse().map_err(|_| bad("not a count"))?;
    if count > MAX_BYTES {
        return Err(bad("too large")); // before any memory is taken
    }
    let mut contents = Vec::with_capacity(count);
    while contents.len() < count {
        stream.read_contents(&mut contents)?;
    }
    stream.read_line_end()?;
    Ok(Some((name.to_string(), contents)))
}

/// Prints all letters of a client that sends these bytes and leaves.
fn print_letters(sent: &[u8]) -> io::Result<usize> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let mut client = TcpStream::connect(listener.local_addr()?)?;
    client.write_all(sent)?;
    drop(client);
    let stream = Stream::new(listener.accept()?.0, None);
    let mut stream = BufferedStream::new(Arc::new(stream), 500, Duration::from_secs(30));
    let mut count = 0;
    while let Some((name, contents)) = receive(&mut stream)? {
        println!("{name} writes {}", contents.escape_ascii());
        count += 1;
    }
    Ok(count)
}

fn main() -> io::Result<()> {
    assert_eq!(print_letters(b"ann 10\nquit\nbob 9\nbob 2\nhi\nann 0\n\n")?, 3);
    for bad in [&b"ann 4\nhello\nbob 2\nhi\n"[..], b"ann 99999999999\n", b"ann 9\nhel"] {
        let error = print_letters(bad).unwrap_err();
        println!("refused: {error}");
    }
    println!("a mark ends the line, a count ends the contents");
    Ok(())
}
