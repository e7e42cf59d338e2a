//! Chapter 6: keep the leftover between reads.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use telefile::net::iter_lines;

fn main() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let mut client = TcpStream::connect(listener.local_addr()?)?;
    let (mut server, _) = listener.accept()?;
    client.write_all(b"host: here\r\nleng")?;
    client.write_all(b"th: 5\r\n\r\nhello")?;
    drop(client);

    // A head of lines up to an empty one.
    let mut lines = iter_lines(&server, 500);
    for line in &mut lines {
        let line = line?;
        if line.is_empty() {
            break;
        }
        println!("line:             {}", line.escape_ascii());
    }
    // A body of bytes: first the leftover, then what is still on the tape.
    let mut body = lines.into_rest();
    server.read_to_end(&mut body)?;
    println!("body:             {}", body.escape_ascii());
    assert_eq!(body, b"hello");

    // The end comes in the middle of a line.
    let mut lines = iter_lines(&b"one\r\ntw"[..], 500);
    let whole = lines.by_ref().collect::<io::Result<Vec<_>>>()?;
    let half = lines.into_rest();
    println!("half a line:      {} of {}", half.escape_ascii(), whole.len() + 1);
    assert_eq!((whole, half), (vec![b"one".to_vec()], b"tw".to_vec()));

    // A line without an end.
    let mut lines = iter_lines(io::repeat(b'x'), 500);
    let error = lines.next().expect("an error").unwrap_err();
    println!("x, for ever:      {error}");
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    println!("read in the pieces that came, taken in the lines that were meant");
    Ok(())
}
