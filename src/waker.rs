//! Wakes threads that wait for a peer. A common word: imports nothing from this crate.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

/// A file descriptor that becomes readable when [`wake`](Waker::wake) is called, and stays so. Any
/// number of threads may poll it, each beside its own socket: with a condition variable they would
/// not notice that their peer has disconnected.
pub struct Waker(Inner);

#[cfg(target_os = "linux")]
type Inner = std::os::fd::OwnedFd;

/// Shut on wake: the second end then reads the end of the stream.
#[cfg(not(target_os = "linux"))]
type Inner = (std::os::unix::net::UnixStream, std::os::unix::net::UnixStream);

#[cfg(target_os = "linux")]
impl Waker {
    /// How many file descriptors a waker has.
    pub const DESCRIPTORS: u64 = 1;

    /// Returns a waker that has not woken anybody.
    ///
    /// # Errors
    /// Those of eventfd(2): no file descriptor is left.
    pub fn new() -> io::Result<Self> {
        use rustix::event::{EventfdFlags, eventfd};
        Ok(Waker(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?))
    }

    /// Wakes all threads that wait, and all that ever will.
    pub fn wake(&self) {
        // Fails only if the counter is full, and then they are awake.
        let _ = rustix::io::write(&self.0, &1_u64.to_ne_bytes());
    }
}

#[cfg(not(target_os = "linux"))]
impl Waker {
    /// How many file descriptors a waker has.
    pub const DESCRIPTORS: u64 = 2;

    /// Returns a waker that has not woken anybody.
    ///
    /// # Errors
    /// Those of socketpair(2): no file descriptor is left.
    pub fn new() -> io::Result<Self> {
        std::os::unix::net::UnixStream::pair().map(Waker)
    }

    /// Wakes all threads that wait, and all that ever will.
    pub fn wake(&self) {
        let _ = self.0.0.shutdown(std::net::Shutdown::Both);
    }
}

impl AsFd for Waker {
    fn as_fd(&self) -> BorrowedFd<'_> {
        #[cfg(target_os = "linux")]
        return self.0.as_fd();
        #[cfg(not(target_os = "linux"))]
        return self.0.1.as_fd();
    }
}

impl fmt::Debug for Waker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Waker")
    }
}
