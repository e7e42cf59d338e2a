//! Telefile's protocol, through the crate's `wire`: the same types that the server parses with. A
//! cas takes one request, because both replies return the current version.

use super::{Checked, Dialect, Expected, Outcome, contents_end, first_line, wrong};
use crate::value::Value;
use telefile::wire::{FileRef, Reply, Request};
use telefile::{Exptime, NameRef, Refusal};

pub(crate) struct Telefile;

fn file(key: &str) -> FileRef<'_> {
    FileRef::Name(NameRef::new(key).expect("a key is a name"))
}

impl Dialect for Telefile {
    fn read(&self, out: &mut Vec<u8>, key: &str) {
        Request::Read { file: file(key) }.write_to(out);
    }

    fn write(&self, out: &mut Vec<u8>, key: &str, numbytes: usize) {
        let (numbytes, exptime) = (numbytes as u64, Exptime::Never);
        Request::Write { file: file(key), numbytes, exptime }.write_to(out);
    }

    fn cas(&self, out: &mut Vec<u8>, key: &str, version: u64, numbytes: usize) {
        let (numbytes, exptime) = (numbytes as u64, Exptime::Never);
        Request::Cas { file: file(key), version, numbytes, exptime }.write_to(out);
    }

    fn check(&self, expected: Expected, value: &Value, input: &[u8]) -> Checked {
        let Some((line, next)) = first_line(input)? else { return Ok(None) };
        let reply = Reply::parse(line).ok_or_else(|| wrong("no reply of the protocol", line))?;
        match (expected, reply) {
            (Expected::Contents, Reply::Contents { version, numbytes, .. }) => {
                let end = contents_end(value, usize::try_from(numbytes).ok(), input, next)?;
                Ok(end.map(|end| (end, Outcome::Done { version })))
            }
            (Expected::Written | Expected::CasAnswered, Reply::Version(version)) => {
                Ok(Some((next, Outcome::Done { version })))
            }
            (Expected::CasAnswered, Reply::Refused(Refusal::Version(version))) => {
                Ok(Some((next, Outcome::Refused { version: version.0 })))
            }
            _ => Err(wrong(&format!("not {expected:?}"), line)),
        }
    }
}
