//! One stream of bytes to one peer. A socket is a file descriptor, and from here on TCP and Unix
//! sockets are the same thing: receive, send, wait, shut.

use rustix::buffer::spare_capacity;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{RecvFlags, SendAncillaryBuffer, SendFlags, recv, send, sendmsg};
use socket2::Socket;
use std::fmt;
use std::io::{self, ErrorKind, IoSlice};
use std::net::{Shutdown, SocketAddr};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

/// So many bytes have to leave within one write time-out. Without it a peer that takes a byte now
/// and then would hold its thread for ever.
const FLUSH_BYTES: usize = 1 << 20;

/// A connected socket.
#[derive(Debug)]
pub struct Stream {
    socket: Socket,
    peer: Option<SocketAddr>,
}

impl Stream {
    /// Takes a connected socket; `peer` is its address if it is of TCP.
    pub fn new(socket: impl Into<Socket>, peer: Option<SocketAddr>) -> Self {
        Stream { socket: socket.into(), peer }
    }

    /// The peer's address, if it is of TCP.
    pub fn peer(&self) -> Option<SocketAddr> {
        self.peer
    }

    /// Receives what is there, at most `buffer`, or waits until something comes; 0 is the end of
    /// the stream.
    ///
    /// # Errors
    /// [`ErrorKind::TimedOut`] after the [idle time-out](Stream::set_idle_timeout).
    pub fn receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
        idle(retry(|| recv(&self.socket, &mut *buffer, RecvFlags::empty()).map(|(n, _)| n)))
    }

    /// Receives into the spare capacity of `buffer`; otherwise like [`receive`](Stream::receive).
    pub fn receive_spare(&self, buffer: &mut Vec<u8>) -> io::Result<usize> {
        idle(retry(|| {
            recv(&self.socket, spare_capacity(buffer), RecvFlags::empty()).map(|(_, n)| n)
        }))
    }

    /// Receives what is there without waiting.
    ///
    /// # Errors
    /// [`ErrorKind::WouldBlock`] if nothing is there.
    pub fn receive_now(&self, buffer: &mut [u8]) -> io::Result<usize> {
        retry(|| recv(&self.socket, &mut *buffer, RecvFlags::DONTWAIT).map(|(n, _)| n))
    }

    /// Sends what the kernel has room for, of `parts` one after the other, and says how much.
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

    /// Sends all of `parts`, one after the other, in one call if the kernel has room for them.
    ///
    /// # Errors
    /// [`ErrorKind::TimedOut`] if a mebibyte, or what is left, takes longer than `timeout`.
    pub fn send_all(&self, mut parts: &mut [IoSlice<'_>], timeout: Duration) -> io::Result<()> {
        // Since when nothing more fits, and how much did after all.
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
                        Instant::now() + timeout
                    });
                    if Instant::now() >= deadline {
                        return Err(timed_out("the peer does not take its replies"));
                    }
                    // Ready is when a third of the buffer is free, which may be more than a
                    // steady peer has to take: so when time is up, what fits counts.
                    self.wait_writable(deadline)?;
                }
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    /// Waits until something can be received, the end of the stream included; false if `deadline`
    /// came first.
    pub fn wait_readable(&self, deadline: Instant) -> io::Result<bool> {
        self.wait(PollFlags::IN, deadline)
    }

    /// Waits until `waker` is readable or `deadline` has come, and then is false; or until
    /// something can be received, the end of the stream included.
    pub fn wait_readable_or(&self, waker: impl AsFd, deadline: Instant) -> io::Result<bool> {
        let own = PollFd::new(&self.socket, PollFlags::IN);
        let mut fds = [own, PollFd::new(&waker, PollFlags::IN)];
        let ready = wait(&mut fds, deadline)?;
        Ok(ready && fds[1].revents().is_empty())
    }

    /// Waits until much can be sent, or the stream is broken; false if `deadline` came first. Then
    /// something may fit all the same.
    pub fn wait_writable(&self, deadline: Instant) -> io::Result<bool> {
        self.wait(PollFlags::OUT, deadline)
    }

    fn wait(&self, what: PollFlags, deadline: Instant) -> io::Result<bool> {
        wait(&mut [PollFd::new(&self.socket, what)], deadline)
    }

    /// How long [`receive`](Stream::receive) waits; `None` is for ever.
    pub fn set_idle_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.socket.set_read_timeout(timeout)
    }

    /// Shuts one or both directions, for every thread that uses the stream. One that waits in
    /// [`receive`](Stream::receive) gets 0. A peer that is gone already is no error.
    pub fn shutdown(&self, how: Shutdown) {
        let _ = self.socket.shutdown(how);
    }

    /// Ends the sending side and drops what still comes, until the peer closes too, or `max`
    /// time or `max_bytes` bytes have passed. Closing with unread bytes would send a reset, and
    /// that destroys the last reply in the peer's buffers (RFC 1122, 4.2.2.13).
    pub fn linger(&self, max: Duration, max_bytes: usize) {
        self.shutdown(Shutdown::Write);
        let deadline = Instant::now() + max;
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

    /// Drops for so long what comes, after the read side was shut: then 0 tells nothing about the
    /// peer, and nothing can be waited for.
    pub fn drain(&self, max: Duration) {
        const LOOK_AGAIN: Duration = Duration::from_millis(10);
        let deadline = Instant::now() + max;
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

/// The peer as logs name it.
impl fmt::Display for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.peer {
            Some(address) => address.fmt(f),
            None => f.write_str("unix"),
        }
    }
}

/// Polls; false if `deadline` came first.
fn wait(fds: &mut [PollFd<'_>], deadline: Instant) -> io::Result<bool> {
    retry(|| {
        let left = deadline.saturating_duration_since(Instant::now());
        let left = Timespec::try_from(left).map_err(|_| rustix::io::Errno::INVAL)?;
        poll(fds, Some(&left)).map(|ready| ready > 0)
    })
}

/// A signal that a handler took is no reason to stop.
fn retry<T>(mut call: impl FnMut() -> rustix::io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(rustix::io::Errno::INTR) => {}
            done => return done.map_err(io::Error::from),
        }
    }
}

/// socket(7): a receive time-out is reported as EAGAIN.
fn idle(received: io::Result<usize>) -> io::Result<usize> {
    received.map_err(|e| match e.kind() {
        ErrorKind::WouldBlock => timed_out("the peer was silent for too long"),
        _ => e,
    })
}

pub(super) fn timed_out(why: &str) -> io::Error {
    io::Error::new(ErrorKind::TimedOut, why)
}
