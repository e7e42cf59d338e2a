//! A stream with a buffer for each direction. Output is collected, so that requests that arrive
//! together cost one receive and one send.

mod contents;

use super::buffers::Buffers;
use super::gate::{self, Gate};
use super::stream::{Stream, timed_out};
use super::traffic::Traffic;
use crate::budget::Budget;
use std::io::{self, ErrorKind, IoSlice};
use std::net::Shutdown;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A buffer that a burst has enlarged is freed after this long without a byte.
const SHRINK_AFTER: Duration = Duration::from_secs(1);

/// A [`Stream`] with buffers, for lines and counted bytes, both ways.
///
/// Every wait for the peer first sends all output, because the peer may be waiting for exactly that.
/// Half a line in the buffer is no reason to keep output back: the other half may never come.
#[derive(Debug)]
pub struct BufferedStream {
    stream: Arc<Stream>,
    buffers: Buffers,
    traffic: Option<Arc<Traffic>>,
    gate: Option<Arc<dyn Gate>>,
    write_timeout: Duration,
    deadline: Option<Instant>,
    yields: bool,
}

impl BufferedStream {
    /// Wraps `stream`, for lines of fewer than `max_line_bytes` bytes.
    pub fn new(stream: Arc<Stream>, max_line_bytes: usize, write_timeout: Duration) -> Self {
        BufferedStream {
            stream,
            buffers: Buffers::new(max_line_bytes),
            traffic: None,
            gate: None,
            write_timeout,
            deadline: None,
            yields: false,
        }
    }

    /// Returns the underlying stream.
    pub fn stream(&self) -> &Arc<Stream> {
        &self.stream
    }

    /// Counts what the buffers take beyond a few KiB. If the budget has no more memory they stay
    /// small, and the connection makes more system calls. Without a budget they may grow.
    pub fn set_budget(&mut self, budget: &Arc<Budget>) {
        self.buffers.set_budget(budget);
    }

    /// Counts the bytes from now on in `traffic`, which other streams may share.
    pub fn set_traffic(&mut self, traffic: Arc<Traffic>) {
        self.traffic = Some(traffic);
    }

    /// Sends only while the gate is open. What is to be sent after that is an error.
    #[cfg(feature = "etcd")]
    pub fn set_gate(&mut self, gate: Arc<dyn Gate>) {
        self.gate = Some(gate);
    }

    /// Sets the deadline for every receive, whatever arrives before it; `None` is no deadline.
    pub fn set_deadline(&mut self, deadline: Option<Instant>) {
        self.deadline = deadline;
    }

    /// Sets whether to let other threads run before each receive, so that each context switch
    /// serves a batch of clients. For a machine that does nothing else.
    pub fn set_yields(&mut self, yields: bool) {
        self.yields = yields;
    }

    /// Reads the next line into `line`, without its end. Returns false at the end of the stream.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidData`] for a line that is too long or has a CR inside,
    /// [`ErrorKind::UnexpectedEof`] if the stream ends inside a line, and those of the stream.
    pub fn read_line(&mut self, line: &mut Vec<u8>) -> io::Result<bool> {
        loop {
            let is_here = self.take_line(line)?;
            self.answer_telnet();
            if is_here {
                return Ok(true);
            }
            if !self.receive()? {
                return if self.buffers.input.data().is_empty() {
                    Ok(false)
                } else {
                    Err(ended("a line"))
                };
            }
        }
    }

    /// Takes the next line into `line`, if it has arrived. Answers that it
    /// [owes](BufferedStream::owes_telnet) to Telnet commands in it are not yet sent.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidData`] as for [`read_line`](BufferedStream::read_line).
    pub fn take_line(&mut self, line: &mut Vec<u8>) -> io::Result<bool> {
        self.buffers.input.take_line(line)
    }

    /// Skips Telnet commands in lines from now on: see [`LineBuffer::set_telnet`](super::LineBuffer::set_telnet).
    pub fn set_telnet(&mut self) {
        self.buffers.input.set_telnet();
    }

    /// Returns whether a Telnet command is not yet answered.
    pub fn owes_telnet(&mut self) -> bool {
        !self.buffers.input.answers().is_empty()
    }

    /// Appends the answers to Telnet commands to the output.
    pub fn answer_telnet(&mut self) {
        self.buffers.output.append(self.buffers.input.answers());
    }

    /// Returns the bytes that were received and not yet used.
    pub fn data(&self) -> &[u8] {
        self.buffers.input.data()
    }

    /// Marks the first `n` bytes of the [`data`](BufferedStream::data) as used.
    ///
    /// # Panics
    /// If there are fewer than `n`.
    pub fn consume(&mut self, n: usize) {
        self.buffers.input.consume(n);
    }

    /// Waits for more [`data`](BufferedStream::data). Returns false at the end of the stream.
    ///
    /// # Panics
    /// If there are 64 KiB of it.
    ///
    /// # Errors
    /// Those of the stream.
    pub fn receive(&mut self) -> io::Result<bool> {
        self.shrink_if_silent()?;
        Ok(self.fill()? > 0)
    }

    /// Returns the buffer to append output to. It is sent before the next wait for the peer.
    pub fn output(&mut self) -> &mut Vec<u8> {
        &mut self.buffers.output
    }

    /// Sends the collected output, if there is much of it.
    pub fn flush_if_large(&mut self) -> io::Result<()> {
        if self.buffers.reserve_output(0) { Ok(()) } else { self.flush() }
    }

    /// Sends all collected output.
    ///
    /// # Errors
    /// [`ErrorKind::TimedOut`] if the peer does not take it, and those of the stream.
    pub fn flush(&mut self) -> io::Result<()> {
        if self.buffers.output.is_empty() {
            return Ok(());
        }
        self.expect_open()?;
        let time_left = self.time_left(self.write_timeout);
        self.stream.send_all(&mut [IoSlice::new(&self.buffers.output)], time_left)?;
        self.count_sent(self.buffers.output.len());
        self.buffers.output.clear();
        Ok(())
    }

    fn expect_open(&self) -> io::Result<()> {
        match &self.gate {
            Some(gate) if !gate.is_open() => Err(gate::closed()),
            _ => Ok(()),
        }
    }

    fn time_left(&self, most: Duration) -> Duration {
        let deadline = self.deadline.map(|d| d.saturating_duration_since(Instant::now()));
        deadline.map_or(most, |left| left.min(most))
    }

    /// Receives once. Returns 0 at the end of the stream.
    fn fill(&mut self) -> io::Result<usize> {
        self.before_receive()?;
        self.buffers.let_input_grow();
        let n = self.stream.receive(self.buffers.input.room())?;
        self.buffers.input.received(n);
        self.count_received(n);
        Ok(n)
    }

    fn count_received(&self, n: usize) {
        if let Some(traffic) = &self.traffic {
            traffic.count_received(n);
        }
    }

    fn count_sent(&self, n: usize) {
        if let Some(traffic) = &self.traffic {
            traffic.count_sent(n);
        }
    }

    /// Sends the output, and waits for the deadline's sake. Every blocking receive comes after this.
    fn before_receive(&mut self) -> io::Result<()> {
        self.flush()?; // invariant 6 in ARCHITECTURE.md
        if let Some(deadline) = self.deadline
            // A flood is always readable, so the time is checked first.
            && (Instant::now() >= deadline || !self.stream.wait_readable(deadline)?)
        {
            return Err(timed_out("the peer did not send all of it in time"));
        }
        if self.yields {
            std::thread::yield_now();
        }
        Ok(())
    }

    /// Frees memory if a burst has enlarged a buffer and nothing arrives for a while. Contents that
    /// are on their way are no silence, so only [`receive`](BufferedStream::receive) pays for this.
    fn shrink_if_silent(&mut self) -> io::Result<()> {
        if self.buffers.are_oversized() {
            self.flush()?;
            if !self.stream.wait_readable(Instant::now() + self.time_left(SHRINK_AFTER))? {
                self.buffers.shrink();
            }
        }
        Ok(())
    }

    /// Sends the output and waits until `waker` is readable, `deadline` has passed, or the peer has
    /// ended its side. Keeps what the peer sends meanwhile, because its end comes after that; 64
    /// KiB of it, or as much as the budget has memory for, also ends the wait.
    pub fn wait_for_waker(&mut self, waker: impl AsFd, deadline: Instant) -> io::Result<()> {
        self.flush()?;
        loop {
            self.buffers.let_input_grow();
            if self.buffers.input.is_full() || !self.stream.wait_readable_or(&waker, deadline)? {
                return Ok(());
            }
            match self.stream.receive_now(self.buffers.input.room()) {
                Ok(0) => return Ok(()),
                Ok(n) => {
                    self.buffers.input.received(n);
                    self.count_received(n);
                }
                Err(e) if e.kind() == ErrorKind::WouldBlock => {}
                Err(e) => return Err(e),
            }
        }
    }

    /// Sends the output and ends the connection so that the output arrives: see [`Stream::linger`].
    /// This is the end of a connection whose read side is open: the peer left, or it is to leave.
    pub fn close(mut self, linger: Duration, linger_bytes: usize) -> io::Result<()> {
        self.flush()?;
        self.stream.linger(linger, linger_bytes);
        Ok(())
    }

    /// Sends the output and ends a connection whose read side this end [has shut](Stream::shutdown),
    /// as the stop of a server does. Discards for `linger` what the peer still sends before it ends the sending side: with both sides shut the
    /// kernel answers the next byte with a reset, and what the peer has not yet read is lost.
    pub fn close_stopped(mut self, linger: Duration) -> io::Result<()> {
        self.flush()?;
        self.stream.drain(linger);
        self.stream.shutdown(Shutdown::Write);
        Ok(())
    }
}

fn ended(inside: &str) -> io::Error {
    io::Error::new(ErrorKind::UnexpectedEof, format!("the stream ended inside {inside}"))
}
