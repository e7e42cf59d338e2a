//! Chapter 14: the ways in which a connection ends, as the other side sees them.

use std::io::{self, ErrorKind, IoSlice, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;
use telefile::net::Stream;
use telefile::{Client, Exptime, Server, Version};

/// Returns both ends of a connection, the second as the server has it.
fn connect() -> io::Result<(TcpStream, Stream)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let client = TcpStream::connect(listener.local_addr()?)?;
    let (server, peer) = listener.accept()?;
    Ok((client, Stream::new(server, Some(peer))))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (client, server) = connect()?;
    drop(client);
    println!("closed: a read returns {}", server.receive(&mut [0; 16])?);
    let mut writes = 0;
    let error = loop {
        match server.send_now(&[IoSlice::new(b"are you there?\n")]) {
            Ok(_) => writes += 1,
            Err(error) => break error,
        }
    };
    println!("writes to nobody succeed at first, and then: {error}");
    assert!(writes > 0 && error.kind() == ErrorKind::BrokenPipe);

    let (client, server) = connect()?;
    server.send_now(&[IoSlice::new(b"a reply that nobody reads\n")])?;
    client.peek(&mut [0])?; // it has arrived
    drop(client);
    let error = server.receive(&mut [0; 16]).unwrap_err();
    println!("closed with something unread: {error}");
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);

    let (_client, server) = connect()?;
    server.set_idle_timeout(Some(Duration::from_millis(50)))?;
    let error = server.receive(&mut [0; 16]).unwrap_err();
    println!("silent: {error}");
    assert_eq!(error.kind(), ErrorKind::TimedOut);

    let server = Server::builder().listen("127.0.0.1:0".parse()?).bind()?.spawn()?;
    let address = server.addresses()[0].to_string();
    let watcher = Client::connect(&address)?;
    let mut ann = TcpStream::connect(&address)?;
    ann.write_all(b"write here/ann 2 -1\nhi\n")?;
    let version = watcher.wait("here/ann", Version::ABSENT, Duration::from_secs(60))?;
    assert_eq!(watcher.stat("here/ann")?.exptime, Exptime::Connection);
    drop(ann);
    let end = watcher.wait("here/ann", version, Duration::from_secs(60))?;
    println!("Ann's file: version {version}, then {end}");
    assert_eq!(end, Version::ABSENT);
    println!("nobody has said goodbye");
    Ok(())
}
