//! Chapter 1: a socket is a file descriptor.

use std::fs::{self, File};
use std::io::{self, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd};
use telefile::net::Stream;

/// Prints the number of a descriptor, and what the kernel has behind it.
fn show(what: &str, descriptor: &impl AsRawFd) -> i32 {
    let number = descriptor.as_raw_fd();
    let object = fs::read_link(format!("/proc/self/fd/{number}"));
    let object = object.map_or("(no /proc here)".to_string(), |path| path.display().to_string());
    println!("{what:<12} {number} -> {object}");
    number
}

fn main() -> io::Result<()> {
    let file = File::open("/dev/null")?;
    let of_file = show("a file", &file);
    let listener = TcpListener::bind("127.0.0.1:0")?;
    show("a listener", &listener);
    let client = TcpStream::connect(listener.local_addr()?)?;
    let of_client = show("a client", &client);

    // A number that is free again is given out again.
    drop(file);
    let (server, _) = listener.accept()?;
    assert_eq!(show("a server", &server), of_file);

    // The kernel does not mind what your program calls the descriptor.
    let mut as_file = File::from(OwnedFd::from(client));
    assert_eq!(show("as a file", &as_file), of_client);
    as_file.write_all(b"hello")?;
    drop(as_file); // close: the other side sees the end

    let stream = Stream::new(server, None);
    let mut received = Vec::with_capacity(100);
    while stream.receive_spare(&mut received)? > 0 {}
    println!("received     {}", received.escape_ascii());
    assert_eq!(received, b"hello");
    println!("five things, three numbers, one kind of handle");
    Ok(())
}
