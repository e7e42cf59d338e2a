//! From an address to a connected stream.

use super::address::{Address, look_up};
use super::options::{set_options, set_send_timeout};
use super::stream::{Stream, timed_out};
use socket2::{Domain, SockAddr, SockRef, Socket, Type};
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

/// Each address of a name is tried for this long at least, even if the time is over.
const LEAST_SHARE: Duration = Duration::from_millis(1);

impl Stream {
    /// Connects to a listener, within `timeout`; with `None`, as long as the system tries. Tries
    /// the addresses of a name in turn, each for its share of the time that is left. Looking up the
    /// name is not part of that time.
    ///
    /// # Errors
    /// Those of connect(2), with the address; for a name, the error of each address, and the kind
    /// of the last. [`ErrorKind::TimedOut`] after `timeout`. The name cannot be looked up.
    pub fn connect(address: &Address, timeout: Option<Duration>) -> io::Result<Self> {
        let connected = match address {
            Address::Tcp(socket_address) => tcp(*socket_address, timeout),
            Address::Host(name) => first_of(&look_up(name)?, timeout),
            Address::Unix(path) => unix(path, timeout),
        };
        connected.map_err(|e| io::Error::new(e.kind(), format!("{address}: {e}")))
    }
}

/// Connects to the first of these addresses that has a listener.
fn first_of(addresses: &[SocketAddr], timeout: Option<Duration>) -> io::Result<Stream> {
    let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    let (mut kind, mut reasons) = (ErrorKind::AddrNotAvailable, Vec::new());
    for (left, address) in (1..=addresses.len() as u32).rev().zip(addresses) {
        let share = deadline.map(|deadline| {
            (deadline.saturating_duration_since(Instant::now()) / left).max(LEAST_SHARE)
        });
        match tcp(*address, share) {
            Ok(stream) => return Ok(stream),
            Err(e) => {
                kind = e.kind();
                reasons.push(format!("{address}: {e}"));
            }
        }
    }
    Err(io::Error::new(kind, reasons.join(", ")))
}

fn tcp(address: SocketAddr, timeout: Option<Duration>) -> io::Result<Stream> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    match timeout {
        Some(timeout) => socket.connect_timeout(&address.into(), timeout)?,
        None => socket.connect(&address.into())?,
    }
    set_options(SockRef::from(&socket));
    Ok(Stream::new(socket, Some(address)))
}

fn unix(path: &Path, timeout: Option<Duration>) -> io::Result<Stream> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    // Not `connect_timeout`: it makes the socket non-blocking, and then connect(2) fails at once if
    // the listener's queue is full. A blocking one waits for the send time-out, and reports EAGAIN.
    set_send_timeout(&socket, timeout);
    socket.connect(&SockAddr::unix(path)?).map_err(|e| match e.kind() {
        ErrorKind::WouldBlock => timed_out("connection timed out"),
        _ => e,
    })?;
    set_send_timeout(&socket, None);
    Ok(Stream::new(socket, None))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    /// Returns an address of this machine that has no listener.
    fn refusing() -> SocketAddr {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.bind(&"127.0.0.1:0".parse::<SocketAddr>().unwrap().into()).unwrap();
        // Bound but never listening: nobody else gets the port while the socket lives.
        let address = socket.local_addr().unwrap().as_socket().unwrap();
        std::mem::forget(socket);
        address
    }

    #[test]
    fn each_address_of_a_name_is_tried() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (good, bad) = (listener.local_addr().unwrap(), refusing());
        for timeout in [None, Some(Duration::from_secs(600))] {
            for addresses in [&[good][..], &[bad, good], &[bad, bad, good], &[good, bad]] {
                let stream = first_of(addresses, timeout).unwrap();
                assert_eq!(stream.peer(), Some(good), "{addresses:?}");
            }
        }
    }

    #[test]
    fn an_error_names_each_address_and_its_reason() {
        let (one, two) = (refusing(), refusing());
        let error = first_of(&[one, two], Some(Duration::from_secs(600))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        let refused = tcp(one, None).unwrap_err().to_string();
        assert_eq!(error.to_string(), format!("{one}: {refused}, {two}: {refused}"));
    }

    /// An address that never answers takes only its share of the time.
    #[test]
    fn a_silent_address_leaves_time_for_the_next() {
        // A listener whose queue is full drops connections: Linux then answers nothing.
        let full = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        full.bind(&"127.0.0.1:0".parse::<SocketAddr>().unwrap().into()).unwrap();
        full.listen(0).unwrap();
        let silent = full.local_addr().unwrap().as_socket().unwrap();
        let mut queued = Vec::new();
        let is_silent = (0..64).any(|_| match tcp(silent, Some(Duration::from_millis(200))) {
            Ok(stream) => {
                queued.push(stream);
                false
            }
            Err(e) => e.kind() == ErrorKind::TimedOut,
        });
        if !is_silent {
            use std::io::Write;
            let _ = writeln!(io::stderr(), "SKIPPED, a full listener answers: a_silent_address");
            return;
        }
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let good = listener.local_addr().unwrap();
        let stream = first_of(&[silent, good], Some(Duration::from_secs(4))).unwrap();
        assert_eq!(stream.peer(), Some(good));
        let error = first_of(&[silent], Some(Duration::from_millis(100))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
    }
}
