//! One stream of bytes to one peer. A socket is a file descriptor, and from here on TCP and Unix
//! sockets are the same: receive, send, wait, shut.

use crate::exptime::FOREVER;
use rustix::buffer::spare_capacity;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{RecvFlags, SendAncillaryBuffer, SendFlags, recv, send, sendmsg};
use socket2::Socket;
use std::fmt;
use std::io::{self, ErrorKind, IoSlice};
use std::net::{Shutdown, SocketAddr};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

/// How many bytes have to leave within one write time-out. Otherwise a peer that takes a byte now
/// and then would hold its thread forever.
const FLUSH_BYTES: usize = 1 << 20;

/// A connected socket.
#[derive(Debug)]
pub struct Stream {
    socket: Socket,
    peer: Option<SocketAddr>,
}

impl Stream {
    /// Wraps a connected socket; `peer` is its address if it is a TCP socket.
    pub fn new(socket: impl Into<Socket>, peer: Option<SocketAddr>) -> Self {
        Stream { socket: socket.into(), peer }
    }

    /// Returns the peer's address, if it is a TCP socket.
    pub fn peer(&self) -> Option<SocketAddr> {
        self.peer
    }

    /// Notices within about this time that the peer has vanished, or takes nothing; keepalive alone takes
    /// a minute, and needs longer while something is on its way.
    #[cfg(feature = "etcd")]
    pub(crate) fn notice_loss_within(&self, patience: Duration) {
        if self.peer.is_some() {
            super::options::set_life(socket2::SockRef::from(&self.socket), patience);
        }
    }

    /// Receives what has arrived, at most the size of `buffer`, or waits until something arrives.
    /// Returns 0 at the end of the stream.
    ///
    /// # Errors
    /// [`ErrorKind::TimedOut`] after the [idle time-out](Stream::set_idle_timeout).
    pub fn receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
        eagain_is_timeout(retry(|| {
            recv(&self.socket, &mut *buffer, RecvFlags::empty()).map(|(n, _)| n)
        }))
    }

    /// Receives into the spare capacity of `buffer`; otherwise like [`receive`](Stream::receive).
    pub fn receive_spare(&self, buffer: &mut Vec<u8>) -> io::Result<usize> {
        eagain_is_timeout(retry(|| {
            recv(&self.socket, spare_capacity(buffer), RecvFlags::empty()).map(|(_, n)| n)
        }))
    }

    /// Receives what has arrived, without waiting.
    ///
    /// # Errors
    /// [`ErrorKind::WouldBlock`] if nothing has arrived.
    pub fn receive_now(&self, buffer: &mut [u8]) -> io::Result<usize> {
        retry(|| recv(&self.socket, &mut *buffer, RecvFlags::DONTWAIT).map(|(n, _)| n))
    }

    /// Receives what has arrived into the spare capacity of `buffer`, without waiting.
    ///
    /// # Errors
    /// [`ErrorKind::WouldBlock`] if nothing has arrived.
    #[cfg(feature = "etcd")]
    pub(super) fn receive_spare_now(&self, buffer: &mut Vec<u8>) -> io::Result<usize> {
        retry(|| recv(&self.socket, spare_capacity(buffer), RecvFlags::DONTWAIT).map(|(_, n)| n))
    }

    /// Returns the next byte and leaves it where it is; `None` at the end of the stream.
    ///
    /// # Errors
    /// [`ErrorKind::WouldBlock`] if nothing has arrived.
    #[cfg(feature = "etcd")]
    pub(crate) fn peek(&self) -> io::Result<Option<u8>> {
        let (mut byte, flags) = ([0], RecvFlags::PEEK | RecvFlags::DONTWAIT);
        let n = retry(|| recv(&self.socket, &mut byte[..], flags).map(|(n, _)| n))?;
        Ok((n > 0).then_some(byte[0]))
    }

    #[cfg(feature = "etcd")]
    pub(super) fn socket(&self) -> &Socket {
        &self.socket
    }

    /// Sends as much of `parts`, in order, as the kernel has room for, and returns how much.
    ///
    /// # Errors
    /// [`ErrorKind::WouldBlock`] if there is no room.
    pub fn send_now(&self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        retry(|| match parts {
            [one] => send(&self.socket, one, flags),
            many => sendmsg(&self.socket, many, &mut SendAncillaryBuffer::default(), flags),
        })
    }

    /// Sends all of `parts`, in order, in one call if the kernel has room for them.
    ///
    /// # Errors
    /// [`ErrorKind::TimedOut`] if a mebibyte, or what is left, takes longer than `timeout`.
    pub fn send_all(&self, mut parts: &mut [IoSlice<'_>], timeout: Duration) -> io::Result<()> {
        // By when a mebibyte has to leave, `None` while all fits; and how much of it has left.
        let (mut deadline, mut taken) = (None, 0);
        IoSlice::advance_slices(&mut parts, 0); // drops empty parts
        while !parts.is_empty() {
            match self.send_now(parts) {
                Ok(n) => {
                    IoSlice::advance_slices(&mut parts, n);
                    taken += n;
                    if taken >= FLUSH_BYTES {
                        deadline = None;
                    }
                }
                Err(e) if e.kind() == ErrorKind::WouldBlock => {
                    let deadline = *deadline.get_or_insert_with(|| {
                        taken = 0;
                        after(timeout)
                    });
                    if Instant::now() >= deadline {
                        return Err(timed_out("the peer reads too slowly"));
                    }
                    // poll reports ready when a third of the buffer is free, which may be more than
                    // a steady peer has to take: so at the deadline, what fits still counts.
                    self.wait_writable(deadline)?;
                }
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    /// Waits until something can be received, or the stream ends. Returns false if `deadline` came
    /// first.
    pub fn wait_readable(&self, deadline: Instant) -> io::Result<bool> {
        self.wait(PollFlags::IN, deadline)
    }

    /// Waits until something can be received or the stream ends, and then returns true; or until
    /// `waker` is readable or `deadline` has passed, and then returns false. False if both.
    pub fn wait_readable_or(&self, waker: impl AsFd, deadline: Instant) -> io::Result<bool> {
        let own = PollFd::new(&self.socket, PollFlags::IN);
        let mut polled = [own, PollFd::new(&waker, PollFlags::IN)];
        let ready = wait(&mut polled, deadline)?;
        Ok(ready && polled[1].revents().is_empty())
    }

    /// Waits until much can be sent, or the stream is broken. Returns false if `deadline` came
    /// first; even then, something may fit.
    pub fn wait_writable(&self, deadline: Instant) -> io::Result<bool> {
        self.wait(PollFlags::OUT, deadline)
    }

    fn wait(&self, what: PollFlags, deadline: Instant) -> io::Result<bool> {
        wait(&mut [PollFd::new(&self.socket, what)], deadline)
    }

    /// Sets how long [`receive`](Stream::receive) waits; `None` is forever.
    pub fn set_idle_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.socket.set_read_timeout(timeout)
    }

    /// Shuts one or both directions, for every thread that uses the stream. A thread that waits in
    /// [`receive`](Stream::receive) gets 0. A peer that has disconnected is no error.
    pub fn shutdown(&self, how: Shutdown) {
        let _ = self.socket.shutdown(how);
    }

    /// Ends the sending side and discards what still arrives, until the peer closes too, or `max`
    /// time has passed or `max_bytes` bytes have come. Closing with unread bytes would send a
    /// reset, which destroys the last reply in the peer's buffers (RFC 1122, 4.2.2.13).
    pub fn linger(&self, max: Duration, max_bytes: usize) {
        self.shutdown(Shutdown::Write);
        let deadline = after(max);
        let mut dropped = 0;
        let mut sink = [0; 4096];
        while dropped < max_bytes && self.wait_readable(deadline).unwrap_or(false) {
            match self.receive_now(&mut sink) {
                Ok(0) => return,
                Ok(n) => dropped += n,
                Err(e) if e.kind() == ErrorKind::WouldBlock => {}
                Err(_) => return,
            }
        }
    }

    /// Discards what arrives within `max`, after the read side was shut: then 0 says nothing about
    /// the peer, and there is nothing to wait for.
    pub fn drain(&self, max: Duration) {
        const LOOK_AGAIN: Duration = Duration::from_millis(10);
        let deadline = after(max);
        let mut sink = [0; 4096];
        while Instant::now() < deadline {
            match self.receive_now(&mut sink) {
                Ok(0) => std::thread::sleep(LOOK_AGAIN),
                Ok(_) => {}
                Err(e) if e.kind() == ErrorKind::WouldBlock => std::thread::sleep(LOOK_AGAIN),
                Err(_) => return,
            }
        }
    }
}

/// Shows the peer as logs name it.
impl fmt::Display for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.peer {
            Some(address) => address.fmt(f),
            None => f.write_str("unix"),
        }
    }
}

/// Returns the instant after `time`. One that is too far away cannot be represented.
fn after(time: Duration) -> Instant {
    Instant::now() + time.min(FOREVER)
}

/// Polls. Returns false if the deadline came first.
fn wait(polled: &mut [PollFd<'_>], deadline: Instant) -> io::Result<bool> {
    retry(|| {
        let left = deadline.saturating_duration_since(Instant::now());
        let left = Timespec::try_from(left).map_err(|_| rustix::io::Errno::INVAL)?;
        poll(polled, Some(&left)).map(|ready| ready > 0)
    })
}

/// Retries after a signal: a handler took it, so the call goes on.
fn retry<T>(mut call: impl FnMut() -> rustix::io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(rustix::io::Errno::INTR) => {}
            done => return done.map_err(io::Error::from),
        }
    }
}

/// Turns EAGAIN into a time-out: socket(7) reports a receive time-out as EAGAIN.
fn eagain_is_timeout(received: io::Result<usize>) -> io::Result<usize> {
    received.map_err(|e| match e.kind() {
        ErrorKind::WouldBlock => timed_out("the peer was silent for too long"),
        _ => e,
    })
}

pub(super) fn timed_out(why: &str) -> io::Error {
    io::Error::new(ErrorKind::TimedOut, why)
}
