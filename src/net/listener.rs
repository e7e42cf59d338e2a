//! A listening TCP or Unix socket.

use super::address::Address;
use super::options::{set_listener_options, set_user_timeout};
use super::stream::Stream;
use super::unix_socket::{self, file_of};
use crate::waker::Waker;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::net::sockopt::socket_acceptconn;
use socket2::{Domain, SockAddr, SockRef, Socket, Type};
use std::fs;
use std::io::{self, ErrorKind};
use std::net::{Shutdown, TcpListener};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixListener;
use std::time::Duration;

/// How many connections the kernel holds until they are accepted; listen(2) limits it to
/// `net.core.somaxconn`.
const BACKLOG: i32 = 1024;

/// A bound, listening socket.
#[derive(Debug)]
pub struct Listener {
    kind: Kind,
    address: Address,
    /// Of a socket that others listen on too, and go on to: it must not be shut down to end a wait.
    closed: Option<Waker>,
}

#[derive(Debug)]
enum Kind {
    Tcp(TcpListener),
    /// With the device and inode of its file, so that only its own file is removed in the end;
    /// `None` is the file of others.
    Unix(UnixListener, Option<(u64, u64)>),
}

impl Listener {
    /// Binds and listens on all that an address stands for: see [`bind_all`](Self::bind_all).
    ///
    /// # Errors
    /// Those of [`bind_all`](Self::bind_all), and of [`Address::resolve`].
    pub fn bind(address: &Address) -> io::Result<Vec<Self>> {
        Listener::bind_all(&address.resolve()?)
    }

    /// Binds the addresses of one name, and listens on each. An address that this machine does not
    /// have is skipped with a warning, if there is another: a container without IPv6 often still
    /// calls `::1` localhost.
    ///
    /// Takes over a TCP port that a connection of a stopped server still occupies (SO_REUSEADDR,
    /// socket(7)). A Unix socket has mode 0600 from the first moment. Replaces the socket file of a
    /// dead server, and leaves anything else at the path alone.
    ///
    /// # Errors
    /// Those of the system, each with the address: [`ErrorKind::AddrInUse`] also for a Unix path
    /// where a server answers.
    pub fn bind_all(addresses: &[Address]) -> io::Result<Vec<Self>> {
        let (mut listeners, mut missing) = (Vec::new(), None);
        for address in addresses {
            match Listener::bind_one(address) {
                Ok(listener) => listeners.push(listener),
                Err(e) if is_missing(&e) => {
                    log::warn!("not listening on {address}: {e}");
                    missing = Some(with_address(&e, address, &e.to_string()));
                }
                Err(e) if e.kind() == ErrorKind::AddrInUse => {
                    return Err(with_address(&e, address, "address already in use"));
                }
                Err(e) => return Err(with_address(&e, address, &e.to_string())),
            }
        }
        match missing {
            Some(e) if listeners.is_empty() => Err(e),
            _ => Ok(listeners),
        }
    }

    fn bind_one(address: &Address) -> io::Result<Self> {
        match address {
            Address::Tcp(address) => {
                let domain = Domain::for_address(*address);
                let socket = Socket::new(domain, Type::STREAM, None)?;
                set_listener_options(&socket, domain == Domain::IPV6);
                socket.bind(&SockAddr::from(*address))?;
                socket.listen(BACKLOG)?;
                let listener = TcpListener::from(socket);
                let address = Address::Tcp(listener.local_addr()?);
                Ok(Listener { kind: Kind::Tcp(listener), address, closed: None })
            }
            Address::Unix(path) => {
                let (listener, file) = unix_socket::bind(path, BACKLOG)?;
                let kind = Kind::Unix(listener, Some(file));
                Ok(Listener { kind, address: address.clone(), closed: None })
            }
            Address::Host(_) => Err(ErrorKind::InvalidInput.into()),
        }
    }

    /// Makes a listener of a TCP socket that another process has bound, and goes on to listen on
    /// after [`close`](Listener::close): a service manager.
    ///
    /// # Errors
    /// The socket does not listen, or no file descriptor is left.
    pub fn from_tcp(listener: TcpListener) -> io::Result<Self> {
        check_listens(&listener)?;
        listener.set_nonblocking(true)?;
        set_listener_options(&SockRef::from(&listener), false);
        let address = Address::Tcp(listener.local_addr()?);
        Ok(Listener { kind: Kind::Tcp(listener), address, closed: Some(Waker::new()?) })
    }

    /// Does the same for a Unix socket. Its file stays in the end.
    ///
    /// # Errors
    /// As for [`from_tcp`](Listener::from_tcp), and a socket without a path, which no client of
    /// telefile can name.
    pub fn from_unix(listener: UnixListener) -> io::Result<Self> {
        check_listens(&listener)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let no_path = || io::Error::new(ErrorKind::InvalidInput, "a Unix socket without a path");
        let address = Address::Unix(address.as_pathname().ok_or_else(no_path)?.to_path_buf());
        Ok(Listener { kind: Kind::Unix(listener, None), address, closed: Some(Waker::new()?) })
    }

    /// Ends connections whose peer acknowledges nothing that was sent for this long (tcp(7),
    /// TCP_USER_TIMEOUT), including a peer that reads nothing. On Linux accepted sockets inherit
    /// it; elsewhere only keepalive notices that a peer has vanished.
    pub fn set_user_timeout(&self, timeout: Duration) {
        if let Kind::Tcp(listener) = &self.kind {
            set_user_timeout(SockRef::from(listener), timeout);
        }
    }

    /// Returns the address, with the port that the system chose.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Waits for the next connection.
    ///
    /// # Errors
    /// Those of accept(2). Most are temporary (a connection that has ended already, no file
    /// descriptor left); after [`close`](Listener::close) it always fails.
    pub fn accept(&self) -> io::Result<Stream> {
        let Some(closed) = &self.closed else { return self.accept_now() };
        loop {
            let mut polled = [
                PollFd::from_borrowed_fd(self.fd(), PollFlags::IN),
                PollFd::new(closed, PollFlags::IN),
            ];
            poll(&mut polled, None)?;
            if !polled[1].revents().is_empty() {
                return Err(ErrorKind::NotConnected.into());
            }
            match self.accept_now() {
                Err(e) if e.kind() == ErrorKind::WouldBlock => {} // another process has accepted it
                accepted => return accepted,
            }
        }
    }

    fn accept_now(&self) -> io::Result<Stream> {
        match &self.kind {
            Kind::Tcp(listener) => {
                let (stream, peer) = listener.accept()?;
                #[cfg(not(target_os = "linux"))]
                {
                    stream.set_nonblocking(false)?; // inherited there
                    super::options::set_options(SockRef::from(&stream));
                }
                Ok(Stream::new(stream, Some(peer)))
            }
            Kind::Unix(listener, _) => {
                let (stream, _) = listener.accept()?;
                #[cfg(not(target_os = "linux"))]
                stream.set_nonblocking(false)?;
                Ok(Stream::new(stream, None))
            }
        }
    }

    fn fd(&self) -> BorrowedFd<'_> {
        match &self.kind {
            Kind::Tcp(listener) => listener.as_fd(),
            Kind::Unix(listener, _) => listener.as_fd(),
        }
    }

    /// Stops listening, wakes the thread that waits in [`accept`](Listener::accept), and removes
    /// the file of a Unix socket. Where others listen too, they go on.
    pub fn close(&self) {
        if let Some(closed) = &self.closed {
            return closed.wake();
        }
        let _ = SockRef::from(&self.fd()).shutdown(Shutdown::Both);
        if let (Kind::Unix(_, Some(file)), Address::Unix(path)) = (&self.kind, &self.address)
            && file_of(path).is_ok_and(|f| f == *file)
        {
            let _ = fs::remove_file(path);
        }
    }
}

/// Removes the file of a Unix socket, also when another address could not be bound.
impl Drop for Listener {
    fn drop(&mut self) {
        self.close();
    }
}

/// Refuses a socket that does not listen: accept would never return a client.
fn check_listens(socket: impl AsFd) -> io::Result<()> {
    match socket_acceptconn(socket)? {
        true => Ok(()),
        false => Err(io::Error::new(ErrorKind::InvalidInput, "the socket does not listen")),
    }
}

/// Returns whether the machine lacks such an address, or its whole family.
fn is_missing(e: &io::Error) -> bool {
    let family = rustix::io::Errno::AFNOSUPPORT.raw_os_error();
    e.kind() == ErrorKind::AddrNotAvailable || e.raw_os_error() == Some(family)
}

fn with_address(e: &io::Error, address: &Address, why: &str) -> io::Error {
    io::Error::new(e.kind(), format!("{address}: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_server_takes_the_port_at_once() {
        let listener = Listener::bind_one(&"127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.address().clone();
        let Address::Tcp(tcp) = address else { unreachable!() };
        let client = std::net::TcpStream::connect(tcp).unwrap();
        // The server closes first, so its side stays in TIME-WAIT.
        drop(listener.accept().unwrap());
        drop(listener);
        drop(client);
        Listener::bind_one(&address).unwrap();
    }

    #[test]
    fn all_addresses_of_a_name_are_bound() {
        // The last one is from a documentation network (RFC 5737), so no machine has it.
        let given = ["127.0.0.1:0", "127.0.0.2:0", "192.0.2.1:0"].map(|a| a.parse().unwrap());
        let listeners = Listener::bind_all(&given).unwrap();
        let bound = |listener: &Listener| match listener.address() {
            Address::Tcp(address) => address.ip().to_string(),
            other => panic!("{other}"),
        };
        assert_eq!(listeners.iter().map(bound).collect::<Vec<_>>(), ["127.0.0.1", "127.0.0.2"]);
        let none = Listener::bind_all(&given[2..]).unwrap_err();
        assert!(none.to_string().starts_with("192.0.2.1:0: "), "{none}");
        // An address that is in use is not a missing one.
        let taken = listeners[1].address().clone();
        let error = Listener::bind_all(&[given[0].clone(), taken.clone()]).unwrap_err();
        assert_eq!(error.to_string(), format!("{taken}: address already in use"));
    }

    #[test]
    fn close_wakes_accept() {
        let socket = std::env::temp_dir().join(format!("telefile-wake-{}", std::process::id()));
        for address in ["127.0.0.1:0".to_string(), format!("unix:{}", socket.display())] {
            let listener = Listener::bind_one(&address.parse().unwrap()).unwrap();
            std::thread::scope(|scope| {
                let accept = scope.spawn(|| listener.accept().is_err());
                listener.close();
                assert!(accept.join().unwrap());
            });
        }
    }
}
