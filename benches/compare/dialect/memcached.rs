//! memcached's text protocol (its `doc/protocol.txt`). No reply to `cas` returns the current
//! version, so an attempt is `gets` and then `cas`.

use super::{Checked, Dialect, Expected, Outcome, contents_end, first_line, number, wrong};
use crate::value::Value;

pub(crate) struct Memcached;

impl Dialect for Memcached {
    fn read(&self, out: &mut Vec<u8>, key: &str) {
        out.extend_from_slice(format!("get {key}\r\n").as_bytes());
    }

    fn write(&self, out: &mut Vec<u8>, key: &str, numbytes: usize) {
        out.extend_from_slice(format!("set {key} 0 0 {numbytes}\r\n").as_bytes());
    }

    fn cas(&self, out: &mut Vec<u8>, key: &str, version: u64, numbytes: usize) {
        out.extend_from_slice(format!("cas {key} 0 0 {numbytes} {version}\r\n").as_bytes());
    }

    fn read_version(&self, out: &mut Vec<u8>, key: &str) -> bool {
        out.extend_from_slice(format!("gets {key}\r\n").as_bytes());
        true
    }

    fn check(&self, expected: Expected, value: &Value, input: &[u8]) -> Checked {
        let Some((line, next)) = first_line(input)? else { return Ok(None) };
        let version = match (expected, line) {
            (Expected::Contents, _) => false,
            (Expected::VersionedContents, _) => true,
            (Expected::Written | Expected::CasAnswered, b"STORED") => {
                return Ok(Some((next, Outcome::Done { version: 0 })));
            }
            (Expected::CasAnswered, b"EXISTS") => {
                return Ok(Some((next, Outcome::Refused { version: 0 })));
            }
            _ => return Err(wrong(&format!("not {expected:?}"), line)),
        };
        // VALUE <key> <flags> <bytes> [<cas unique>]
        let mut fields = line.split(|b| *b == b' ');
        if fields.next() != Some(b"VALUE") {
            return Err(wrong(&format!("not {expected:?}"), line));
        }
        let numbytes = number(fields.nth(2));
        let version = if version { number(fields.next()) } else { Some(0) };
        let version = version.ok_or_else(|| wrong("no version", line))?;
        let Some(end) = contents_end(value, numbytes, input, next)? else { return Ok(None) };
        match first_line(&input[end..])? {
            Some((b"END", length)) => Ok(Some((end + length, Outcome::Done { version }))),
            Some((other, _)) => Err(wrong("not END", other)),
            None => Ok(None),
        }
    }
}
