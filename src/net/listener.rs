//! A listening socket, of TCP or of Unix.

use super::address::Address;
use super::stream::{Stream, set_options};
use socket2::{Domain, SockAddr, SockRef, Socket, Type};
use std::fs::{self, TryLockError};
use std::io::{self, ErrorKind};
use std::net::{Shutdown, TcpListener};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How many connections the kernel holds until they are accepted; listen(2) cuts it to
/// `net.core.somaxconn`.
const BACKLOG: i32 = 1024;

/// A bound socket that listens.
#[derive(Debug)]
pub struct Listener {
    kind: Kind,
    address: Address,
}

#[derive(Debug)]
enum Kind {
    Tcp(TcpListener),
    /// With the device and inode of its file, so that only our own is removed in the end.
    Unix(UnixListener, (u64, u64)),
}

impl Listener {
    /// Binds and listens.
    ///
    /// A TCP port that a connection of an ended server still occupies is taken over (SO_REUSEADDR,
    /// socket(7)). A Unix socket has mode 0600 from the first moment; the socket file of a dead
    /// server is replaced, anything else at the path is left alone.
    ///
    /// # Errors
    /// Those of the system, each with the address: [`ErrorKind::AddrInUse`] also for a Unix path
    /// where a server answers.
    pub fn bind(address: &Address) -> io::Result<Self> {
        let bound = match address {
            Address::Tcp(socket_address) => {
                let domain = Domain::for_address(*socket_address);
                let socket = Socket::new(domain, Type::STREAM, None)?;
                bind_tcp(&socket, &SockAddr::from(*socket_address), domain).and_then(|()| {
                    let listener = TcpListener::from(socket);
                    let address = Address::Tcp(listener.local_addr()?);
                    Ok(Listener { kind: Kind::Tcp(listener), address })
                })
            }
            Address::Unix(path) => bind_unix(path).map(|(listener, file)| Listener {
                kind: Kind::Unix(listener, file),
                address: address.clone(),
            }),
        };
        bound.map_err(|e| match e.kind() {
            ErrorKind::AddrInUse => with_address(&e, address, "address already in use"),
            _ => with_address(&e, address, &e.to_string()),
        })
    }

    /// Ends connections whose peer does not acknowledge for so long what was sent (tcp(7),
    /// TCP_USER_TIMEOUT), one that reads nothing for so long included. Linux hands it on to what is
    /// accepted; elsewhere keepalive alone tells that a peer is gone.
    ///
    /// # Errors
    /// Those of setsockopt(2).
    pub fn set_user_timeout(&self, timeout: Duration) -> io::Result<()> {
        match &self.kind {
            #[cfg(target_os = "linux")]
            Kind::Tcp(listener) => SockRef::from(listener).set_tcp_user_timeout(Some(timeout)),
            _ => {
                let _ = timeout;
                Ok(())
            }
        }
    }

    /// The address, with the port that the system chose.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Waits for the next connection.
    ///
    /// # Errors
    /// Those of accept(2). Most pass (a connection that is gone already, no file descriptor left);
    /// after [`close`](Listener::close) it fails for ever.
    pub fn accept(&self) -> io::Result<Stream> {
        match &self.kind {
            Kind::Tcp(listener) => {
                let (stream, peer) = listener.accept()?;
                #[cfg(not(target_os = "linux"))]
                set_options(SockRef::from(&stream))?;
                Ok(Stream::new(stream, Some(peer)))
            }
            Kind::Unix(listener, _) => Ok(Stream::new(listener.accept()?.0, None)),
        }
    }

    /// Stops listening, wakes the thread that waits in [`accept`](Listener::accept), and removes
    /// the file of a Unix socket.
    pub fn close(&self) {
        let socket = match &self.kind {
            Kind::Tcp(listener) => SockRef::from(listener),
            Kind::Unix(listener, _) => SockRef::from(listener),
        };
        let _ = socket.shutdown(Shutdown::Both);
        if let (Kind::Unix(_, file), Address::Unix(path)) = (&self.kind, &self.address)
            && file_of(path).is_ok_and(|f| f == *file)
        {
            let _ = fs::remove_file(path);
        }
    }
}

/// The file of a Unix socket goes with its listener, also when another address could not be bound.
impl Drop for Listener {
    fn drop(&mut self) {
        self.close();
    }
}

fn bind_tcp(socket: &Socket, address: &SockAddr, domain: Domain) -> io::Result<()> {
    socket.set_reuse_address(true)?;
    if domain == Domain::IPV6 {
        // So that [::]:8080 and 0.0.0.0:8080 can be served side by side.
        socket.set_only_v6(true)?;
    }
    // Linux hands a listener's options on to what it accepts, so they cost nothing later.
    set_options(SockRef::from(socket))?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

fn bind_unix(path: &Path) -> io::Result<(UnixListener, (u64, u64))> {
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder.to_path_buf(),
        _ => PathBuf::from("."),
    };
    // Two servers that start at once must not each take the other's new socket for a dead one.
    let _lock = lock_folder(&folder);
    match fs::symlink_metadata(path) {
        Ok(found) if !found.file_type().is_socket() => {
            return Err(io::Error::new(ErrorKind::AlreadyExists, "the file is not a socket"));
        }
        Ok(_) => match UnixStream::connect(path) {
            Err(e) if e.kind() == ErrorKind::ConnectionRefused => fs::remove_file(path)?,
            _ => return Err(ErrorKind::AddrInUse.into()),
        },
        Err(e) if e.kind() == ErrorKind::NotFound => {}
        Err(e) => return Err(e),
    }
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    // Before bind, so that the file never has another mode: bind(2) makes it with the socket's.
    rustix::fs::fchmod(&socket, rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR)?;
    socket.bind(&SockAddr::unix(path)?)?;
    socket.listen(BACKLOG)?;
    Ok((socket.into(), file_of(path)?))
}

/// Locks the folder against other servers that start in it. Without a lock that can be had soon
/// the server starts all the same: somebody else may hold it for ever.
fn lock_folder(folder: &Path) -> Option<fs::File> {
    const TRIES: u32 = 20;
    const PAUSE: Duration = Duration::from_millis(100);
    let lock = fs::File::open(folder).ok()?;
    for _ in 0..TRIES {
        match lock.try_lock() {
            Ok(()) => return Some(lock),
            Err(TryLockError::WouldBlock) => std::thread::sleep(PAUSE),
            Err(TryLockError::Error(_)) => break,
        }
    }
    log::warn!("no lock on {}", folder.display());
    None
}

fn file_of(path: &Path) -> io::Result<(u64, u64)> {
    let metadata = fs::symlink_metadata(path)?;
    Ok((metadata.dev(), metadata.ino()))
}

fn with_address(e: &io::Error, address: &Address, why: &str) -> io::Error {
    io::Error::new(e.kind(), format!("{address}: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn scratch(name: &str) -> PathBuf {
        let dir = std::env::temp_dir().join(format!("telefile-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir).unwrap();
        dir
    }

    #[test]
    fn a_unix_socket_is_for_its_owner_and_goes_with_the_listener() {
        let dir = scratch("mode");
        let address = Address::Unix(dir.join("s"));
        let listener = Listener::bind(&address).unwrap();
        assert_eq!(fs::metadata(dir.join("s")).unwrap().permissions().mode() & 0o777, 0o600);
        let in_use = Listener::bind(&address).unwrap_err();
        assert_eq!(in_use.to_string(), format!("{address}: address already in use"));
        listener.close();
        assert!(!dir.join("s").exists());
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn a_dead_socket_is_replaced_and_a_file_is_not() {
        let dir = scratch("stale");
        let address = Address::Unix(dir.join("s"));
        drop(UnixListener::bind(dir.join("s")).unwrap());
        assert!(dir.join("s").exists(), "the file of a killed server stays");
        let listener = Listener::bind(&address).unwrap();
        // Replaced behind its back: not ours any more, so it stays.
        fs::remove_file(dir.join("s")).unwrap();
        fs::write(dir.join("s"), "precious").unwrap();
        listener.close();
        assert_eq!(fs::read(dir.join("s")).unwrap(), b"precious");
        assert!(Listener::bind(&address).unwrap_err().to_string().ends_with("is not a socket"));
        assert_eq!(fs::read(dir.join("s")).unwrap(), b"precious");
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn the_next_server_takes_the_port_at_once() {
        let listener = Listener::bind(&"127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.address().clone();
        let Address::Tcp(tcp) = address else { unreachable!() };
        let client = std::net::TcpStream::connect(tcp).unwrap();
        // The server closes first, so its side stays in TIME-WAIT.
        drop(listener.accept().unwrap());
        drop(listener);
        drop(client);
        Listener::bind(&address).unwrap();
    }

    #[test]
    fn close_wakes_accept() {
        for address in
            ["127.0.0.1:0".to_string(), format!("unix:{}", scratch("wake").join("s").display())]
        {
            let listener = Listener::bind(&address.parse().unwrap()).unwrap();
            std::thread::scope(|scope| {
                let accept = scope.spawn(|| listener.accept().is_err());
                listener.close();
                assert!(accept.join().unwrap());
            });
        }
    }
}
