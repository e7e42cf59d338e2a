//! Reports to the service manager that started this process, as sd_notify(3) does.

use super::failure::one_line;
use std::env;
use std::ffi::OsStr;
use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// Reports a state, such as `READY=1`, if NOTIFY_SOCKET says where. Waits for at most `patience` if
/// the service manager has no room for it. A failure is logged: the service manager has its own
/// time-out.
pub(super) fn report(state: &str, patience: Duration) {
    let Some(socket) = env::var_os("NOTIFY_SOCKET").filter(|socket| !socket.is_empty()) else {
        return;
    };
    if let Err(e) = send(&socket, state, patience) {
        let socket = one_line(&socket.to_string_lossy());
        let what = state.lines().next().unwrap_or_default();
        log::warn!("NOTIFY_SOCKET={socket}: {what} is not reported: {e}");
    }
}

fn send(socket: &OsStr, state: &str, patience: Duration) -> io::Result<()> {
    let datagram = UnixDatagram::unbound()?;
    datagram.set_write_timeout(Some(patience))?;
    datagram.send_to_addr(state.as_bytes(), &address(socket)?).map(drop)
}

/// Returns the address of a path, or of a name in the abstract namespace: unix(7).
fn address(socket: &OsStr) -> io::Result<SocketAddr> {
    match socket.as_bytes() {
        [b'/', ..] => SocketAddr::from_pathname(socket),
        #[cfg(target_os = "linux")]
        [b'@', name @ ..] => {
            <SocketAddr as std::os::linux::net::SocketAddrExt>::from_abstract_name(name)
        }
        _ => Err(io::Error::new(ErrorKind::InvalidInput, "no absolute path, and no @NAME")),
    }
}
