//! Chapter 1, build it: give every number back.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::*;

/// Greets one client, and returns the number of the connection's descriptor.
fn greet(listener: &TcpListener) -> io::Result<RawFd> {
    let (mut stream, _) = listener.accept()?;
    stream.write_all(b"hello\n")?;
    Ok(stream.into_raw_fd())
}

fn main() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let mut numbers = Vec::new();
    for _ in 0..3 {
        let mut client = TcpStream::connect(listener.local_addr()?)?;
        numbers.push(greet(&listener)?);
        let mut greeting = [0; 6];
        client.read_exact(&mut greeting)?;
        assert_eq!(&greeting, b"hello\n");
    }
    assert!(numbers.iter().all(|number| *number == numbers[0]), "numbers leak: {numbers:?}");
    println!("three clients, one number");
    Ok(())
}
