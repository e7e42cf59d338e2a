//! The requests and replies of one protocol: requests as bytes, and the check of the next reply in
//! the bytes received so far. Nothing here does I/O, except for the one exchange that prepares a
//! new server.

mod etcd;
mod memcached;
mod redis;
mod telefile;

pub(crate) use etcd::{Etcd, Transaction};
pub(crate) use memcached::Memcached;
pub(crate) use redis::Redis;
pub(crate) use telefile::Telefile;

use crate::value::Value;
use std::io;
use std::net::SocketAddr;

/// No reply of any of them has a longer line.
const MAX_REPLY_LINE_BYTES: usize = 4096;

/// The expected reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    /// The value.
    Contents,
    /// The value, and the version that guards a cas of it.
    VersionedContents,
    /// That a write is done.
    Written,
    /// That a cas is done, or refused because of the version.
    CasAnswered,
}

/// The contents of a correct reply. A version that the protocol does not return is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Done { version: u64 },
    Refused { version: u64 },
}

/// The length of a reply and its contents; `None` if it has not arrived whole.
pub(crate) type Checked = io::Result<Option<(usize, Outcome)>>;

pub(crate) trait Dialect: Sync {
    /// Appends a request for the value of `key`.
    fn read(&self, out: &mut Vec<u8>, key: &str);

    /// Appends a request to store a value. What comes with [`Dialect::append_value`] ends it.
    fn write(&self, out: &mut Vec<u8>, key: &str, numbytes: usize);

    /// Appends the value and the end of the request.
    fn append_value(&self, out: &mut Vec<u8>, value: &Value) {
        out.extend_from_slice(value.bytes());
        out.extend_from_slice(b"\r\n");
    }

    /// Appends a request to store a value if `version` is still the current one; likewise without
    /// the value.
    fn cas(&self, out: &mut Vec<u8>, key: &str, version: u64, numbytes: usize);

    /// Appends a request for value and version, where the replies to `cas` do not return the
    /// version, so that an attempt takes two requests. Returns false if they do; then nothing was
    /// appended.
    fn read_version(&self, _out: &mut Vec<u8>, _key: &str) -> bool {
        false
    }

    /// Checks the reply at the beginning of `input`: status, length, value, line ends.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidData`] for everything that is not `expected`.
    fn check(&self, expected: Expected, value: &Value, input: &[u8]) -> Checked;

    /// Prepares a new server for the requests above.
    fn prepare(&mut self, _server: SocketAddr) -> io::Result<()> {
        Ok(())
    }
}

/// Returns the first line of `input` without its CR LF, and where the next one begins.
fn first_line(input: &[u8]) -> io::Result<Option<(&[u8], usize)>> {
    match input.iter().position(|b| *b == b'\n') {
        Some(end) => match input[..end].strip_suffix(b"\r") {
            Some(line) => Ok(Some((line, end + 1))),
            None => Err(wrong("no CR before the line end", &input[..end])),
        },
        None if input.len() > MAX_REPLY_LINE_BYTES => Err(wrong("an endless line", input)),
        None => Ok(None),
    }
}

/// Checks a value of `numbytes` bytes, and its CR LF, from `start` on. Returns where they end, or
/// `None` if they have not arrived whole.
fn contents_end(
    value: &Value,
    numbytes: Option<usize>,
    input: &[u8],
    start: usize,
) -> io::Result<Option<usize>> {
    if numbytes != Some(value.bytes().len()) {
        return Err(wrong("not the length that was written", &input[..start]));
    }
    let end = start + value.bytes().len();
    let Some(line_end) = input.get(end..end + 2) else { return Ok(None) };
    if line_end != b"\r\n" {
        return Err(wrong("no line end after the value", line_end));
    }
    if !value.matches(&input[start..end]) {
        return Err(wrong("not the value that was written", &input[start..end]));
    }
    Ok(Some(end + 2))
}

/// Parses a field that has only digits.
fn number<N: std::str::FromStr>(field: Option<&[u8]>) -> Option<N> {
    let digits = field.filter(|f| f.iter().all(u8::is_ascii_digit))?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

fn wrong(why: &str, got: &[u8]) -> io::Error {
    let shown = String::from_utf8_lossy(&got[..got.len().min(80)]);
    let message = format!("wrong reply, {why}: {}", shown.escape_debug());
    io::Error::new(io::ErrorKind::InvalidData, message)
}
