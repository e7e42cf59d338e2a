//! The file of a Unix socket: made for its owner alone, in the place of a dead server's.

use socket2::{Domain, SockAddr, Socket, Type};
use std::fs::{self, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Listens at a path. Replaces the socket of a dead server, and leaves anything else there alone.
/// Returns the device and inode of the file too.
///
/// # Errors
/// Those of the system; [`ErrorKind::AddrInUse`] if a server answers there.
pub(super) fn bind(path: &Path, backlog: i32) -> io::Result<(UnixListener, (u64, u64))> {
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder.to_path_buf(),
        _ => PathBuf::from("."),
    };
    // Two servers that start together must not each take the other's new socket for a dead one.
    let _lock = lock_folder(&folder);
    match fs::symlink_metadata(path) {
        Ok(found) if !found.file_type().is_socket() => {
            return Err(io::Error::new(ErrorKind::AlreadyExists, "the file is not a socket"));
        }
        Ok(_) => match probe(path) {
            Err(e) if e.kind() == ErrorKind::ConnectionRefused => fs::remove_file(path)?,
            _ => return Err(ErrorKind::AddrInUse.into()),
        },
        Err(e) if e.kind() == ErrorKind::NotFound => {}
        Err(e) => return Err(e),
    }
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    // Before bind, so that the file never has another mode: Linux gives it the socket's.
    let early = rustix::fs::fchmod(&socket, rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR);
    socket.bind(&SockAddr::unix(path)?)?;
    let finish = || {
        if early.is_err() {
            // Early enough too: nobody can connect before listen.
            fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
        }
        socket.listen(backlog)?;
        file_of(path)
    };
    let file = finish().inspect_err(|_| drop(fs::remove_file(path)))?;
    Ok((socket.into(), file))
}

/// Connects to the socket at this path, if a server listens there and has room in its queue. Never
/// blocks: a server may hang, and its queue stays full.
fn probe(path: &Path) -> io::Result<()> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.connect(&SockAddr::unix(path)?)
}

/// Locks the folder against other servers that start in it. If the lock is not free soon, the
/// server starts without it: another process may hold it forever.
fn lock_folder(folder: &Path) -> Option<fs::File> {
    const TRIES: u32 = 20;
    const PAUSE: Duration = Duration::from_millis(100);
    let lock = fs::File::open(folder).ok()?; // bind reports what is wrong with it, if that matters
    let mut why = "another process keeps it".to_string();
    for _ in 0..TRIES {
        match lock.try_lock() {
            Ok(()) => return Some(lock),
            Err(TryLockError::WouldBlock) => std::thread::sleep(PAUSE),
            Err(TryLockError::Error(e)) => {
                why = e.to_string();
                break;
            }
        }
    }
    log::warn!("{}: no lock while a server starts: {why}", folder.display());
    None
}

/// Returns the device and inode of the file at a path.
pub(super) fn file_of(path: &Path) -> io::Result<(u64, u64)> {
    let metadata = fs::symlink_metadata(path)?;
    Ok((metadata.dev(), metadata.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::address::Address;
    use crate::net::listener::Listener;

    fn scratch(name: &str) -> PathBuf {
        let dir = std::env::temp_dir().join(format!("telefile-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir).unwrap();
        dir
    }

    #[test]
    fn a_unix_socket_is_private_to_its_owner_and_removed_with_the_listener() {
        let dir = scratch("mode");
        let address = Address::Unix(dir.join("s"));
        let listener = Listener::bind(&address).unwrap().remove(0);
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
        let listener = Listener::bind(&address).unwrap().remove(0);
        // Replaced meanwhile: the file is not the listener's any more, so it stays.
        fs::remove_file(dir.join("s")).unwrap();
        fs::write(dir.join("s"), "precious").unwrap();
        listener.close();
        assert_eq!(fs::read(dir.join("s")).unwrap(), b"precious");
        assert!(Listener::bind(&address).unwrap_err().to_string().ends_with("is not a socket"));
        assert_eq!(fs::read(dir.join("s")).unwrap(), b"precious");
        fs::remove_dir_all(dir).unwrap();
    }

    /// On Linux a blocking connect waits there until the server accepts.
    #[test]
    fn a_server_that_hangs_with_a_full_queue_keeps_its_socket() {
        let dir = scratch("full");
        let path = dir.join("s");
        let hung = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
        hung.bind(&SockAddr::unix(&path).unwrap()).unwrap();
        hung.listen(0).unwrap();
        let mut queued = Vec::new();
        let is_full = (0..64).any(|_| {
            queued.push(Socket::new(Domain::UNIX, Type::STREAM, None).unwrap());
            let client = queued.last().unwrap();
            client.set_nonblocking(true).unwrap();
            client.connect(&SockAddr::unix(&path).unwrap()).is_err()
        });
        assert!(is_full);
        let address = Address::Unix(path.clone());
        assert_eq!(Listener::bind(&address).unwrap_err().kind(), ErrorKind::AddrInUse);
        assert!(path.exists());
        fs::remove_dir_all(dir).unwrap();
    }
}
