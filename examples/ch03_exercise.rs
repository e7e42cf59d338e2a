//! Chapter 3, build it: a server that can be started again at once.

use socket2::{Domain, Socket, Type};
use std::io::{self, Read};
use std::net::{SocketAddr, TcpStream};

/// Binds the address and listens on it.
fn listen(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&address.into())?;
    socket.set_reuse_address(true)?;
    socket.listen(4)?;
    Ok(socket)
}

fn main() -> io::Result<()> {
    let mut address = SocketAddr::from(([127, 0, 0, 1], 0));
    for start in 1..=3 {
        let listener = listen(address).unwrap_or_else(|e| panic!("start {start}: {e}"));
        address = listener.local_addr()?.as_socket().expect("a TCP address");
        let mut client = TcpStream::connect(address)?;
        drop(listener.accept()?); // the server closes first
        assert_eq!(client.read(&mut [0; 10])?, 0);
    }
    println!("started three times on one port");
    Ok(())
}
