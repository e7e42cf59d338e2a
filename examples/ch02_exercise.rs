//! Chapter 2, build it: greet every client, and not the first one twice.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};

/// Greets this many clients.
fn greet(listener: &TcpListener, clients: usize) -> io::Result<()> {
    let (mut stream, _) = listener.accept()?;
    for _ in 0..clients {
        stream.write_all(b"hello\n")?;
    }
    Ok(())
}

fn main() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let clients = [TcpStream::connect(address)?, TcpStream::connect(address)?];
    greet(&listener, clients.len())?;
    drop(listener); // cuts off the clients that are still in the queue
    for mut client in clients {
        let mut greeting = String::new();
        let received = client.read_to_string(&mut greeting);
        assert!(received.is_ok() && greeting == "hello\n", "{received:?}, {greeting:?}");
    }
    println!("each client has its greeting");
    Ok(())
}
