//! Chapter 5: TCP is a tape. Four sends and one receive, one send and three receives, and the buffer
//! that makes lines of them.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;
use telefile::net::{BufferedStream, Stream};

const PIECES: [&[u8]; 4] = [b"wri", b"te foo 6", b"\r\nabc", b"def\r\n"];

fn main() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let mut client = TcpStream::connect(listener.local_addr()?)?;
    client.set_nodelay(true)?; // send each piece at once, as a segment of its own
    let (mut server, _) = listener.accept()?;
    let mut buffer = [0; 64];

    for piece in PIECES {
        client.write_all(piece)?;
    }
    let sent = PIECES.concat();
    while server.peek(&mut buffer)? < sent.len() {} // looks at what has arrived, and leaves it there
    let n = server.read(&mut buffer)?;
    println!("4 sends, 1 receive:  {}", buffer[..n].escape_ascii());
    assert_eq!(buffer[..n], sent);

    client.write_all(b"read foo\r\n")?;
    let mut received = 0;
    while received < b"read foo\r\n".len() {
        let n = server.read(&mut buffer[..4])?;
        received += n;
        println!("1 send, a receive:   {}", buffer[..n].escape_ascii());
    }

    let time = Duration::from_secs(30);
    let mut server = BufferedStream::new(Arc::new(Stream::new(server, None)), 500, time);
    let mut line = Vec::new();
    client.write_all(b"re")?;
    server.receive()?;
    println!("a line of 're':      {}", server.take_line(&mut line)?);
    client.write_all(b"ad foo\r\nread b")?;
    assert!(server.read_line(&mut line)?);
    println!("the line:            {}", line.escape_ascii());
    println!("kept in the buffer:  {}", server.data().escape_ascii());
    assert_eq!((&line[..], server.data()), (&b"read foo"[..], &b"read b"[..]));
    println!("the tape has no marks: a buffer found the line");
    Ok(())
}
