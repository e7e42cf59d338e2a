//! The bodies of the fuzz targets: what has to be true of any bytes. `fuzz/` runs them under
//! libFuzzer (`make fuzz`); the tests below run them on random bytes that resemble real ones.
//!
//! Not part of the library: only tests and cargo-fuzz compile it.

mod session;
#[cfg(test)]
mod tests;

pub use crate::framework::fuzz::header;
#[cfg(feature = "etcd")]
pub use crate::store::etcd::fuzz::gateway;
#[cfg(feature = "durable")]
pub use crate::store::fuzz::stored;

use crate::wire::{Malformed, Reply, Request, ShownLine};

/// Checks that a line that is a request is the same request when it is written and parsed again.
pub fn request(line: &[u8]) {
    let _ = ShownLine(line).to_string();
    match Request::parse(line) {
        Ok(request) => {
            let mut written = Vec::new();
            request.write_to(&mut written);
            let line = written.strip_suffix(b"\r\n").expect("a request ends its line");
            assert_eq!(Request::parse(line), Ok(request), "{}", line.escape_ascii());
        }
        Err(Malformed::InStep { why, .. } | Malformed::OutOfStep(why)) => drop(why.to_string()),
    }
}

/// Checks that a line that is a reply is the same reply when it is written and parsed again, apart
/// from the time-out of `HELLO`, which is written in milliseconds.
pub fn reply(line: &[u8]) {
    let Some(reply) = Reply::parse(line) else { return };
    let written = |reply: &Reply<'_>| {
        let mut line = Vec::new();
        reply.write_to(&mut line);
        line
    };
    let first = written(&reply);
    let line = first.strip_suffix(b"\r\n").expect("a reply ends its line");
    let again = Reply::parse(line).expect("what is written is a reply");
    assert_eq!(written(&again), first, "{}", line.escape_ascii());
    if !matches!(reply, Reply::Hello { .. }) {
        assert_eq!(again, reply, "{}", line.escape_ascii());
    }
}

/// Checks that lines, contents and Telnet commands are the same however the stream is cut. The
/// first byte says how to cut, and whether the peer is a Telnet client.
pub fn lines(data: &[u8]) {
    let Some((&how, stream)) = data.split_first() else { return };
    let (is_telnet, step) = (how % 2 == 1, usize::from(how / 2) + 1);
    let whole = session::read(stream, is_telnet, stream.len().max(1));
    let cut = session::read(stream, is_telnet, step);
    assert_eq!((&whole.items, &whole.error), (&cut.items, &cut.error), "in pieces of {step}");
    match whole.error {
        // What is too long is noticed earlier or later, and so are the commands inside it.
        Some(_) => {
            let (short, long) = match whole.answers.len() < cut.answers.len() {
                true => (&whole.answers, &cut.answers),
                false => (&cut.answers, &whole.answers),
            };
            assert!(long.starts_with(short), "in pieces of {step}");
        }
        None => assert_eq!((whole.answers, whole.rest), (cut.answers, cut.rest)),
    }
    if !is_telnet {
        session::check_by_hand(stream);
    }
}
