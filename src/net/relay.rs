//! Two streams joined: what one peer sends, the other receives. Knows no line.

use super::stream::{Stream, timed_out};
use rustix::event::{PollFd, PollFlags, poll};
use std::io::{self, ErrorKind, IoSlice};
use std::net::Shutdown;
use std::time::{Duration, Instant};

/// The buffer of each direction, in bytes. While it is full, its sender has to wait.
const BUFFER_BYTES: usize = 16 << 10;

/// One direction of a relay.
struct Way<'a> {
    from: &'a Stream,
    to: &'a Stream,
    /// When the sender has ended, the receiver gets an end of stream.
    passes_end: bool,
    buffer: Vec<u8>,
    /// How much of the buffer is sent.
    sent: usize,
    /// Nothing more comes.
    has_ended: bool,
    /// Since when the receiver has taken nothing.
    stuck_since: Option<Instant>,
}

/// Copies bytes between a client and a server until the server has ended and all of its bytes are sent,
/// one of them is lost, or one takes nothing for `patience`. The server receives the end of the client,
/// and may still answer. The end of the server is for the caller to pass on: what the client sends after it is
/// for nobody.
///
/// # Errors
/// Those of the streams, and [`ErrorKind::TimedOut`].
pub(crate) fn relay(client: &Stream, server: &Stream, patience: Duration) -> io::Result<()> {
    let mut ways = [Way::new(client, server, true), Way::new(server, client, false)];
    while !ways[1].is_done() {
        wait(&ways, patience)?;
        for way in &mut ways {
            way.go_on(patience)?;
        }
    }
    Ok(())
}

/// Blocks until a way can go on.
fn wait(ways: &[Way<'_>; 2], patience: Duration) -> io::Result<()> {
    // What nobody waits for is left out: a stream that has ended would be ready each time.
    let waits = ways.iter().filter_map(Way::waits_for).collect::<Vec<_>>();
    let mut polled: Vec<_> =
        waits.iter().map(|(stream, flags)| PollFd::new(stream.socket(), *flags)).collect();
    let stuck = ways.iter().filter_map(|way| way.stuck_since).min();
    let left = stuck.map(|since| (since + patience).saturating_duration_since(Instant::now()));
    let left = left.and_then(|left| left.try_into().ok());
    match poll(&mut polled, left.as_ref()) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(e) => Err(e.into()),
    }
}

impl<'a> Way<'a> {
    fn new(from: &'a Stream, to: &'a Stream, passes_end: bool) -> Self {
        let buffer = Vec::with_capacity(BUFFER_BYTES);
        Way { from, to, passes_end, buffer, sent: 0, has_ended: false, stuck_since: None }
    }

    fn is_done(&self) -> bool {
        self.has_ended && self.is_empty()
    }

    fn is_empty(&self) -> bool {
        self.sent == self.buffer.len()
    }

    fn waits_for(&self) -> Option<(&'a Stream, PollFlags)> {
        match (self.is_empty(), self.has_ended) {
            (false, _) => Some((self.to, PollFlags::OUT)),
            (true, false) => Some((self.from, PollFlags::IN)),
            (true, true) => None,
        }
    }

    /// Receives and sends what is possible without waiting.
    fn go_on(&mut self, patience: Duration) -> io::Result<()> {
        if self.is_empty() && !self.has_ended {
            self.buffer.clear();
            self.sent = 0;
            match self.from.receive_spare_now(&mut self.buffer) {
                Ok(0) => {
                    self.has_ended = true;
                    if self.passes_end {
                        self.to.shutdown(Shutdown::Write);
                    }
                }
                Ok(_) => {}
                Err(e) if e.kind() == ErrorKind::WouldBlock => {}
                Err(e) => return Err(e),
            }
        }
        if self.is_empty() {
            return Ok(());
        }
        match self.to.send_now(&[IoSlice::new(&self.buffer[self.sent..])]) {
            Ok(n) => {
                self.sent += n;
                self.stuck_since = None;
            }
            Err(e) if e.kind() == ErrorKind::WouldBlock => {
                let since = *self.stuck_since.get_or_insert_with(Instant::now);
                if since.elapsed() >= patience {
                    return Err(timed_out("the peer reads too slowly"));
                }
            }
            Err(e) => return Err(e),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;
    use std::thread;

    const PATIENCE: Duration = Duration::from_secs(300);

    fn pair() -> (UnixStream, Stream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        (ours, Stream::new(theirs, None))
    }

    #[test]
    fn bytes_go_both_ways_and_the_end_of_one_leaves_the_other() {
        let ((mut client, near), (mut server, far)) = (pair(), pair());
        let relaying = thread::spawn(move || relay(&near, &far, PATIENCE));
        let sent: Vec<u8> = (0..1 << 20).map(|n| (n % 251) as u8).collect();
        let echo = thread::spawn(move || {
            let mut all = Vec::new();
            server.read_to_end(&mut all).unwrap(); // until the client's end
            server.write_all(&all).unwrap();
        });
        client.write_all(&sent).unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        let mut received = Vec::new();
        client.read_to_end(&mut received).unwrap();
        assert!(received == sent);
        echo.join().unwrap();
        relaying.join().unwrap().unwrap();
    }

    #[test]
    fn the_end_of_the_server_ends_the_relay_and_is_left_to_the_caller() {
        let ((mut client, near), (mut server, far)) = (pair(), pair());
        server.write_all(b"bye").unwrap();
        drop(server);
        relay(&near, &far, PATIENCE).unwrap(); // though the client stays
        let mut received = [0; 4];
        assert_eq!(client.read(&mut received).unwrap(), 3);
        client.set_nonblocking(true).unwrap();
        assert_eq!(client.read(&mut received).unwrap_err().kind(), ErrorKind::WouldBlock);
    }

    #[test]
    fn a_peer_that_takes_nothing_ends_the_relay() {
        let ((mut client, near), (server, far)) = (pair(), pair());
        let relaying = thread::spawn(move || relay(&near, &far, Duration::from_millis(50)));
        // Until the relay ends, all of its buffers are full.
        while client.write_all(&[0; 1 << 16]).is_ok() {}
        let ended = relaying.join().unwrap();
        assert_eq!(ended.unwrap_err().kind(), ErrorKind::TimedOut);
        drop(server);
    }
}
