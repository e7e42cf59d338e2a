//! Chapter 3: who closes first keeps the address, and what SO_REUSEADDR changes.

use socket2::{Domain, Socket, Type};
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use telefile::net::{Address, Listener};

fn listen(address: SocketAddr, reuse: bool) -> io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_reuse_address(reuse)?;
    socket.bind(&address.into())?;
    socket.listen(4)?;
    Ok(socket)
}

/// Serves one client on a free port, and stops. Returns the address that it had.
fn serve_one(server_closes_first: bool, reuse: bool) -> io::Result<SocketAddr> {
    let listener = listen(([127, 0, 0, 1], 0).into(), reuse)?;
    let address = listener.local_addr()?.as_socket().expect("a TCP address");
    let client = TcpStream::connect(address)?;
    let (server, _) = listener.accept()?;
    let (first, second) = match server_closes_first {
        true => (server, Socket::from(client)),
        false => (client.into(), server),
    };
    drop(first);
    while second.peek(&mut [std::mem::MaybeUninit::uninit()])? > 0 {} // until the end has arrived
    Ok(address)
}

/// Prints whether the address can be bound.
fn report<T>(what: &str, bound: &io::Result<T>) {
    let result = bound.as_ref().map_or_else(|e| e.kind().to_string(), |_| "ok".to_string());
    println!("{what:<34} {result}");
}

fn main() -> io::Result<()> {
    let again = listen(serve_one(false, false)?, false);
    report("client closed first, off:", &again);
    assert!(again.is_ok());

    let address = serve_one(true, false)?;
    let again = listen(address, false);
    report("server closed first, off:", &again);
    assert_eq!(again.unwrap_err().kind(), ErrorKind::AddrInUse);
    let port = format!("sport = :{}", address.port());
    if let Ok(ss) = Command::new("ss").args(["-Htan", &port]).output() {
        let text = String::from_utf8_lossy(&ss.stdout).into_owned();
        println!("ss: {}", text.split_whitespace().collect::<Vec<_>>().join(" "));
    }
    report("  on in the new server alone:", &listen(address, true));

    let address = serve_one(true, true)?;
    let again = listen(address, true);
    report("server closed first, on:", &again);
    assert!(again.is_ok());
    report("and while it listens, on:", &listen(address, true));
    drop(again);

    let again = Listener::bind(&Address::Tcp(address));
    report("telefile's own listener:", &again);
    assert!(again.is_ok());
    println!("an address is free when nobody can mistake a late packet");
    Ok(())
}
