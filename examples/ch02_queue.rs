//! Chapter 2: a listening socket carries no data, and clients connect without an accept.

use socket2::{Domain, Socket, Type};
use std::io::{self, ErrorKind, IoSlice};
use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;
use telefile::net::{Address, Stream};

const BACKLOG: i32 = 4;

/// Prints what ss(8) says about the listening socket of a port, if there is an ss.
fn print_queue(port: u16) {
    let ss = Command::new("ss").args(["-Hltn", &format!("sport = :{port}")]).output();
    let text = ss.map_or(String::new(), |ss| String::from_utf8_lossy(&ss.stdout).into_owned());
    println!("ss: {}", text.split_whitespace().collect::<Vec<_>>().join(" "));
}

fn main() -> io::Result<()> {
    let listener = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    listener.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into())?;
    listener.listen(BACKLOG)?;
    let local = listener.local_addr()?.as_socket().expect("a TCP address");

    // Nobody calls accept.
    let connect = || Stream::connect(&Address::Tcp(local), Some(Duration::from_millis(500)));
    let mut clients = Vec::new();
    let error = loop {
        match connect() {
            Ok(client) => clients.push(client),
            Err(e) => break e,
        }
        println!("client {} is connected", clients.len());
    };
    println!("client {} waits, and gives up", clients.len() + 1);
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert!(clients.len() == 5 || cfg!(not(target_os = "linux")), "{} clients", clients.len());
    print_queue(local.port());

    // The client can even send.
    clients[0].send_now(&[IoSlice::new(b"hello")])?;
    let nothing = Stream::new(listener.try_clone()?, None).receive(&mut [0; 10]).unwrap_err();
    println!("receive on the listening socket: {nothing}");
    let (socket, peer) = listener.accept()?;
    let (mut buffer, accepted) = ([0; 10], Stream::new(socket, peer.as_socket()));
    let n = accepted.receive(&mut buffer)?;
    println!("receive on the accepted socket: {}", buffer[..n].escape_ascii());

    connect()?;
    println!("one is out of the queue, and the next client is in");
    Ok(())
}
