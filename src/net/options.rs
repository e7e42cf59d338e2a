//! Socket options. Serving needs none of them: a system that supports fewer (gVisor, the first WSL,
//! an old kernel) still serves, and a warning is logged once for each.

use socket2::{SockRef, Socket, TcpKeepalive};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

/// A peer that vanished silently is noticed after a minute (tcp(7)). While something that was sent to
/// it is unacknowledged there are no probes, and the [user time-out](set_user_timeout) decides.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(30);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
const KEEPALIVE_PROBES: u32 = 3;

/// A socket option, and whether a warning is logged that the system does not support it.
struct Optional {
    name: &'static str,
    without_it: &'static str,
    warned: AtomicBool,
}

impl Optional {
    const fn new(name: &'static str, without_it: &'static str) -> Self {
        Optional { name, without_it, warned: AtomicBool::new(false) }
    }

    /// Warns only the first time: it is the same for all sockets.
    fn check(&self, set: io::Result<()>) {
        if let Err(e) = set
            && !self.warned.swap(true, Relaxed)
        {
            log::warn!("{} cannot be set on this system ({e}): {}", self.name, self.without_it);
        }
    }
}

/// Makes a connection send at once, and notice that a silent peer has vanished.
pub(super) fn set_options(socket: SockRef<'_>) {
    static NODELAY: Optional = Optional::new("TCP_NODELAY", "small messages may be late");
    static KEEPALIVE: Optional =
        Optional::new("TCP keepalive", "a client that vanished may stay connected");
    NODELAY.check(socket.set_tcp_nodelay(true));
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE_IDLE);
    let keepalive = keepalive.with_interval(KEEPALIVE_INTERVAL).with_retries(KEEPALIVE_PROBES);
    KEEPALIVE.check(socket.set_tcp_keepalive(&keepalive));
}

/// Sets the options of a listener. On Linux accepted connections inherit theirs, which then cost
/// nothing.
pub(super) fn set_listener_options(socket: &Socket, is_v6: bool) {
    static REUSE: Optional =
        Optional::new("SO_REUSEADDR", "for a minute after a stop the port may be in use");
    static ONLY_V6: Optional = Optional::new("IPV6_V6ONLY", "[::] may serve IPv4 too");
    static INLINE: Optional =
        Optional::new("SO_OOBINLINE", "telnet with autosynch may lose its connection");
    // Its interrupt ends with an urgent byte; without that, half a command would stay (RFC 854).
    INLINE.check(socket.set_out_of_band_inline(true));
    REUSE.check(socket.set_reuse_address(true));
    if is_v6 {
        // So that [::]:8080 and 0.0.0.0:8080 can be served side by side.
        ONLY_V6.check(socket.set_only_v6(true));
    }
    set_options(SockRef::from(socket));
}

pub(super) fn set_send_timeout(socket: &Socket, timeout: Option<Duration>) {
    static SEND: Optional =
        Optional::new("SO_SNDTIMEO", "connecting to a busy Unix socket may take longer");
    SEND.check(socket.set_write_timeout(timeout));
}

/// Ends a connection whose peer has vanished within about this time, whether something was sent to it
/// or not. Elsewhere than on Linux, the latter only.
#[cfg(feature = "etcd")]
pub(super) fn set_life(socket: SockRef<'_>, patience: Duration) {
    static KEEPALIVE: Optional =
        Optional::new("TCP keepalive", "a server that vanished may stay connected");
    let interval = patience / 6; // keepalive alone: after half of the time, three probes
    let keepalive = TcpKeepalive::new().with_time(patience / 2);
    let keepalive = keepalive.with_interval(interval).with_retries(KEEPALIVE_PROBES);
    KEEPALIVE.check(socket.set_tcp_keepalive(&keepalive));
    set_user_timeout(socket, patience);
}

/// Ends a connection that has something unacknowledged for this long. Only Linux supports it;
/// elsewhere only keepalive notices a peer that has vanished.
pub(super) fn set_user_timeout(socket: SockRef<'_>, timeout: Duration) {
    #[cfg(target_os = "linux")]
    {
        static USER: Optional =
            Optional::new("TCP_USER_TIMEOUT", "a client that vanished may stay connected");
        USER.check(socket.set_tcp_user_timeout(Some(timeout)));
    }
    let _ = (socket, timeout);
}
