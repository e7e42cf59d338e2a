//! The counted bytes between the lines. Large ones pass by the buffers, without a copy.

use super::{BufferedStream, ended};
use crate::net::buffers::MIN_DIRECT_BYTES;
use std::io::{self, IoSlice};

impl BufferedStream {
    /// Appends the next bytes to `contents`, at least one and at most its spare capacity, which
    /// must not be empty. Large contents are received directly into it, small ones through the
    /// buffer, because the line end and the next request arrive with them.
    ///
    /// # Errors
    /// [`io::ErrorKind::UnexpectedEof`], and those of the stream.
    pub fn read_contents(&mut self, contents: &mut Vec<u8>) -> io::Result<()> {
        let wanted = contents.capacity() - contents.len();
        if self.buffers.input.data().is_empty() {
            if wanted >= MIN_DIRECT_BYTES {
                return self.receive_direct(contents);
            }
            if self.fill()? == 0 {
                return Err(ended("contents"));
            }
        }
        let here = self.buffers.input.data();
        let n = here.len().min(wanted);
        contents.extend_from_slice(&here[..n]);
        self.buffers.input.consume(n);
        Ok(())
    }

    /// Reads and discards `numbytes` bytes.
    pub fn skip(&mut self, mut numbytes: u64) -> io::Result<()> {
        loop {
            let here = self.buffers.input.data().len();
            let n = here.min(usize::try_from(numbytes).unwrap_or(here));
            self.buffers.input.consume(n);
            numbytes -= n as u64;
            if numbytes == 0 {
                return Ok(());
            }
            if self.fill()? == 0 {
                return Err(ended("contents"));
            }
        }
    }

    /// Reads the line end that has to follow contents.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidData`] if something else comes, [`io::ErrorKind::UnexpectedEof`].
    pub fn read_line_end(&mut self) -> io::Result<()> {
        while !self.buffers.input.take_line_end()? {
            if self.fill()? == 0 {
                return Err(ended("contents"));
            }
        }
        Ok(())
    }

    /// Sends `contents` and a line end after the collected output. Large contents are not copied.
    pub fn send_contents(&mut self, contents: &[u8]) -> io::Result<()> {
        if contents.len() < MIN_DIRECT_BYTES && self.buffers.reserve_output(contents.len()) {
            self.buffers.output.extend_from_slice(contents);
            self.buffers.output.extend_from_slice(b"\r\n");
            return self.flush_if_large();
        }
        self.send_after_output([contents, b"\r\n"])
    }

    /// Sends `bytes`, a part of counted ones, after the collected output.
    ///
    /// # Errors
    /// As for [`flush`](BufferedStream::flush).
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.send_after_output([bytes, b""])
    }

    fn send_after_output(&mut self, [first, second]: [&[u8]; 2]) -> io::Result<()> {
        self.expect_open()?;
        let parts = &mut [&self.buffers.output, first, second].map(IoSlice::new);
        self.stream.send_all(parts, self.time_left(self.write_timeout))?;
        self.count_sent(self.buffers.output.len() + first.len() + second.len());
        self.buffers.output.clear();
        Ok(())
    }

    fn receive_direct(&mut self, contents: &mut Vec<u8>) -> io::Result<()> {
        self.before_receive()?;
        match self.stream.receive_spare(contents)? {
            0 => Err(ended("contents")),
            n => {
                self.count_received(n);
                Ok(())
            }
        }
    }
}
